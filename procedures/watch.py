"""What a procedure asks of a station, and one pair of eyes on its temperature and field."""

from typing import Protocol

from onnes.instruments.conductance import ConductanceMeter
from onnes.instruments.limits import Limits
from onnes.instruments.moments import Magnetometer
from onnes.instruments.protocols import CurrentVoltageMeter, Magnet, Reading, ResistanceBridge, Thermostat
from onnes.instruments.susceptometer import Susceptometer
from onnes.procedures.settling import Track


class SetpointLimits(Protocol):
    """The narrowest ranges of instrument and station; the field's are None where there is no magnet."""

    @property
    def temperature(self) -> Limits:
        """Return the allowed temperatures, K."""

    @property
    def temperature_rate(self) -> Limits:
        """Return the allowed rates, K/min."""

    @property
    def field(self) -> Limits | None:
        """Return the allowed fields, Oe."""

    @property
    def field_rate(self) -> Limits | None:
        """Return the allowed rates, Oe/s."""


class MeasuringStation(Protocol):
    """Perhaps a thermostat and a magnet, bridges by the name of the wiring, magnetometers by their own."""

    @property
    def thermostat(self) -> Thermostat | None:
        """Return what regulates the temperature, None where it cannot be set from here."""

    @property
    def magnet(self) -> Magnet | None:
        """Return what regulates the field, None where there is nothing."""

    def bridge(self, wiring: str, method: str = "") -> ResistanceBridge:
        """Return what measures the resistance of ``wiring``, by its own method or another that it can."""

    def current_voltage(self, wiring: str) -> CurrentVoltageMeter:
        """Return what measures V(I) of ``wiring``."""

    def conductance_meter(self, wiring: str) -> ConductanceMeter:
        """Return what measures dI/dV of ``wiring``."""

    def susceptometer(self, wiring: str) -> Susceptometer:
        """Return what measures the alternating moment of the sample of ``wiring``, point by point."""

    def magnetometer(self, name: str = "") -> Magnetometer:
        """Return the magnetometer of that name; without one, the station's."""

    def snapshot(self) -> tuple[Reading, Reading | None]:
        """Read temperature and field, in one transaction where one instrument is both."""

    def limits(self) -> SetpointLimits:
        """Return the allowed setpoints and rates."""


class Waits(Protocol):
    """Says what a measurement under way waits for."""

    def waiting(self) -> str:
        """Return it in words; ``""`` if it waits for nothing."""


class Watch:
    """Every reading of temperature and field goes through here, so that each can be judged on its history."""

    def __init__(self, station: MeasuringStation) -> None:
        self.temperature = Track("temperature", "K", carried=5)
        self.field = Track("field", "Oe")
        self._station = station

    def waiting(self) -> str:
        """Return what is waited for just now, with the last reading; ``""`` if for nothing."""
        for track in (self.temperature, self.field):
            if track.waiting_for is not None:
                last = track.last
                now = "" if last is None else f", now {last.value:.5g} {track.unit}, {last.state}"
                return f"waiting for {track.name} {track.waiting_for:.9g} {track.unit}{now}"
        return ""

    def snapshot(self) -> tuple[Reading, Reading | None]:
        """Read temperature and field and remember them.

        Raises:
            InstrumentFault: in a fault state, or if a state has been unknown for 10 s.
        """
        readings = self._station.snapshot()
        self.temperature.add(readings[0])
        if readings[1] is not None:
            self.field.add(readings[1])
        return readings
