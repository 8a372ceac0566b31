"""The composites of a station, built from what its file says of each wiring."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, cast

from onnes.instruments.conductance import ConductanceMeter
from onnes.instruments.current_voltage import ReversalCurve
from onnes.instruments.delta_bridge import DeltaBridge
from onnes.instruments.differential_conductance import DifferentialConductance
from onnes.instruments.drivers import Instrument
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.limits import Limits
from onnes.instruments.lock_in_bridge import LockInBridge
from onnes.instruments.lock_in_conductance import LockInConductance
from onnes.instruments.mutual_inductance import MutualInductance
from onnes.instruments.protocols import CurrentVoltageMeter, ResistanceBridge
from onnes.instruments.relay import RelayedKeithley2182A
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.sourced import Source
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.station_file import StationFile
from onnes.instruments.susceptometer import AcLimits, Susceptometer
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

        The instruments of a conductance measure a resistance as well, as a check of its contacts does: by the
        lock-in, or by the hardware delta mode.

        Args:
            method: default the wiring's own.

        Raises:
            ConfigurationError: if the station has no such wiring, or that cannot measure by this method.
        """
        entry = self._entry(wiring, ("resistance", "conductance"), "a resistance")
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
        entry = self._entry(wiring, (), "V(I)")
        meter = entry.meter if entry.method == "reversal" else entry.bias_meter
        if meter is None:
            raise self._cannot(wiring, entry, "V(I)", "that takes a nanovoltmeter with its own address")
        return self._once(wiring, "current_voltage", lambda: self._reversal(ReversalCurve, entry, meter))

    def conductance_meter(self, wiring: str) -> ConductanceMeter:
        """Return what measures dI/dV of ``wiring``; always the same one.

        Raises:
            ConfigurationError: if the station has no such wiring, or that measures something else.
        """
        entry = self._entry(wiring, ("conductance",), "a conductance")
        return self._once(wiring, "conductance", lambda: self._conductance(entry))

    def susceptometer(self, wiring: str) -> Susceptometer:
        """Return what measures the alternating moment of the sample of ``wiring``; always the same one.

        Raises:
            ConfigurationError: if the station has no such wiring, or that measures something else.
        """
        entry = self._entry(wiring, ("susceptibility",), "a susceptibility")
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

    def _entry(self, wiring: str, measures: tuple[str, ...], what: str) -> Wiring:
        known = self._file.wiring
        entry = known.get(wiring)
        if entry is None:
            raise ConfigurationError(f"{self._file.path}: no wiring {wiring!r}{one_of(wiring, known)}")
        if measures and entry.measures not in measures:
            raise self._cannot(wiring, entry, what, f"its table says measures = {entry.measures!r}")
        return entry

    def _cannot(self, wiring: str, entry: Wiring, what: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._file.path}: wiring {wiring!r} (method {entry.method!r}) cannot measure {what}: {why}"
        )

    def _bridge(self, entry: Wiring) -> ResistanceBridge:
        if entry.method in ("delta", "differential"):
            return DeltaBridge(self._k6221(entry), self._relayed(entry), **_driven(entry))
        if entry.method == "lock_in":
            source = cast(Keithley6221 | StanfordLockIn, self._instruments[entry.source])
            series_ohm = None if entry.series is None else float(entry.series)
            return LockInBridge(source, self._lock_in(entry), **_driven(entry), series_ohm=series_ohm)
        return self._reversal(ReversalBridge, entry, entry.meter)

    def _conductance(self, entry: Wiring) -> ConductanceMeter:
        if entry.method == "differential":
            return DifferentialConductance(self._k6221(entry), self._relayed(entry), **_driven(entry))
        bias_meter = None if entry.bias_meter is None else self._instruments[entry.bias_meter]
        return LockInConductance(
            self._k6221(entry),
            self._lock_in(entry),
            cast(Keithley2182A | None, bias_meter),
            **_driven(entry),
        )

    def _susceptometer(self, entry: Wiring) -> Susceptometer:
        coil = entry.coil
        return MutualInductance(
            self._lock_in(entry),
            series_ohm=coil.series_ohm,
            field_oe_per_a=coil.field_oe_per_a,
            pickup_v_per_hz_emu=coil.pickup_v_per_hz_emu,
            limits=AcLimits(
                Limits(*coil.amplitude_oe, "Oe", self._file.path.name),
                Limits(*coil.frequency_hz, "Hz", self._file.path.name),
            ),
        )

    def _reversal(self, kind: Callable[..., Composite], entry: Wiring, meter: str) -> Composite:
        source = cast(Source, self._instruments[entry.source])
        return kind(source, cast(Keithley2182A, self._instruments[meter]), **_driven(entry))

    def _k6221(self, entry: Wiring) -> Keithley6221:
        return cast(Keithley6221, self._instruments[entry.source])

    def _relayed(self, entry: Wiring) -> RelayedKeithley2182A:
        return cast(RelayedKeithley2182A, self._instruments[entry.meter])

    def _lock_in(self, entry: Wiring) -> StanfordLockIn:
        return cast(StanfordLockIn, self._instruments[entry.meter])


class _Driven(TypedDict):
    compliance_v: float
    ramp_a_per_s: float
    abort_ramp_a_per_s: float | None


def _driven(entry: Wiring) -> _Driven:
    drive = entry.drive
    return _Driven(
        compliance_v=drive.compliance_v,
        ramp_a_per_s=drive.ramp_a_per_s,
        abort_ramp_a_per_s=drive.abort_ramp_a_per_s,
    )
