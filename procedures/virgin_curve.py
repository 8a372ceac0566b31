"""Moment against field from a virgin state: what Hc1 and the shielded volume are read from."""

from typing import ClassVar

from onnes.procedures.magnetization import Magnetization
from onnes.procedures.setpoint_lists import fields_of, listed, temperatures_of


class VirginCurve(Magnetization):
    """M(H) from 0 up, at each temperature from a fresh history."""

    kind: ClassVar[str] = "magnetization-virgin"

    def legs(self) -> list[tuple[str, str, tuple[float, ...]]]:
        """Return branch, direction and fields, Oe, of each curve at one temperature, in order."""
        return [("virgin", "rising", fields_of(self.fields_oe))]

    def title(self) -> str:
        """Return what is measured, in words for a person, without a comma."""
        kelvins = listed(temperatures_of(self.temperatures))
        return f"virgin curves up to {fields_of(self.fields_oe)[-1]:.9g} Oe at {kelvins} K"
