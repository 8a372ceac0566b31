"""What virgin curve and loop share: fields from 0 up at several temperatures, each from a fresh history."""

from itertools import pairwise

from onnes.procedures.experiment import JsonParameter
from onnes.procedures.moment_measurement import MomentCurve, MomentMeasurement
from onnes.procedures.moment_preparation import cool, take_field_away
from onnes.procedures.moment_steps import MomentSteps
from onnes.procedures.residual_field import Gate, gate
from onnes.procedures.setpoint_lists import fields_of, spread, temperatures_of


class Magnetization(MomentMeasurement):
    """M(H) at several temperatures: each is warmed above the transition, degaussed and cooled in no field.

    The residual field is gated on the first field above 0: the slope there is what the Meissner state is
    known by, and a film in a residual field of that size has left it before the first point. Larger fields
    stand it all the better.
    """

    temperatures: str = JsonParameter("Temperatures", temperatures_of, default=[5.0])
    fields_oe: str = JsonParameter("Fields", fields_of, default=[0.0, 5000.0])

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the fields do not rise from 0, the first is too small for the residual field, or as
                :meth:`MomentMeasurement.check`.
        """
        fields = fields_of(self.fields_oe)
        if fields[0] != 0 or len(fields) < 2:
            raise ValueError(
                f"fields_oe has {len(fields)} fields from {fields[0]:.9g} Oe; list at least two, from 0 Oe, "
                "where the sample is cooled, upward"
            )
        for before, field_oe in pairwise(fields):
            if not field_oe > before:
                raise ValueError(
                    f"fields_oe has {field_oe:.9g} Oe after {before:.9g} Oe; list them upward: a loop takes "
                    "them back by itself"
                )
        super().check()

    def gates(self) -> list[Gate]:
        """Return what the residual field lets through: the first field above 0.

        Raises:
            ValueError: if it does not let that through.
        """
        return [gate(self.known_residual(), fields_of(self.fields_oe)[1])]

    def legs(self) -> list[tuple[str, str, tuple[float, ...]]]:
        """Return branch, direction and fields, Oe, of each curve at one temperature, in order."""
        raise NotImplementedError

    def planned(self) -> list[MomentCurve]:
        """Return all curves in the order measured: those of the first temperature, then of the next."""
        legs = self.legs()
        found: list[MomentCurve] = []
        for kelvin in temperatures_of(self.temperatures):
            first = len(found) + 1
            found += [
                MomentCurve(
                    branch=branch,
                    direction=direction,
                    name=f"{branch} {kelvin:.9g} K",
                    at=tuple((kelvin, field_oe) for field_oe in fields),
                    again=first,
                    how=f"prepared from {self.recipe().warm_to_k:.9g} K and measured from the start",
                )
                for branch, direction, fields in legs
            ]
        return found

    def _come_to(self, steps: MomentSteps, curve: MomentCurve) -> None:
        kelvin = curve.at[0][0]
        if curve.branch == "virgin":
            take_field_away(steps, self.recipe(), self.known_residual().setpoint_oe(0.0))
            cool(steps, self.recipe(), kelvin)

    def label(self) -> str:
        """Return the range of temperatures, for the name of the folder."""
        return spread(temperatures_of(self.temperatures), "K")
