"""Analyse a night or a run that is stored: results, ``results.json`` and the figure."""

from dataclasses import dataclass
from pathlib import Path

from onnes.instruments.errors import ConfigurationError
from onnes.runner.figure import draw
from onnes.runner.findings import find
from onnes.runner.results import NightResult, write_results
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


def analyse(path: Path) -> AnalysisReport:
    """Analyse the night or the run in the folder ``path``, write ``results.json`` and ``figure.png`` into it.

    Raises:
        ConfigurationError: if ``path`` is neither.
        StorageError: if a file of it is missing or damaged, or the folder cannot be written.
    """
    folder: Night | Run
    if (path / NIGHT_MANIFEST).is_file():
        folder = Night.open(path)
    elif (path / RUN_MANIFEST).is_file():
        folder = Run.open(path)
    else:
        raise ConfigurationError(
            f"{path} is neither a night nor a run; expected a folder with {NIGHT_MANIFEST} or "
            f"{RUN_MANIFEST}, or the number of a night, e.g. 0042"
        )
    messages: list[str] = []
    if folder.status != "finished":
        # Whether a night that says `running` still runs is not known here; its heartbeat tells a person.
        beat = folder.manifest.get("heartbeat") if folder.status == "running" else None
        since = f" (last heartbeat {beat}; an old one is a crash: look at the sources)" if beat else ""
        messages.append(f"{path.name} is {folder.status}{since}: analysed is what was measured so far")
    findings = find(folder)
    if not (findings.temperature_runs or findings.field_runs):
        messages.append(f"{path.name} has no run that can be analysed yet")
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
