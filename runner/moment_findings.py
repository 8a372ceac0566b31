"""What runs of a magnetometer say: which analysis belongs to which run, and what takes several."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from onnes.analysis.critical_current import CriticalCurrentLaw, Law
from onnes.analysis.result import Result
from onnes.runner.field_moment_findings import (
    LoopFindings,
    VirginFindings,
    laws_of_current,
    loop_findings,
    virgin_findings,
)
from onnes.runner.moment_measured import MomentRun, moment_run
from onnes.runner.palladium import StandardFindings, palladium_findings
from onnes.runner.results import Keyed
from onnes.runner.zfc_fc_findings import (
    IrreversibilityPoints,
    ZfcFcFindings,
    line_of_fields,
    recorded_residual,
    zfc_fc_findings,
)
from onnes.storage.reader import Run

ZFC_FC, VIRGIN, LOOP = "zfc-fc", "magnetization-virgin", "magnetization-loop"
_OF_THE_VOLUME = ("chi-", "meissner-", "screened-", "initial-slope-", "jc-")  # keys of results
MOMENT_KINDS = frozenset({ZFC_FC, VIRGIN, LOOP})

_Found = TypeVar("_Found", ZfcFcFindings, LoopFindings)


@dataclass(slots=True, eq=False)
class MomentFindings:
    """What the runs of a magnetometer say, run by run; ``lines`` and ``laws`` are of several runs together.

    ``laws`` belong to the loops of the sample and mounting they are listed under.
    """

    zfc_fc: list[ZfcFcFindings] = field(default_factory=list)
    virgin: list[VirginFindings] = field(default_factory=list)
    loops: list[LoopFindings] = field(default_factory=list)
    standards: list[StandardFindings] = field(default_factory=list)
    lines: list[IrreversibilityPoints] = field(default_factory=list)
    laws: list[tuple[Sequence[LoopFindings], Mapping[Law, CriticalCurrentLaw]]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Say whether there is a run of a magnetometer."""
        return bool(self.zfc_fc or self.virgin or self.loops or self.standards)

    def add(self, run: Run, kind: str, compare_with: frozenset[str]) -> Keyed:
        """Analyse a run and return what it says by itself.

        Raises:
            ConfigurationError: if the holder that the sample file names cannot be subtracted.
            StorageError: if a file is damaged.
        """
        return self.take(moment_run(run, over_field=kind != ZFC_FC), kind, compare_with)

    def take(self, measured: MomentRun, kind: str, compare_with: frozenset[str]) -> Keyed:
        """Analyse the branches of a run or of a file and return what they say by themselves."""
        if not any(len(branch.rows.moment) for branch in measured.branches):
            return []
        if measured.body.standard == "palladium":
            standard, keyed = palladium_findings(measured)
            self.standards.append(standard)
            return keyed
        if kind == ZFC_FC:
            over_temperature, keyed = zfc_fc_findings(measured)
            self.zfc_fc.append(over_temperature)
        elif kind == VIRGIN:
            virgin, keyed = virgin_findings(measured, compare_with)
            self.virgin.append(virgin)
        else:
            loops, keyed = loop_findings(measured)
            self.loops.append(loops)
        return [(key, _of_size(key, result, measured)) for key, result in keyed]

    def together(self, compare_with: frozenset[str]) -> Keyed:
        """Return what several runs of one sample in one mounting say together."""
        keyed = self._residuals()

        def line(found: Sequence[ZfcFcFindings]) -> Keyed:
            results, points = line_of_fields(found, compare_with)
            self.lines += [points] if points else []
            return results

        def law(found: Sequence[LoopFindings]) -> Keyed:
            results, laws = laws_of_current(found)
            self.laws += [(found, laws)] if laws else []
            return results

        keyed += _by_sample(self.zfc_fc, line)
        keyed += _by_sample(self.loops, law)
        return keyed

    def _residuals(self) -> Keyed:
        """Return the residual field as it was recorded, once for each that the runs were measured with."""
        runs = [found.measured for found in self.zfc_fc]
        runs += [found.measured for found in self.virgin]
        runs += [found.measured for found in self.loops]
        known = {str(run.residual): recorded_residual(run) for run in runs}
        return [
            ("residual-field-known" if number == 1 else f"residual-field-known-{number}", result)
            for number, result in enumerate(known.values(), start=1)
        ]


def _of_size(key: str, result: Result, measured: MomentRun) -> Result:
    """Return a result that hangs on the volume with a flag where nobody said how well that is known."""
    if result.value is None or not measured.body.is_assumed or not key.startswith(_OF_THE_VOLUME):
        return result
    return replace(result, flags=(*result.flags, "size_uncertainty_assumed"))


def _by_sample(found: Sequence[_Found], analysis: Callable[[Sequence[_Found]], Keyed]) -> Keyed:
    """Return the results of each sample; the names of a second one and its keys have its name."""
    groups: dict[str, list[_Found]] = {}
    for each in found:
        groups.setdefault(_sample(each.measured), []).append(each)
    keyed: Keyed = []
    for name, group in groups.items():
        keyed += [
            (key, result) if len(groups) == 1 else (f"{key}-{name}", _named(result, name))
            for key, result in analysis(group)
        ]
    return keyed


def _named(result: Result, name: str) -> Result:
    return replace(result, quantity=f"{result.quantity}, {name}")


def _sample(measured: MomentRun) -> str:
    sample = measured.manifest.get("sample") or {}
    return "-".join(filter(None, (str(sample.get("id", "")), measured.body.mounting)))
