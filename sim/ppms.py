"""Quantum Design Model 6000 controller: the skin over cryostat, magnet, chamber, helium and bridges.

The grammar is that of the GPIB commands manual (1070-195) and of public drivers. It has no error queue:
what it does not understand or refuses is answered with silence and changes nothing, and a setpoint out of
range is refused, never clipped.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

from onnes.sim.device import Device, InstrumentSettings
from onnes.sim.journal import JournalEntry
from onnes.sim.noise import Held, stream_key

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_UPTIME_S: Final = 1_234_567.0  # how long the controller had run when the lab opened (a)
_NO_ROTATOR: Final = 1  # position nibble: transport stopped at set point, as every real status word shows
_ITEMS: Final = 30
_BRIDGES: Final = (1, 2, 3, 4)
_DRIVERS: Final = (1, 2)
_BRIDGE_NOISE_V: Final = 25e-9  # 2 to 3 mohm at 10 uA (m)
_BRIDGE_READING_S: Final = 0.24  # 75 readings in 18 s (m)
_BRIDGE_COMPLIANCE_V: Final = 5.0  # (a)

_UNIT = re.compile(r"\s*([A-Za-z*]+)\s*(\??)[\s,]*(.*)", re.DOTALL)
_BETWEEN = re.compile(r"[\s,]+")


Args = tuple[str, ...]


class _Refused(Exception):
    """The controller does not obey; it says nothing."""


@dataclass(frozen=True, slots=True)
class _Bridge:
    """What BRIDGE told a channel: uA, uW, 0 AC or 1 DC, 0 standard 1 fast 2 high resolution, mV."""

    microamps: float = 0.0
    microwatts: float = 0.0
    acdc: int = 0
    mode: int = 0
    millivolts: float = 0.0

    @property
    def is_on(self) -> bool:
        return bool(self.microamps and self.microwatts and self.millivolts)


class Ppms6000(Device):
    """The controller of a PPMS on the GPIB bus; replies end with ``;`` and EOI."""

    model: ClassVar[str] = "ppms6000"
    terminals: ClassVar[tuple[str, ...]] = tuple(f"bridge{n}" for n in _BRIDGES)
    terminator: ClassVar[bytes] = b""  # each reply brings its own `;`, and EOI ends it
    query_latency_s: ClassVar[float] = 0.05  # assumed

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self._started = -_UPTIME_S  # lab time at which its timestamp was 0
        self._bridges = dict.fromkeys(_BRIDGES, _Bridge())
        self._drivers = dict.fromkeys(_DRIVERS, (0.0, 0.0))
        self._bridge_noise = {
            channel: Held(stream_key(lab.seed, f"{name}.bridge{channel}"), _BRIDGE_READING_S)
            for channel in _BRIDGES
        }

    def execute(self, message: str, t: float) -> str | None:
        """Obey one message, its parts joined by ``;``, and return the replies."""
        if ";" not in message:
            reply = self._obey(message, t)
            return None if reply is None else f"{reply};"
        replies = [self._obey(unit, t) for unit in message.split(";") if unit.strip()]
        text = "".join(f"{reply};" for reply in replies if reply is not None)
        return text or None

    def _obey(self, unit: str, t: float) -> str | None:
        try:
            handler, args = _parsed(unit)
            return handler(self, args, t)
        except _Refused:
            if self.lab.strict:
                self.lab.journal.append(JournalEntry(t, self.name, "refused", unit))
            return None

    def restart(self, t: float) -> None:
        """Begin the timestamp anew, as after a power cut; bridges and drivers keep what they were told."""
        self._started = t

    # --- temperature, field, chamber

    def _set_temperature(self, args: Args, t: float) -> None:
        limits = self.lab.cryostat.settings
        kelvin = _number(args[0], limits.lowest_k, limits.highest_k)
        rate = _number(args[1], 0.0, limits.max_rate_k_per_min)
        approach = _code(args[2], 2)
        if not rate:
            raise _Refused  # it would never arrive
        self.lab.cryostat.command(t, kelvin, rate, approach)

    def _temperature(self, args: Args, t: float) -> str:
        del args, t
        kelvin, rate, approach = self.lab.cryostat.setpoint()
        return f"{kelvin:.9g},{rate:.9g},{approach}"

    def _set_field(self, args: Args, t: float) -> None:
        limits = self.lab.magnet.settings
        field = _number(args[0], -limits.max_oe, limits.max_oe)
        rate = _number(args[1], limits.min_rate_oe_per_s, limits.max_rate_oe_per_s)
        approach, mode = _code(args[2], 3), _code(args[3], 2)
        if self.lab.magnet.has_quenched:
            raise _Refused  # until a person has cleared it
        self.lab.magnet.command(t, field, rate, approach, mode)

    def _field(self, args: Args, t: float) -> str:
        del args, t
        field, rate, approach, mode = self.lab.magnet.setpoint()
        return f"{field:.2f},{rate:.1f},{approach},{mode}"  # its resolution (s)

    def _magnet(self, args: Args, t: float) -> str:
        del args, t
        magnet = self.lab.magnet.settings
        values = (
            magnet.max_oe,
            magnet.oe_per_a,
            magnet.inductance_h,
            magnet.low_voltage,
            magnet.high_voltage,
            magnet.switch_heat_s,
            magnet.switch_cool_s,
        )
        return ",".join(f"{value:.9g}" for value in values)

    def _set_chamber(self, args: Args, t: float) -> None:
        self.lab.chamber.command(t, _code(args[0], 6))

    def _chamber(self, args: Args, t: float) -> str:
        del args, t
        return f"{self.lab.chamber.commanded()}"

    # --- helium

    def _level(self, args: Args, t: float) -> str:
        del args
        percent, age = self.lab.chamber.helium.reading(t)
        return f"{percent:.1f},{age}"

    def _set_level(self, args: Args, t: float) -> None:
        self.lab.chamber.helium.meter(t, _code(args[0], 3))

    # --- bridges and drivers

    def _set_bridge(self, args: Args, t: float) -> None:
        del t
        channel = _one_of(args[0], _BRIDGES)
        microamps = _number_or_off(args[1], 0.01, 5000.0)
        microwatts = _number_or_off(args[2], 0.001, 1000.0)
        acdc, mode = _code(args[3], 2), _code(args[4], 3)
        before = self._bridges[channel].millivolts or 100.0
        millivolts = _number_or_off(args[5], 0.0001, 100.0) if len(args) > 5 else before
        self._bridges[channel] = _Bridge(microamps, microwatts, acdc, mode, millivolts)

    def _bridge(self, args: Args, t: float) -> str:
        del t
        channel = _one_of(args[0], _BRIDGES)
        told = self._bridges[channel]
        return (
            f"{channel},{told.microamps:.9g},{told.microwatts:.9g},{told.acdc},{told.mode},"
            f"{told.millivolts:.9g}"
        )

    def _set_driver(self, args: Args, t: float) -> None:
        del t
        channel = _one_of(args[0], _DRIVERS)
        self._drivers[channel] = (_number(args[1], 0.0, 1000.0), _number(args[2], 0.0, 20.0))

    def _driver(self, args: Args, t: float) -> str:
        del t
        channel = _one_of(args[0], _DRIVERS)
        milliamps, watts = self._drivers[channel]
        return f"{channel},{milliamps:.9g},{watts:.9g}"

    def _measured_by_bridge(self, channel: int, t: float) -> tuple[float, float] | None:
        """Return (ohm, uA) of a channel, None where it is off or wired to nothing.

        The excitation is the largest that keeps to all three limits of the channel.
        """
        told, port = self._bridges[channel], f"{self.name}.bridge{channel}"
        if not told.is_on or port not in self.lab.wiring.ports:
            return None
        wiring = self.lab.wiring
        amps, volts = wiring.alternating(port, told.microamps * 1e-6, _BRIDGE_COMPLIANCE_V, t)
        ohms = abs(volts / amps)
        if ohms:
            allowed = min(told.millivolts * 1e-3 / ohms, math.sqrt(told.microwatts * 1e-6 / ohms))
            if allowed < amps:
                amps, volts = wiring.alternating(port, allowed, _BRIDGE_COMPLIANCE_V, t)
        return (volts + _BRIDGE_NOISE_V * self._bridge_noise[channel](t)) / amps, amps * 1e6

    # --- everything at once

    def _data(self, args: Args, t: float) -> str:
        """Answer GETDAT?: the mask without the bits of what is not there, a timestamp, the values."""
        mask = _code(args[0], 1 << _ITEMS)
        values: dict[int, float] = {}
        if mask & 1:
            values[0] = self._status(t)
        if mask & 2:
            values[1] = self.lab.cryostat.reading(t)
        if mask & 4:
            values[2] = self.lab.magnet.reading(t)
        if mask >> 4:
            values |= {bit: value for bit, value in self._optional(t) if mask & (1 << bit)}
        echoed = sum([1 << bit for bit in values])
        return ",".join([f"{echoed},{t - self._started:.3f}", *[f"{value:.9g}" for value in values.values()]])

    def _optional(self, t: float) -> Iterator[tuple[int, float]]:
        """Yield (bit, value) of what is there beside status, temperature and field, in order."""
        for channel in _BRIDGES:
            measured = self._measured_by_bridge(channel, t)
            if measured is not None:
                yield 2 + 2 * channel, measured[0]
                yield 3 + 2 * channel, measured[1]
        yield from ((bit, 0.0) for bit in (12, 13, 14))  # signal and digital inputs, with nothing on them
        for channel in _DRIVERS:
            yield 13 + 2 * channel, self._drivers[channel][0]
            yield 14 + 2 * channel, 0.0  # no load, no power
        yield 19, self.lab.chamber.pressure(t)

    def _status(self, t: float) -> int:
        lab = self.lab
        chamber = lab.chamber.status(t) << 8
        return _NO_ROTATOR << 12 | chamber | lab.magnet.status(t) << 4 | lab.cryostat.status(t)

    # --- the rest

    def _identity(self, args: Args, t: float) -> str:
        del args, t
        return "QUANTUM DESIGN,PPMS MODEL 6000,SIM0001,1.0"

    def _revision(self, args: Args, t: float) -> str:
        del args, t
        return "1.0,1.0"

    def _date(self, args: Args, t: float) -> str:
        del args
        return f"{self.lab.epoch + timedelta(seconds=t):%m/%d/%Y}"

    def _time(self, args: Args, t: float) -> str:
        del args
        return f"{self.lab.epoch + timedelta(seconds=t):%H:%M:%S}"

    def _nothing_on(self, args: Args, t: float) -> str:
        del args, t
        return "0"

    def _beep(self, args: Args, t: float) -> None:
        del args, t


_Handler = Callable[[Ppms6000, Args, float], str | None]
_COMMANDS: Final[Mapping[str, tuple[_Handler, tuple[int, ...]]]] = {
    "TEMP": (Ppms6000._set_temperature, (3,)),
    "FIELD": (Ppms6000._set_field, (4,)),
    "CHAMBER": (Ppms6000._set_chamber, (1,)),
    "BRIDGE": (Ppms6000._set_bridge, (5, 6)),
    "DRVOUT": (Ppms6000._set_driver, (3,)),
    "LEVELON": (Ppms6000._set_level, (1,)),
    "BEEP": (Ppms6000._beep, (2,)),
}
_QUERIES: Final[Mapping[str, tuple[_Handler, tuple[int, ...]]]] = {
    "TEMP": (Ppms6000._temperature, (0,)),
    "FIELD": (Ppms6000._field, (0,)),
    "CHAMBER": (Ppms6000._chamber, (0,)),
    "BRIDGE": (Ppms6000._bridge, (1,)),
    "DRVOUT": (Ppms6000._driver, (1,)),
    "GETDAT": (Ppms6000._data, (1,)),
    "LEVEL": (Ppms6000._level, (0,)),
    "MAGCNF": (Ppms6000._magnet, (0,)),
    "DIGIN": (Ppms6000._nothing_on, (0,)),
    "ADVNUM": (Ppms6000._nothing_on, (0,)),
    "DATE": (Ppms6000._date, (0,)),
    "TIME": (Ppms6000._time, (0,)),
    "REV": (Ppms6000._revision, (0,)),
    "*IDN": (Ppms6000._identity, (0,)),
}


@lru_cache(maxsize=256)
def _parsed(unit: str) -> tuple[_Handler, tuple[str, ...]]:
    """Return who obeys ``unit``, and its arguments.

    Raises:
        _Refused: if nobody does.
    """
    found = _UNIT.fullmatch(unit)
    if found is None:
        raise _Refused
    name, question, rest = found.groups()
    handlers = _QUERIES if question else _COMMANDS
    if name.upper() not in handlers:
        raise _Refused
    handler, counts = handlers[name.upper()]
    args = tuple(part for part in _BETWEEN.split(rest) if part)
    if len(args) not in counts:
        raise _Refused
    return handler, args


def _number(text: str, low: float, high: float) -> float:
    """Return the number that ``text`` says.

    Raises:
        _Refused: if it says none, or one outside the range.
    """
    try:
        value = float(text)
    except ValueError:
        raise _Refused from None
    if not low <= value <= high:
        raise _Refused
    return value


def _number_or_off(text: str, low: float, high: float) -> float:
    return 0.0 if _number(text, 0.0, high) == 0.0 else _number(text, low, high)


def _code(text: str, count: int) -> int:
    """Return a whole number from 0 to ``count`` - 1, as _number does."""
    value = _number(text, 0, count - 1)
    if value != int(value):
        raise _Refused
    return int(value)


def _one_of(text: str, allowed: tuple[int, ...]) -> int:
    value = _code(text, max(allowed) + 1)
    if value not in allowed:
        raise _Refused
    return value
