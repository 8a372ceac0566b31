"""What a file of MultiVu says by itself: the curves between its remarks, as far as that goes without a plan.

The remarks say what a curve is, ``ZFC``, ``FCC``, ``FCW``, ``FC`` or ``MvsH``; without them nobody knows a
history, and none is guessed. What has no geometry has moments and temperatures, and no susceptibility.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnes.analysis.isotherm import Floats
from onnes.instruments.errors import ConfigurationError
from onnes.procedures.residual_field import Residual
from onnes.runner.findings import Findings
from onnes.runner.moment_body import body_of
from onnes.runner.moment_findings import LOOP, VIRGIN, ZFC_FC, MomentFindings
from onnes.runner.moment_measured import MomentBranch, MomentRun, Rows, rows_of
from onnes.runner.results import night_result
from onnes.runner.sample_file import SampleFile
from onnes.storage.qd_dat import QdFile, read_dat

_WORDS = re.compile(r"\b(ZFC|FCC|FCW|FC|MvsH|virgin|down|up)\b", re.IGNORECASE)
_OVER_TEMPERATURE = ("zfc", "fcc", "fcw", "fc")
_TWIN = re.compile(r"SIMULATED(?: by the virtual lab (\S+) with seed (\d+))?")
_FIELD_DIGITS = 2  # a reported field of 9.96 Oe is the 10 Oe that was asked for
_KELVIN_DIGITS = 3
_SAME_FIELD = (2.0, 0.05)  # Oe, and relative: fields of one curve over temperature are no further apart
_SAME_K = (0.5, 0.05)  # K, and relative


def find_in_file(path: Path, sample: SampleFile | None = None) -> Findings:
    """Analyse a file of MultiVu.

    Args:
        sample: whose sizes count; without it moments stay moments.

    Raises:
        ConfigurationError: if the file has no moments, no remark that says what a curve is, several curves
            under one remark, or two of one history at one field.
        StorageError: if it cannot be read.
    """
    file = read_dat(path)
    if "Moment (emu)" not in file.frame:
        raise ConfigurationError(f"{path} has no moments; expected a file of a magnetometer")
    sections = list(_sections(path, file))
    if not sections:
        raise ConfigurationError(
            f"{path} has no remark that says what its curves are; write ZFC, FCC, FCW, FC or MvsH into the "
            "comment of a row before each"
        )
    moments = MomentFindings()
    keyed = []
    for kind in (ZFC_FC, VIRGIN, LOOP):
        branches = tuple(branch for of, branch in sections if of == kind)
        if branches:
            keyed += moments.take(_measured(path, branches, sample), kind, frozenset())
    keyed += moments.together(frozenset())
    results = tuple(night_result(key, result, (), frozenset()) for key, result in keyed)
    return Findings(path, _origin(file), results, (), (), moments)


def _measured(path: Path, branches: tuple[MomentBranch, ...], sample: SampleFile | None) -> MomentRun:
    manifest: dict[str, Any] = {}
    if sample is not None:
        # As in a sequence: a sample that can be mounted in one way was mounted so.
        mounting = next(iter(sample.mounting)) if len(sample.mounting) == 1 else None
        manifest = {
            "geometry": sample.geometry_cm(),
            "geometry_uncertainty": sample.geometry_uncertainty_cm(),
            "body": sample.body(mounting),
            "mounting": mounting,
            "sample": {"id": sample.id},
        }
    return MomentRun(path.stem, manifest, {}, branches, body_of(manifest), Residual())


def _origin(file: QdFile) -> Mapping[str, Any]:
    """Return where the numbers come from: a file of a virtual machine says so in its head."""
    head = " ".join([file.header.title, *file.header.comments, *file.header.info])
    twin = _TWIN.search(head)
    if twin is None:
        return {}
    return {"backend": "simulated", "lab": twin[1] or "unknown", "seed": twin[2] or "unknown"}


def _sections(path: Path, file: QdFile) -> Iterator[tuple[str, MomentBranch]]:
    """Yield kind of run and branch for the rows after each remark that names one."""
    frame = file.frame
    # A machine puts its time into the row of a remark; then it is a row with a comment.
    texts = frame["Comment"].astype(str) if "Comment" in frame else [""] * len(frame)
    said = sorted({*file.remarks, *zip(map(int, frame.index.to_numpy()), texts, strict=True)})
    remarks = [(line, found[1].lower()) for line, text in said if (found := _WORDS.search(text))]
    measured = frame[frame["Moment (emu)"].notna()]
    lines = measured.index.to_numpy()
    ends = [*(line for line, _ in remarks[1:]), int(lines.max()) + 1 if len(lines) else 0]
    lines_of: dict[tuple[str, float], int] = {}
    has_virgin = any(word == "virgin" for _, word in remarks)
    has_legs = any(word in ("down", "up") for _, word in remarks)
    for (line, word), end in zip(remarks, ends, strict=False):  # no remark still has an end
        rows = rows_of(measured[(lines > line) & (lines < end)])
        if not len(rows.moment):
            continue
        if word in _OVER_TEMPERATURE:
            _one_curve(f"{path}:{line}", word, "fields", rows.field, "Oe", _SAME_FIELD)
            branch = _branch(_name(word, rows), rows, at_oe=_rounded(rows.field, _FIELD_DIGITS))
            first = lines_of.setdefault((branch.name, branch.at_oe), line)
            if first != line:
                raise ConfigurationError(
                    f"{path}:{line}: another {branch.name.upper()} at {branch.at_oe:g} Oe, after that of "
                    f"line {first}; two histories are no curve: take one of them out of a copy of the file"
                )
            yield ZFC_FC, branch
        else:
            _one_curve(f"{path}:{line}", word, "temperatures", rows.temperature, "K", _SAME_K)
            kind = VIRGIN if has_virgin and not has_legs else LOOP
            yield kind, _branch(word, rows, at_k=_rounded(rows.temperature, _KELVIN_DIGITS))


def _one_curve(
    where: str, word: str, what: str, values: Floats, unit: str, same: tuple[float, float]
) -> None:
    """Refuse rows that are not of one curve; a tenth of them may be anywhere."""
    low, high = (float(each) for each in np.percentile(values, (5, 95)))
    if high - low > max(same[0], same[1] * abs(float(np.median(values)))):
        raise ConfigurationError(
            f"{where}: the rows after {word!r} have {what} from {low:.5g} to {high:.5g} {unit}, which is "
            "more than one curve; write a remark before each"
        )


def _name(word: str, rows: Rows) -> str:
    if word != "fc":
        return word
    return "fcw" if rows.temperature[-1] > rows.temperature[0] else "fcc"


def _rounded(values: Floats, digits: int) -> float:
    return float(f"{float(np.median(values)):.{digits}g}")


def _branch(name: str, rows: Rows, *, at_k: float = np.nan, at_oe: float = np.nan) -> MomentBranch:
    nothing = np.empty(0)
    # Nobody wrote down what the fields should have been, nor what the magnet had left.
    return MomentBranch(name, at_k, at_oe, rows, Rows(nothing, nothing, nothing, nothing), np.nan, 0.0)
