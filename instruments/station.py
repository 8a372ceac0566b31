"""The station: which instruments are there, opened together, held together, made safe and closed together."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from onnes.instruments.clock import Clock
from onnes.instruments.conductance import ConductanceMeter
from onnes.instruments.drivers import Instrument
from onnes.instruments.errors import ConfigurationError, OnnesError, or_error
from onnes.instruments.limits import Limits
from onnes.instruments.link import Retry
from onnes.instruments.moments import Magnetometer
from onnes.instruments.mpms import Mpms
from onnes.instruments.ppms import PPMS
from onnes.instruments.protocols import (
    Chamber,
    Cryostat,
    CurrentVoltageMeter,
    HeliumGauge,
    HeliumLevel,
    Magnet,
    Reading,
    ResistanceBridge,
    SealedCryostat,
    Thermostat,
)
from onnes.instruments.safe_state import SafeStep, close_all, made_safe
from onnes.instruments.sourced import Source
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.station_file import StationFile
from onnes.instruments.station_readings import ForeignSetpoint, StationReadings
from onnes.instruments.station_wirings import Wirings
from onnes.instruments.susceptometer import Susceptometer
from onnes.instruments.toml_file import one_of

# The level falls by about 1 % in an hour at most, and a reply costs the bus as much as a temperature (a).
_HELIUM_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class StationLimits:
    """The narrowest of what instruments and station file allow; of the field None where nothing sets it.

    Where only the sequences of a magnetometer set temperature and field, what those may set.
    """

    temperature: Limits
    temperature_rate: Limits
    field: Limits | None
    field_rate: Limits | None


class Station:
    """The opened instruments of a station file. One thread owns it.

    Args:
        instruments: by the names of the file, in the order of opening.
        provenance: what the VISA library really is.
    """

    def __init__(
        self,
        file: StationFile,
        clock: Clock,
        instruments: Mapping[str, Instrument],
        provenance: Mapping[str, Any],
    ) -> None:
        self.file = file
        self.provenance = provenance
        self._clock = clock
        self._instruments = instruments
        roles = file.roles
        self.thermostat = cast(Thermostat | None, instruments.get(roles.thermostat or ""))
        self.magnet = cast(Magnet | None, instruments.get(roles.magnet or ""))
        self.chamber = cast(Chamber | None, instruments.get(roles.chamber or ""))
        self.helium_gauge = cast(HeliumGauge | None, instruments.get(roles.helium_gauge or ""))
        one_does_both = roles.thermostat == roles.magnet
        self._both = cast(Cryostat | None, self.thermostat) if one_does_both else None
        is_sealed = one_does_both and roles.thermostat == roles.chamber
        self._sealed = cast(SealedCryostat | None, self.thermostat) if is_sealed else None
        self._magnetometers = {
            name: instrument for name, instrument in instruments.items() if isinstance(instrument, Mpms)
        }
        self._links = {name: link for name, one in instruments.items() if (link := one.link) is not None}
        self._sources = {
            name: cast(Source, instrument)
            for name, instrument in instruments.items()
            if "current_source" in file.instruments[name].can_be
        }
        self._lock_ins = {n: one for n, one in instruments.items() if isinstance(one, StanfordLockIn)}
        self._wirings = Wirings(file, instruments)
        self.last: tuple[Reading, Reading | None] | None = None  # what the last snapshot found
        self._helium: HeliumLevel | OnnesError | None = None
        self._helium_time = math.nan

    def bridge(self, wiring: str, method: str = "") -> ResistanceBridge:
        """Return the resistance bridge of ``wiring``; see :meth:`Wirings.bridge`."""
        return self._wirings.bridge(wiring, method)

    def current_voltage(self, wiring: str) -> CurrentVoltageMeter:
        """Return what measures V(I) of ``wiring``; see :meth:`Wirings.current_voltage`."""
        return self._wirings.current_voltage(wiring)

    def conductance_meter(self, wiring: str) -> ConductanceMeter:
        """Return what measures dI/dV of ``wiring``; see :meth:`Wirings.conductance_meter`."""
        return self._wirings.conductance_meter(wiring)

    def susceptometer(self, wiring: str) -> Susceptometer:
        """Return what measures the alternating moment of ``wiring``; see :meth:`Wirings.susceptometer`."""
        return self._wirings.susceptometer(wiring)

    @property
    def masters(self) -> tuple[str, ...]:
        """Return the sequences of MultiVu that may be setting temperature and field just now."""
        return tuple(name for machine in self._magnetometers.values() for name in machine.masters)

    def magnetometer(self, name: str = "") -> Magnetometer:
        """Return the magnetometer of that name; default the one that ``[roles]`` names.

        Raises:
            ConfigurationError: if the station has none, or no such one.
        """
        known = self._magnetometers
        wanted = name or self.file.roles.magnetometer
        if wanted in known:
            return known[wanted]
        if wanted is None or not known:
            raise ConfigurationError(
                f"{self.file.path}: the station has no magnetometer; name one under [roles]"
            )
        raise ConfigurationError(f"{self.file.path}: no magnetometer {wanted!r}{one_of(wanted, known)}")

    def snapshot(self) -> tuple[Reading, Reading | None]:
        """Read temperature and field; in one transaction where one instrument is both.

        Raises:
            ConfigurationError: if the station has no thermostat.
            InstrumentFault: in a fault state.
            CommunicationError: if an instrument gives no usable answer.
        """
        found: tuple[Reading, Reading | None]
        if self._both is not None:
            found = self._both.snapshot()
        elif self.thermostat is None:
            raise ConfigurationError(
                f"{self.file.path}: the station has no thermostat; its temperature cannot be read"
            )
        else:
            found = self.thermostat.temperature(), self.magnet.field() if self.magnet else None
        self.last = found
        return found

    def limits(self) -> StationLimits:
        """Return the narrowest of what the instruments and the station file allow."""
        thermostat, magnet = self.thermostat, self.magnet
        if thermostat is None:  # its magnetometer's sequences set temperature and field
            of_machine = self._magnetometers[self.file.roles.magnetometer or ""].limits
            return StationLimits(
                of_machine.temperature,
                of_machine.temperature_rate,
                of_machine.field,
                of_machine.field_rate,
            )
        table, narrowed = self.file.limits, self.file.narrowed
        return StationLimits(
            temperature=narrowed(thermostat.temperature_limits, *(table.temperature or (None, None))),
            temperature_rate=narrowed(thermostat.temperature_rate_limits, None, table.temperature_rate),
            field=narrowed(magnet.field_limits, *(table.field or (None, None))) if magnet else None,
            field_rate=narrowed(magnet.field_rate_limits, None, table.field_rate) if magnet else None,
        )

    def retries(self) -> list[Retry]:
        """Return the questions that were asked again since the last call, in order of time."""
        found: list[Retry] = []
        for link in self._links.values():
            found += link.retries
            link.retries.clear()
        return sorted(found, key=lambda retry: retry.time)

    def link_ages(self) -> dict[str, float]:
        """Return how long ago each instrument gave its last usable answer, s; at first since its opening."""
        now = self._clock.now()
        return {name: now - link.last_answer for name, link in self._links.items()}

    def hurry(self, hurried: Callable[[], bool]) -> None:
        """Let instruments that do not answer keep nobody waiting while ``hurried`` says so."""
        for link in self._links.values():
            link.hurried = hurried

    def silent(self) -> dict[str, str]:
        """Ask every instrument a question that changes nothing; return {who does not answer: why}.

        Of a magnetometer the folders of its MultiVu have to be there, too.
        A resource is opened anew where it must be. One that stays silent is asked less and less often, at
        last every 30 s; between, what it was silent for is told again.
        """
        asked = {name: link.probe(self._instruments[name].answer) for name, link in self._links.items()}
        away = {name: machine.folders_away() for name, machine in self._magnetometers.items()}
        return {name: why for name, why in [*asked.items(), *away.items()] if why}

    def look(self) -> StationReadings:
        """Read everything around the sample, each part guarded by itself; never raises for an instrument.

        Costs one transaction for temperature, field and chamber where one instrument is all of them, one for
        each setpoint and each source, two for each lock-in, and one a minute for the helium level.
        """
        temperature, field, chamber = self._look_around()
        thermostat, magnet, now = self.thermostat, self.magnet, self._clock.now()
        temperature_setpoint = or_error(thermostat.temperature_setpoint) if thermostat else None
        field_setpoint = or_error(magnet.field_setpoint) if magnet else None
        return StationReadings(
            time=now,
            temperature=temperature,
            temperature_setpoint=temperature_setpoint,
            field=field,
            field_setpoint=field_setpoint,
            chamber=chamber,
            helium=self._helium_level(),
            helium_time=self._helium_time,
            lock_ins={name: or_error(partial(_flags, one)) for name, one in self._lock_ins.items()},
            sources_on={name: or_error(partial(_is_on, source)) for name, source in self._sources.items()},
            link_ages=self.link_ages(),
            silent={
                name: self._clock.now() - link.silent_since
                for name, link in self._links.items()
                if link.silent_since is not None
            },
            foreign=self._foreign(temperature_setpoint, field_setpoint),
        )

    def measure_helium_level(self) -> None:
        """Have the level measured now, which takes about 10 s and costs helium; the next look finds it."""
        if self.helium_gauge is not None:
            self._helium, self._helium_time = (
                or_error(self.helium_gauge.refresh_helium_level),
                self._clock.now(),
            )

    def foreign_setpoints(self) -> list[ForeignSetpoint]:
        """Read the setpoints back; return those that differ from what was set here and confirmed last.

        A setpoint that nobody set here, or that could not be confirmed, is compared with nothing.

        Raises:
            CommunicationError: if a setpoint cannot be read.
        """
        thermostat, magnet = self.thermostat, self.magnet
        # An MPMS3 does not tell where a field goes that nobody here set.
        has_set = magnet is not None and magnet.confirmed_field() is not None
        return list(
            self._foreign(
                thermostat.temperature_setpoint() if thermostat else None,
                magnet.field_setpoint() if magnet is not None and has_set else None,
            )
        )

    def accept_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""
        if self.thermostat is not None:
            self.thermostat.forget_setpoints()
        if self.magnet is not None:
            self.magnet.forget_setpoints()

    def stop_sources(self, *, abort: bool = False) -> list[SafeStep]:
        """Ramp every source to 0 and switch it off, and take every sine that drives a wiring down.

        Never raises.
        """
        driving = {*self._sources, *(wiring.source for wiring in self.file.wiring.values())}
        return [self._made_safe(name, abort=abort) for name in self._safe_order() if name in driving]

    def accept_stopped(self) -> None:
        """Count no sequence of MultiVu as one that may go on: a person has looked there and stopped it."""
        for machine in self._magnetometers.values():
            machine.accept_stopped()

    def accept_restart(self) -> None:
        """Go on with controllers that were restarted: a person has looked, and what is set there counts."""
        self.accept_setpoints()
        for instrument in self._instruments.values():
            if isinstance(instrument, PPMS):
                instrument.accept_restart()

    def hold(self, temperature: bool = False, only: Collection[str] | None = None) -> list[SafeStep]:
        """Ramp sources to 0 and off and hold the field where it is; never raises.

        The temperature setpoint is left; with ``temperature`` a ramp is stopped where it is. Nothing is sent
        to a part in a fault state. The order and the guards are those of :meth:`safe_state`.

        Args:
            only: the instruments that were not confirmed before; default all.
        """
        return [
            self._made_safe(name, temperature=temperature)
            for name in self._safe_order()
            if only is None or name in only
        ]

    def safe_state(self, *, abort: bool = False, only: Collection[str] | None = None) -> list[SafeStep]:
        """Bring every instrument into its safe state, the last opened first; never raises.

        Sources ramp to 0 (on an abort with the wiring's ``abort_ramp``) and switch off; the field is held
        where it is, the temperature setpoint left. Each step is guarded by itself and read back.

        Args:
            only: the instruments that were not confirmed before; default all.
        """
        return [
            self._made_safe(name, abort=abort) for name in self._safe_order() if only is None or name in only
        ]

    def close(self) -> None:
        """Close all connections together; a second call does nothing."""
        close_all(self._instruments)

    def _safe_order(self) -> list[str]:
        given = [name for name in self.file.safe_state if name in self._instruments]
        return given + [name for name in reversed(list(self._instruments)) if name not in given]

    def _made_safe(self, name: str, *, abort: bool = False, temperature: bool = False) -> SafeStep:
        self._wirings.forget_start(self._instruments[name])
        return made_safe(self.file, name, self._instruments[name], abort=abort, temperature=temperature)

    def _look_around(
        self,
    ) -> tuple[Reading | OnnesError | None, Reading | OnnesError | None, str | OnnesError | None]:
        if self._sealed is not None:
            found = or_error(self._sealed.look)
            return (found, found, found) if isinstance(found, OnnesError) else found
        return (
            or_error(self.thermostat.temperature) if self.thermostat else None,
            or_error(self.magnet.field) if self.magnet else None,
            or_error(self.chamber.chamber_state) if self.chamber else None,
        )

    def _helium_level(self) -> HeliumLevel | OnnesError | None:
        if self.helium_gauge is None:
            return None
        now = self._clock.now()
        if not (isinstance(self._helium, HeliumLevel) and now - self._helium_time < _HELIUM_EVERY_S):
            self._helium, self._helium_time = or_error(self.helium_gauge.helium_level), now
        return self._helium

    def _foreign(
        self, temperature: float | OnnesError | None, field: float | OnnesError | None
    ) -> tuple[ForeignSetpoint, ...]:
        found: list[ForeignSetpoint] = []
        ours = self.thermostat.confirmed_temperature() if self.thermostat else None
        if isinstance(temperature, float) and ours is not None and temperature != ours:
            found.append(ForeignSetpoint("temperature", "K", ours, temperature))
        ours = self.magnet.confirmed_field() if self.magnet else None
        if isinstance(field, float) and ours is not None and field != ours:
            found.append(ForeignSetpoint("field", "Oe", ours, field))
        return tuple(found)


def _flags(lock_in: StanfordLockIn) -> tuple[str, ...]:
    return lock_in.look().flags


def _is_on(source: Source) -> bool:
    return source.source_enabled
