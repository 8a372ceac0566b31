"""Analyse a night or a run that is stored: results, ``results.json`` and the figure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.runner.calibrate import write_calibration
from onnes.runner.figure import draw
from onnes.runner.findings import find
from onnes.runner.moment_file import find_in_file
from onnes.runner.moment_reference import against
from onnes.runner.problems import choice
from onnes.runner.results import NightResult, night_result, write_results
from onnes.runner.sample_file import SampleFile
from onnes.storage.night import NIGHT_MANIFEST
from onnes.storage.reader import Night, Run
from onnes.storage.run import RUN_MANIFEST


@dataclass(frozen=True, slots=True)
class AnalysisReport:
    """What an analysis leaves behind; ``figure`` is None where there was nothing to draw.

    ``night`` is the run's own folder for a run that lies in no night.
    """

    simulated: bool
    night: Path
    runs: tuple[Path, ...]
    results: tuple[NightResult, ...]
    figure: Path | None
    messages: tuple[str, ...]


def analyse(
    path: Path,
    sample: SampleFile | None = None,
    calibration: Path | None = None,
    reference: Path | None = None,
) -> AnalysisReport:
    """Analyse the night or the run in the folder ``path``, write ``results.json`` and ``figure.png`` into it.

    Args:
        sample: its sizes count instead of those that were recorded, which stay as they are; voltage and
            current are stored raw, so a size that was wrong costs no night.
        calibration: file of the residual field that gets what a palladium standard found.
        reference: another night or run of moments that this one is divided by.

    Raises:
        ConfigurationError: if ``path`` or ``reference`` is neither, ``sample`` is none of the samples that
            were measured, there is nothing to write into ``calibration``, or nothing in common with
            ``reference``.
        StorageError: if a file of it is missing or damaged, or the folder cannot be written.
    """
    folder = _opened(path)
    runs = folder.runs if isinstance(folder, Night) else [folder]
    messages: list[str] = [] if sample is None else [_with_sizes_of(sample, runs)]
    if folder.status != "finished":
        # Whether a night that says `running` still runs is not known here; its heartbeat tells a person.
        beat = folder.manifest.get("heartbeat") if folder.status == "running" else None
        since = f" (last heartbeat {beat}; an old one is a crash: look at the sources)" if beat else ""
        messages.append(f"{path.name} is {folder.status}{since}: analysed is what was measured so far")
    findings = find(folder)
    if reference is not None:
        compared = against(findings.moments, find(_opened(reference)).moments, reference.name)
        results = [night_result(key, result, (), frozenset()) for key, result in compared]
        findings = replace(findings, results=(*findings.results, *results))
    if not (findings.temperature_runs or findings.field_runs or findings.moments or findings.contacts):
        messages.append(f"{path.name} has no run that can be analysed yet")
    if calibration is not None:
        messages.append(write_calibration(calibration, findings.moments.standards))
    write_results(path, findings.results, findings.provenance)
    figure = path / "figure.png"
    drawn = draw(findings, figure)
    home = path if isinstance(folder, Night) else path.parent
    return AnalysisReport(
        findings.provenance.get("backend") == "simulated",
        home if (home / NIGHT_MANIFEST).is_file() else path,
        tuple(run.path for run in folder.runs) if isinstance(folder, Night) else (path,),
        findings.results,
        figure if drawn else None,
        tuple(messages),
    )


def _opened(path: Path) -> Night | Run:
    if (path / NIGHT_MANIFEST).is_file():
        return Night.open(path)
    if (path / RUN_MANIFEST).is_file():
        return Run.open(path)
    raise ConfigurationError(
        f"{path} is neither a night nor a run; expected a folder with {NIGHT_MANIFEST} or "
        f"{RUN_MANIFEST}, or the number of a night, e.g. 0042"
    )


def analyse_file(path: Path, sample: SampleFile | None = None) -> AnalysisReport:
    """Analyse a file of MultiVu; results and figure go into a folder beside it, which is the ``night``.

    Args:
        sample: whose sizes count; without it moments stay moments.

    Raises:
        ConfigurationError: if it has no moments, or no remark that says what its curves are.
        StorageError: if it cannot be read, or nothing be written beside it.
    """
    findings = find_in_file(path, sample)
    folder = path.with_name(f"{path.stem}_analysis")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {folder}: {error.strerror}") from error
    write_results(folder, findings.results, findings.provenance)
    figure = folder / "figure.png"
    drawn = draw(findings, figure)
    simulated = findings.provenance.get("backend") == "simulated"
    messages: tuple[str, ...] = ()
    if sample is not None and len(sample.mounting) > 1:
        messages = (
            f"{sample.id} can be mounted as {' or '.join(sorted(sample.mounting))}, and a file does not say "
            "how: for N, Hc1 and Jc give a copy of the sample file with only the mounting it was measured in",
        )
    return AnalysisReport(simulated, folder, (path,), findings.results, figure if drawn else None, messages)


def _with_sizes_of(sample: SampleFile, runs: Sequence[Run]) -> str:
    """Let the sizes of ``sample`` count in the runs that measured it, and say so.

    Raises:
        ConfigurationError: if none did.
    """
    measured = {run.path.name: run.manifest.get("sample") or {} for run in runs}
    mine = [run for run in runs if measured[run.path.name].get("id") == sample.id]
    if not mine:
        names = sorted({str(found["id"]) for found in measured.values() if found.get("id")})
        raise ConfigurationError(
            f"{sample.path} is the sample {sample.id}, which was not measured here; "
            f"expected {choice(names) if names else 'a night that names its sample'}"
        )
    for run in mine:
        run.manifest["geometry"] = sample.geometry_cm()
        run.manifest["geometry_uncertainty"] = sample.geometry_uncertainty_cm()
        run.manifest["body"] = sample.body(run.manifest.get("mounting"))
    then = measured[mine[0].path.name].get("version")
    return (
        f"sizes of {sample.id}, version {sample.version}, from {sample.path}; "
        f"it was measured with those of version {then}"
    )
