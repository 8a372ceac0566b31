"""What the lock-ins of Stanford Research have in common: reference, filters, ranges and latched status."""

import math
from typing import Any, ClassVar, Literal

from pymeasure.adapters import Adapter

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, InstrumentFault, LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.lock_ins import SETTLING_TAU, LockInReading, LockInUse
from onnes.instruments.strict import StrictInstrument, confirm

# physics.md 2.1: up at 80 % of full scale, down at 10 %.
_UP, _DOWN = 0.8, 0.1

# Below this detection frequency the synchronous filter is on, unless it is told otherwise (nights.md 3.6).
SYNC_BELOW_HZ = 200.0

# How long a reference may take to lock: the loop settles within some periods and time constants (a).
_LOCK_TAU, _LOCK_S = 10.0, 1.0
_LEAST_LOOK_S = 0.1  # between two looks whether it has
# An external reference that is off by more is another one; the frequency is told in 5 digits (SR830 manual).
_SAME_FREQUENCY = 1e-3

# SR830 manual, standard event status byte.
_OUT_OF_STEP = 1 << 0 | 1 << 2  # the queues of input and output overflowed
_REFUSED = 1 << 4 | 1 << 5  # a command that could not be executed, an unknown one
_POWER_ON = 1 << 7


class StanfordLockIn(StrictInstrument):
    """The common side of SR830 and SR860; write ``class X(StanfordLockIn, PyMeasureX)``.

    The status word latches what happened and is cleared by being read, so this driver is its only reader:
    what it reads it adds up, until :meth:`take` takes it for a point. :meth:`look` leaves it.
    """

    reply_end: ClassVar[str] = "\n"
    hint: ClassVar[str] = (
        "look at cable, power and address, and whether it sends its replies to this interface"
    )

    # What a model says of itself.
    SENSITIVITIES: ClassVar[list[float]]  # full scales, V rms
    TIME_CONSTANTS: ClassVar[list[float]]  # s
    frequency_limits: ClassVar[Limits]
    sine_limits: ClassVar[Limits]
    sine_step_v: ClassVar[float]  # of the amplitude, V rms; 0 where it comes in digits alone
    phase_limits: ClassVar[Limits]
    harmonics: ClassVar[range]
    digits: ClassVar[int]  # of a frequency
    _snap: ClassVar[str]
    _references: ClassVar[dict[str, str]]
    _overload: ClassVar[int]  # bits of the status word
    _unlock: ClassVar[int]
    _filter_changed: ClassVar[int]

    sensitivity: float
    time_constant: float
    filter_slope: int
    filter_synchronous: bool
    harmonic: int
    sine_voltage: float
    reference_source: str

    def __init__(
        self, adapter: Adapter | str, name: str = "", clock: Clock | None = None, **kwargs: object
    ) -> None:
        self._latched = 0
        self._use: LockInUse | None = None
        super().__init__(adapter, name or f"Stanford Research {self.model_name}", clock, **kwargs)

    def connect(self) -> str:
        """Clear the line, forget old events and return the identification; nothing is set.

        Raises:
            CommunicationError: if another instrument answers.
        """
        identity = super().connect()
        self.link.query("*ESR?", int)  # the event of its power-on, for one
        return identity

    def listen(self, use: LockInUse, *, reference: Literal["internal", "external"]) -> None:
        """Set reference, frequency (internal alone), harmonic and filters, and forget the status so far.

        With an external reference it waits until that has locked; offset and expand are taken away.

        Raises:
            LimitError: if a value is not one that it has, with the nearest ones; nothing was sent.
            InstrumentFault: if something else is read back, or no reference of that frequency locks within
                ten time constants and one second.
        """
        self._check_use(use)
        self._use = None  # the filters change now because they are told to
        self.reference_source = self._references[reference]
        if reference == "internal":
            self.harmonic = 1  # one of before may be too high for the new frequency
            self.frequency = use.frequency_hz
        self.harmonic = use.harmonic
        self.filter_slope = use.slope_db
        self.time_constant = use.time_constant_s
        self.filter_synchronous = _synchronous(use)
        self._take_offsets_away()
        self._forget_status()
        if reference == "external":
            self._wait_for_lock(use)
        self._use = use

    @property
    def use(self) -> LockInUse | None:
        """Return how it was last told to listen; None before that, or if that failed."""
        return self._use

    def set_sine(self, volts_rms: float) -> None:
        """Set the amplitude of the sine output, V rms; 0 means as low as it goes.

        Raises:
            LimitError: if it is out of range; nothing was sent.
            InstrumentFault: if another amplitude is read back, apart from its step.
        """
        self.sine_voltage = volts_rms or self.sine_limits.low

    def set_phase(self, degrees: float) -> None:
        """Set the phase of the reference, degrees."""
        self.phase = degrees

    def fit_range(self, volts_rms: float) -> bool:
        """Choose the full scale for a signal of ``volts_rms``; say whether it changed.

        Up when the signal is above 80 % of full scale, to the largest for an infinite one, as of a signal
        that overloads; down when it is below 10 %. After a change the filter settles anew.

        Raises:
            LimitError: if it is negative or no number; nothing was sent.
            InstrumentFault: if another full scale is read back.
        """
        if not volts_rms >= 0.0:
            raise LimitError(
                f"signal to fit = {volts_rms:.9g} V is outside [0, inf] V, the size of a signal; "
                "nothing was sent"
            )
        full = self.sensitivity
        if _DOWN * full <= volts_rms <= _UP * full:
            return False
        scales = sorted(self.SENSITIVITIES)
        fitting = next((scale for scale in scales if volts_rms <= _UP * scale), scales[-1])
        if fitting == full:
            return False
        self._set_full_scale(fitting)
        return True

    def take(self) -> LockInReading:
        """Read x and y of one instant and take the status since the reading before.

        Raises:
            InstrumentFault: if it has changed its filters by itself.
            CommunicationError: if it gives no usable answer; what had latched may be lost then.
        """
        reading = self.look()
        self._latched = 0
        return reading

    def look(self) -> LockInReading:
        """Read x and y with the status so far, which stays for the next :meth:`take`; raises as that."""
        clock = self.link.clock
        asked = clock.now()
        x, y = self.link.query(self._snap, _two_numbers)
        answered = clock.now()
        self._latch()  # what did so between the two messages counts for this reading, too
        if self._latched & self._filter_changed and self._use is not None:
            self._check_filters(self._use)
        return LockInReading(x, y, 0.5 * (asked + answered), self._flags())

    @property
    def frequency(self) -> float:
        """Control the frequency of the reference, Hz; an external one can only be read."""
        return self.link.query("FREQ?", float)

    @frequency.setter
    def frequency(self, hz: float) -> None:
        self.frequency_limits.check("frequency", hz)
        self.write(f"FREQ {hz:.9g}")
        confirm("frequency", hz, self.frequency, self._frequency_step(hz), self.name)

    @property
    def phase(self) -> float:
        """Control the phase of the reference, degrees; it is told within half a turn of 0."""
        return self.link.query("PHAS?", float)

    @phase.setter
    def phase(self, degrees: float) -> None:
        self.phase_limits.check("phase", degrees)
        self.write(f"PHAS {degrees:.9g}")
        told = self.phase
        turns = round((degrees - told) / 360.0)
        confirm("phase", degrees, told + 360.0 * turns, self.resolutions["phase"], self.name)

    def check_errors(self) -> list[Any]:
        """Look at the event and error registers, which that clears; an empty list if nothing was in them.

        Raises:
            InstrumentFault: if it refused a command, or a test of its own failed.
            CommunicationError: if it lost messages, or was without power and so lost its setup.
        """
        events = self.link.query("*ESR?", int)
        failed = self.link.query("ERRS?", int)
        if failed:
            raise InstrumentFault(
                f"{self.name} reports a failed test of its own (ERRS? = {failed}); look at the instrument"
            )
        if events & _REFUSED:
            raise InstrumentFault(f"{self.name} refused a command (*ESR? = {events}); look at the instrument")
        if events & (_OUT_OF_STEP | _POWER_ON):
            why = "was switched on anew" if events & _POWER_ON else "lost messages"
            raise CommunicationError(f"{self.name} {why} (*ESR? = {events}); set it up again")
        return []

    def safe_state(self) -> str:
        """Take the sine output to its minimum and return what was read back; it has no off.

        Raises:
            CommunicationError: if that cannot be sent or read back.
            InstrumentFault: if another amplitude is read back.
        """
        self.set_sine(0.0)
        return f"sine at {self.sine_voltage:.6g} V rms, its minimum"

    def _set_full_scale(self, volts_rms: float) -> None:
        self.sensitivity = volts_rms

    def _take_offsets_away(self) -> None:
        """Take away what would be subtracted from x and y, or enlarge them."""

    def _frequency_step(self, hz: float) -> float:
        return max(1e-4, 10.0 ** (math.floor(math.log10(hz)) + 1 - self.digits))  # manuals: not below 0.1 mHz

    def _check_use(self, use: LockInUse) -> None:
        """Refuse what the instrument does not have, before anything is sent."""
        _one_of("time constant", use.time_constant_s, self.TIME_CONSTANTS, "s", self.name)
        _one_of("slope", use.slope_db, (6, 12, 18, 24), "dB", self.name)
        _one_of("settled part", use.settle, tuple(SETTLING_TAU), "of a step", "the table of settling times")
        if use.harmonic not in self.harmonics:
            raise LimitError(
                f"harmonic = {use.harmonic} is outside [{self.harmonics[0]}, {self.harmonics[-1]}], "
                f"the range set by the {self.name}; nothing was sent"
            )
        self.frequency_limits.check("frequency of the reference", use.frequency_hz)
        detected = use.harmonic * use.frequency_hz
        self.frequency_limits.check("frequency of the harmonic", detected)
        if use.sync and detected >= SYNC_BELOW_HZ:
            raise LimitError(
                f"a synchronous filter at {detected:.9g} Hz is outside [0, {SYNC_BELOW_HZ:g}] Hz, where the "
                f"{self.name} has one; nothing was sent"
            )

    def _wait_for_lock(self, use: LockInUse) -> None:
        clock = self.link.clock
        wait_s = _LOCK_TAU * use.time_constant_s + _LOCK_S
        deadline = clock.now() + wait_s
        pause = max(_LEAST_LOOK_S, use.time_constant_s)
        while True:
            clock.sleep_until(min(clock.now() + pause, deadline))
            if not self._raw_status() & self._unlock:
                break
            if clock.now() >= deadline:
                raise InstrumentFault(
                    f"{self.name} finds no external reference within {wait_s:.3g} s; "
                    "connect the reference output of the source to its reference input"
                )
        found = self.frequency
        if abs(found - use.frequency_hz) > _SAME_FREQUENCY * use.frequency_hz:
            raise InstrumentFault(
                f"{self.name} locked to {found:.6g} Hz, but the source is at {use.frequency_hz:.6g} Hz; "
                "another signal is at its reference input"
            )

    def _forget_status(self) -> None:
        self._raw_status()
        self._latched = 0

    def _raw_status(self) -> int:
        """Read the latched status, which that clears."""
        return self.link.query("LIAS?", int)

    def _latch(self) -> None:
        """Add what the status has latched to what it had before, for the next :meth:`take`."""
        self._latched |= self._raw_status()

    def _check_filters(self, use: LockInUse) -> None:
        """Refuse to go on with other filters than were asked for; a range or a frequency changes some."""
        told = (self.time_constant, self.filter_synchronous)
        if told != (use.time_constant_s, _synchronous(use)):
            raise InstrumentFault(
                f"{self.name} changed its filters by itself, to a time constant of {told[0]:g} s and the "
                f"synchronous filter {'on' if told[1] else 'off'}; choose such as it keeps at this frequency"
            )

    def _flags(self) -> tuple[str, ...]:
        words = {"overload": self._overload, "unlock": self._unlock}
        return tuple(word for word, bits in words.items() if self._latched & bits)


def _synchronous(use: LockInUse) -> bool:
    return use.harmonic * use.frequency_hz < SYNC_BELOW_HZ if use.sync is None else use.sync


def _one_of(what: str, value: float, has: list[float] | tuple[float, ...], unit: str, whose: str) -> None:
    if value not in has:
        near = sorted(sorted(has, key=lambda entry: abs(entry - value))[:2])
        raise LimitError(
            f"{what} = {value:.9g} {unit} is not one that {whose} has; the nearest are "
            f"{' and '.join(f'{entry:g}' for entry in near)} {unit}; nothing was sent"
        )


def _two_numbers(reply: str) -> tuple[float, float]:
    x, y = map(float, reply.split(","))
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"{reply!r} is no pair of voltages")
    return x, y
