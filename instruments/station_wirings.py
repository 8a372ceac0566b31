"""The composites of a station, built from what its file says of each wiring."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from onnes.instruments.conductance import ConductanceMeter
from onnes.instruments.current_voltage import ReversalCurve
from onnes.instruments.drivers import Instrument
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.protocols import CurrentVoltageMeter, ResistanceBridge
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.sourced import Source
from onnes.instruments.station_file import StationFile
from onnes.instruments.susceptometer import Susceptometer
from onnes.instruments.toml_file import one_of
from onnes.instruments.wiring_table import Wiring

Composite = TypeVar("Composite")


class Wirings:
    """What each wiring of a station can measure; every composite is built once.

    Args:
        instruments: the opened ones, by the names of the file.
    """

    def __init__(self, file: StationFile, instruments: Mapping[str, Instrument]) -> None:
        self._file = file
        self._instruments = instruments
        self._built: dict[tuple[str, str], Any] = {}

    def bridge(self, wiring: str, method: str = "") -> ResistanceBridge:
        """Return the resistance bridge of ``wiring``; always the same one.

        Args:
            method: default the wiring's own.

        Raises:
            ConfigurationError: if the station has no such wiring, or that cannot measure by this method.
        """
        entry = self._entry(wiring, "resistance", "a resistance")
        if method not in ("", entry.method):
            raise ConfigurationError(
                f"{self._file.path}: wiring {wiring!r} measures by {entry.method!r}, not by {method!r}"
            )
        return self._once(wiring, "bridge", lambda: self._bridge(entry))

    def current_voltage(self, wiring: str) -> CurrentVoltageMeter:
        """Return what measures V(I) of ``wiring``: its nanovoltmeter, or the one that reads its bias.

        Raises:
            ConfigurationError: if the station has no such wiring, or that has no nanovoltmeter with an
                address.
        """
        entry = self._entry(wiring, None, "V(I)")
        meter = entry.meter if entry.method == "reversal" else entry.bias_meter
        if meter is None:
            raise self._cannot(wiring, entry, "V(I)", "that takes a nanovoltmeter with its own address")
        return self._once(wiring, "current_voltage", lambda: self._reversal(ReversalCurve, entry, meter))

    def conductance_meter(self, wiring: str) -> ConductanceMeter:
        """Return what measures dI/dV of ``wiring``; always the same one.

        Raises:
            ConfigurationError: if the station has no such wiring, or that measures something else.
        """
        entry = self._entry(wiring, "conductance", "a conductance")
        return self._once(wiring, "conductance", lambda: self._conductance(entry))

    def susceptometer(self, wiring: str) -> Susceptometer:
        """Return what measures the alternating moment of the sample of ``wiring``; always the same one.

        Raises:
            ConfigurationError: if the station has no such wiring, or that measures something else.
        """
        entry = self._entry(wiring, "susceptibility", "a susceptibility")
        return self._once(wiring, "susceptometer", lambda: self._susceptometer(entry))

    def forget_start(self, instrument: Instrument) -> None:
        """Take the currents of ``instrument`` for off: somebody else made it safe."""
        for composite in self._built.values():
            # by the link: what turns the sine of a lock-in into a current is no instrument, but has its link
            if composite.source.link is instrument.link:
                composite.forget_start()

    def _once(self, wiring: str, kind: str, build: Callable[[], Composite]) -> Composite:
        key = (wiring, kind)
        if key not in self._built:
            self._built[key] = build()
        return cast(Composite, self._built[key])

    def _entry(self, wiring: str, measures: str | None, what: str) -> Wiring:
        known = self._file.wiring
        entry = known.get(wiring)
        if entry is None:
            raise ConfigurationError(f"{self._file.path}: no wiring {wiring!r}{one_of(wiring, known)}")
        if measures not in (None, entry.measures):
            raise self._cannot(wiring, entry, what, f"its table says measures = {entry.measures!r}")
        return entry

    def _cannot(self, wiring: str, entry: Wiring, what: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._file.path}: wiring {wiring!r} (method {entry.method!r}) cannot measure {what}: {why}"
        )

    def _bridge(self, entry: Wiring) -> ResistanceBridge:
        return self._reversal(ReversalBridge, entry, entry.meter)

    def _reversal(self, kind: Callable[..., Composite], entry: Wiring, meter: str) -> Composite:
        drive = entry.drive
        return kind(
            cast(Source, self._instruments[entry.source]),
            cast(Keithley2182A, self._instruments[meter]),
            compliance_v=drive.compliance_v,
            ramp_a_per_s=drive.ramp_a_per_s,
            abort_ramp_a_per_s=drive.abort_ramp_a_per_s,
        )

    def _conductance(self, entry: Wiring) -> ConductanceMeter:
        raise ConfigurationError(f"method = {entry.method!r} for a conductance cannot be built yet")

    def _susceptometer(self, entry: Wiring) -> Susceptometer:
        raise ConfigurationError(f"method = {entry.method!r} for a susceptibility cannot be built yet")
