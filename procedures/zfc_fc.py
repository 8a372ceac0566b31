"""Moment against temperature in a fixed field: cooled without it, then in it."""

import json
from itertools import pairwise
from typing import ClassVar, Literal, get_args

from onnes.procedures.experiment import JsonParameter
from onnes.procedures.moment_measurement import MomentCurve, MomentMeasurement
from onnes.procedures.moment_preparation import cool, take_field_away, warm
from onnes.procedures.moment_steps import MomentSteps
from onnes.procedures.residual_field import Gate, gate
from onnes.procedures.setpoint_lists import fields_of, listed, spread, temperatures_of

Branch = Literal["zfc", "fcc", "fcw"]

_AFTER_FIELD_S = 60.0  # without overshoot the field creeps in for about a minute (a)


def _curves(text: str) -> tuple[Branch, ...]:
    asked = json.loads(text)
    known = get_args(Branch)
    if not isinstance(asked, list) or not asked or asked != [name for name in known if name in asked]:
        raise ValueError(f"curves is {text}; expected some of {', '.join(known)}, each once, in this order")
    return tuple(asked)


class ZfcFc(MomentMeasurement):
    """M(T) at one field after the other: ZFC warming, FCC cooling, FCW warming, on the same temperatures.

    ZFC: warmed above the transition, degaussed, cooled in no field - where the residual field is known and
    corrected, in minus that - and only then is the field set. FCC: warmed above the transition in the field.
    FCW without FCC: cooled in the field without measuring. Where FCC or FCW is the first curve, the magnet is
    degaussed above the transition and the field set there.

    The field never changes while the temperature does, so the transition is only crossed in a field at rest.
    """

    kind: ClassVar[str] = "zfc-fc"

    fields_oe: str = JsonParameter("Fields", fields_of, default=[5000.0])
    temperatures: str = JsonParameter("Temperatures", temperatures_of, default=[5.0])
    curves: str = JsonParameter("Curves", _curves, default=["zfc", "fcc"])

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the temperatures do not rise, a field is too small for the residual field, or as
                :meth:`MomentMeasurement.check`.
        """
        for before, kelvin in pairwise(temperatures_of(self.temperatures)):
            if not kelvin > before:
                raise ValueError(
                    f"temperatures has {kelvin:.9g} K after {before:.9g} K; list them upward: ZFC and FCW "
                    "are measured warming, FCC takes them downward by itself"
                )
        super().check()

    def gates(self) -> list[Gate]:
        """Return the measuring fields that the residual field lets through: all of them.

        Raises:
            ValueError: if it does not let one through.
        """
        return [gate(self.known_residual(), field_oe) for field_oe in fields_of(self.fields_oe)]

    def planned(self) -> list[MomentCurve]:
        """Return all curves in the order measured: those of the first field, then those of the next."""
        rising = temperatures_of(self.temperatures)
        branches = _curves(self.curves)
        found: list[MomentCurve] = []
        for field_oe in fields_of(self.fields_oe):
            for branch in branches:
                number = len(found) + 1
                kelvins = rising[::-1] if branch == "fcc" else rising
                found.append(
                    MomentCurve(
                        branch=branch,
                        direction="cooling" if branch == "fcc" else "warming",
                        name=f"{branch.upper()} {field_oe:.9g} Oe",
                        at=tuple((kelvin, field_oe) for kelvin in kelvins),
                        again=number - 1 if branch == "fcw" and "fcc" in branches else number,
                        how=self._how(is_first=branch == branches[0]),
                    )
                )
        return found

    def _how(self, *, is_first: bool) -> str:
        warm_to = f"{self.recipe().warm_to_k:.9g} K"
        if is_first:
            return f"prepared from {warm_to} and measured from the start"
        return f"warmed to {warm_to} in the field, cooled and measured from the start"

    def _come_to(self, steps: MomentSteps, curve: MomentCurve) -> None:
        branches = _curves(self.curves)
        residual, recipe = self.known_residual(), self.recipe()
        (coldest_k, *_), field_oe = temperatures_of(self.temperatures), curve.at[0][1]
        if curve.branch == branches[0]:
            take_field_away(steps, recipe, residual.setpoint_oe(0.0))
        elif curve.branch == "fcw" and "fcc" in branches:
            return  # it goes on from where FCC has ended
        else:
            warm(steps, recipe)
        if curve.branch == "zfc":
            cool(steps, recipe, coldest_k)
        steps.to_field(residual.setpoint_oe(field_oe), self.field_wait_s(field_oe, _AFTER_FIELD_S))
        if curve.branch == "fcw":
            cool(steps, recipe, coldest_k)

    def title(self) -> str:
        """Return what is measured, in words for a person, without a comma."""
        rising = temperatures_of(self.temperatures)
        branches = " ".join(name.upper() for name in _curves(self.curves))
        fields = listed(fields_of(self.fields_oe))
        return f"{branches} at {fields} Oe from {rising[0]:.9g} to {rising[-1]:.9g} K"

    def label(self) -> str:
        """Return the range of fields, for the name of the folder."""
        return spread(fields_of(self.fields_oe), "Oe")
