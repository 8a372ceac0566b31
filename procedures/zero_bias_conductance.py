"""dI/dV of a contact at zero bias against temperature, at several fields."""

from collections.abc import Iterator
from typing import ClassVar

from onnes.instruments.clock import Clock
from onnes.instruments.conductance import Conductance
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.conductance_session import ConductanceSession
from onnes.procedures.contact_measurement import ContactMeasurement
from onnes.procedures.programs import Pass, Steps, temperature_program
from onnes.procedures.temperature_curves import REFERENCE, CurveSession, TemperatureCurve, TemperatureCurves
from onnes.procedures.watch import MeasuringStation


class ZeroBiasConductance(ContactMeasurement, TemperatureCurves):
    """dI/dV at zero bias against temperature, settled or swept, at one field after the other.

    The reference at ``normal_at_k`` is one point before the curves of each field.
    """

    kind: ClassVar[str] = "conductance-temperature"

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the reference is below a temperature of the program.
        """
        hottest_k = max(temperature_program(self.temperature_program).ends())
        if self.normal_at_k and not self.normal_at_k >= hottest_k:
            raise ValueError(
                f"Normal at = {self.normal_at_k:.9g} K is below {hottest_k:.9g} K, the highest temperature "
                "of the program; the reference is taken above the transition"
            )

    def legs(self) -> list[tuple[str, Pass]]:
        """Return branch and pass of each curve of one field: the reference first, if there is one."""
        curves = [("zero_bias", leg) for leg in self.passes()]
        reference = [(REFERENCE, Pass(Steps((self.normal_at_k,)), None))] if self.normal_at_k else []
        return reference + curves

    def _session(self, station: MeasuringStation, clock: Clock) -> "_ZeroBiasSession":
        return _ZeroBiasSession(self, station, clock)


class _ZeroBiasSession(ConductanceSession, CurveSession):
    """Takes one point a temperature."""

    def take_at(
        self,
        number: int,
        curve: TemperatureCurve,
        kelvin: float,
        taken: int = 0,  # noqa: ARG002 - one point is all
    ) -> Iterator[ConductancePoint]:
        yield from self.take(
            self._at_zero,
            0.0,
            branch=curve.branch,
            curve=number,
            direction=curve.direction,
            kelvin=kelvin,
            field_oe=curve.field_oe,
        )

    def _at_zero(self) -> Conductance:
        (found,) = self.meter.curve((0.0,))
        return found
