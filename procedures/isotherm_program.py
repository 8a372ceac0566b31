"""The program of a set of isotherms R(H): which curves it has, in which order, and how long they take."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from onnes.procedures.coarse_search import CoarseSearch
from onnes.procedures.experiment import BooleanParameter, JsonParameter, ListParameter
from onnes.procedures.fine_isotherms import FineField
from onnes.procedures.measurement import Setpoint
from onnes.procedures.options import Reference
from onnes.procedures.programs import Pass, Sweep, field_program, passes
from onnes.procedures.setpoint_lists import spread, temperatures_of
from onnes.procedures.symmetrised import symmetrised


@dataclass(frozen=True, slots=True)
class PlannedIsotherm:
    """One isotherm: the number of its first curve, its temperature, K, and its passes."""

    first: int
    kelvin: float
    is_fine: bool
    legs: list[Pass]


class IsothermProgram(CoarseSearch):
    """The parameters of a set of isotherms, and what follows from them without hardware."""

    temperatures: str = JsonParameter("Temperatures", temperatures_of, default=[300.0])
    field_program: str = JsonParameter("Field program", field_program, default={"setpoints_oe": [0.0]})
    both_directions: bool = BooleanParameter("Both directions", default=True)
    order: str = ListParameter("Order", choices=["interleaved", "as_written"], default="interleaved")
    symmetrise: str = ListParameter("Symmetrise", choices=["auto", "true", "false"], default="auto")
    reference: str = JsonParameter("Reference", Reference.from_json, default="{}")
    fine: str = JsonParameter("Fine", FineField.from_json, default="{}")

    _is_fine: bool = False  # whether the isotherm under way is one of them

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if a symmetrised table is asked for of fields that have no partner, or a reference
                where the sample has a history.
        """
        if self.symmetrise == "true" and not self._is_symmetric():
            raise ValueError(
                "Symmetrise is true, but the field program does not go both ways over a range symmetric "
                "about 0 Oe; use auto, or fields from -H to +H with both directions"
            )
        kelvin = Reference.from_json(self.reference).temperature_k
        if kelvin is not None and kelvin < self.path_below_k:
            raise ValueError(
                f"reference.temperature_k = {kelvin:.9g} K is below {self.path_below_k:.9g} K, where a point "
                "hangs on the history of the sample; choose a reference above"
            )

    def legs(self) -> list[Pass]:
        """Return the passes of the isotherm under way, as its program stands: each is a curve."""
        return self.fine_legs() if self._is_fine else self.coarse_legs()

    def coarse_legs(self) -> list[Pass]:
        """Return the passes of the field program: each is a curve of each isotherm."""
        return passes(field_program(self.field_program), both_directions=self.both_directions)

    def fine_legs(self) -> list[Pass]:
        """Return the passes of each finer isotherm."""
        return FineField.from_json(self.fine).passes(self.centre)

    @property
    def is_searched(self) -> bool:
        """Say whether the coarse isotherms have to find their crossing."""
        return FineField.from_json(self.fine).is_searched

    def coarse_curves(self) -> int:
        """Return how many curves the coarse isotherms have."""
        return len(self.coarse_legs()) * len(self._ordered())

    def _ordered(self) -> list[float]:
        written = list(temperatures_of(self.temperatures))
        return written if self.order == "as_written" else written[::2] + written[1::2][::-1]

    def isotherms(self, from_curve: int = 1) -> list[PlannedIsotherm]:
        """Return the isotherms from ``from_curve`` on: all coarse ones, then the finer ones."""
        found: list[PlannedIsotherm] = []
        first = 1
        for is_fine, legs in ((False, self.coarse_legs()), (True, self.fine_legs())):
            for kelvin in self._ordered() if legs else ():
                found.append(PlannedIsotherm(first, kelvin, is_fine, legs))
                first += len(legs)
        return [isotherm for isotherm in found if isotherm.first + len(isotherm.legs) > from_curve]

    def _is_path(self, kelvin: float) -> bool:
        return kelvin < self.path_below_k

    def setpoints(self) -> list[Setpoint]:
        """Return the expanded plan, in the order measured."""
        reference = Reference.from_json(self.reference)
        marks = []
        if reference.temperature_k is not None and reference.field_oe is not None:
            marks = [Setpoint(reference.temperature_k, reference.field_oe, "reference", 0)]
        plan = []
        is_searched = self.is_searched and self.centre is None
        for isotherm in self.isotherms():
            plan += marks
            is_estimated = is_searched and isotherm.is_fine
            for curve, leg in enumerate(isotherm.legs, start=isotherm.first):
                plan += [
                    Setpoint(isotherm.kelvin, field_oe, direction_of(leg), curve, is_estimated)
                    for field_oe in leg.program.targets()
                ]
        return plan + marks

    def _heating_s(self) -> float:
        """Return about how long self-heating is looked for before the first isotherm, s."""
        lowest_k, first_k = min(temperatures_of(self.temperatures)), self._ordered()[0]
        if not self.self_heating_check or lowest_k == first_k:
            return self.heating_s()
        way_s = self.temperature_ramp_s(lowest_k, first_k) + self.temperature_settle_s(lowest_k)
        return way_s + self.heating_s()

    def _reference_s(self, kelvin: float) -> float:
        """Return about how long the reference takes on the way to ``kelvin``, there and back, s."""
        reference = Reference.from_json(self.reference).temperature_k
        if reference is None:
            return 0.0
        way_s = self.temperature_ramp_s(kelvin, reference) + self.temperature_ramp_s(reference, kelvin)
        return way_s + self.temperature_settle_s(reference) + self.point_s()

    def _rest_s(self, curve: int, done: int, last: float) -> float:
        """Return about how long what is left takes from its first setpoint on, s."""
        seconds = self._reference_s(self._ordered()[-1])
        at_k = at_oe = None
        for isotherm in self.isotherms(curve):
            first, kelvin = isotherm.first, isotherm.kelvin
            if curve <= first and not (done and curve == first):
                seconds += self.temperature_settle_s(kelvin) + self._reference_s(kelvin)
                seconds += self.prepare_s(kelvin) if self._is_path(kelvin) else 0.0
            seconds += 0.0 if at_k is None else self.temperature_ramp_s(at_k, kelvin)
            at_k = kelvin
            for number, leg in enumerate(isotherm.legs, start=first):
                if number < curve:
                    continue
                part = leg.program
                is_open = number == curve and done > 0
                if isinstance(part, Sweep):
                    if not is_open:
                        seconds += 0.0 if at_oe is None else self.field_step_s(at_oe, part.start, kelvin)
                    seconds += part.short_by(last) / part.per_s if is_open else part.duration_s
                    at_oe = part.end
                    continue
                for field_oe in part.values[done if is_open else 0 :]:
                    seconds += 0.0 if at_oe is None else self.field_step_s(at_oe, field_oe, kelvin)
                    seconds += self.point_s()
                    at_oe = field_oe
        return seconds

    def label(self) -> str:
        """Return the range of temperatures, for the name of the folder."""
        return spread(temperatures_of(self.temperatures), "K")

    def derived(self, frame: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
        """Return the symmetrised table if the fields have partners: R(+H, rising) with R(-H, falling)."""
        if self.symmetrise == "false" or not self._is_symmetric():
            return {}
        return {"symmetrised": symmetrised(frame)}

    def _is_symmetric(self) -> bool:
        legs = self.coarse_legs()
        rising = {field_oe for leg in legs if leg.rises is True for field_oe in leg.program.ends()}
        falling = {field_oe for leg in legs if leg.rises is False for field_oe in leg.program.ends()}
        return len(rising) > 1 and falling == {-field_oe for field_oe in rising}


def direction_of(leg: Pass) -> str:
    """Return how the field goes in a pass, as a point says it."""
    return "settled" if leg.rises is None else "rising" if leg.rises else "falling"
