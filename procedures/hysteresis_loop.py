"""Moment against field round a loop: what the critical current is read from."""

from typing import ClassVar

from onnes.procedures.experiment import IntegerParameter
from onnes.procedures.magnetization import Magnetization
from onnes.procedures.moment_measurement import MomentCurve
from onnes.procedures.residual_field import Residual
from onnes.procedures.setpoint_lists import fields_of, listed, temperatures_of


class HysteresisLoop(Magnetization):
    """M(H) from 0 to +H, 0, -H, 0 and +H again, at each temperature from a fresh history.

    Each quarter is a curve; a field where it turns is measured once. The residual field is that after the
    preparation: it is corrected on the way up from 0, while later the magnet keeps what the loop has left in
    it, which nobody knows. Whether the loop is wide enough is for the analysis to say.
    """

    kind: ClassVar[str] = "magnetization-loop"

    quadrants: int = IntegerParameter("Quadrants", minimum=1, maximum=5, default=5)

    def legs(self) -> list[tuple[str, str, tuple[float, ...]]]:
        """Return branch, direction and fields, Oe, of each curve at one temperature, in order."""
        up = fields_of(self.fields_oe)
        back = up[-2::-1]
        legs = [
            ("virgin", "rising", up),
            ("down", "falling", back),
            ("down", "falling", tuple(-field_oe for field_oe in up[1:])),
            ("up", "rising", tuple(0.0 - field_oe for field_oe in back)),  # no -0.0
            ("up", "rising", up[1:]),
        ]
        return legs[: self.quadrants]

    def _residual_of(self, curve: MomentCurve) -> Residual | None:
        return self.known_residual() if curve.branch == "virgin" else None

    def title(self) -> str:
        """Return what is measured, in words for a person, without a comma."""
        kelvins = listed(temperatures_of(self.temperatures))
        high = fields_of(self.fields_oe)[-1]
        return f"loops of {self.quadrants} quarters between -{high:.9g} and {high:.9g} Oe at {kelvins} K"
