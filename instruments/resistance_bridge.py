"""A current source and a nanovoltmeter as one resistance bridge, by reversal of the current."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from onnes.instruments.errors import CommunicationError, ConfigurationError, OnnesError
from onnes.instruments.keithley2182a import OVERFLOW_V, Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import Resistance

_TRIES = 3  # of a point whose readings nobody can vouch for

# One line cycle takes the hum of the mains out, at 15 nV rms; further averaging is done by the triples, whose
# scatter is the error.
_LINE_CYCLES = 1.0

# From the change of the current to the reading: the leads and filters of a cryostat settle in about 1 ms.
SETTLE_S = 0.02

# A range is chosen at the first current; a metal may gain this factor before the range is full.
_HEADROOM = 2.0

_SIGNS = (1.0, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class _Triple:
    """V(+I), V(-I), V(+I), and when each was read, s."""

    volts: tuple[float, float, float]
    times: tuple[float, float, float]

    @property
    def reversing(self) -> float:
        """Return the part that reverses with the current; a drift of the EMF drops out."""
        first, second, third = self.volts
        return (first - 2.0 * second + third) / 4.0

    @property
    def emf(self) -> float:
        """Return the part that does not reverse, at the time of the second reading."""
        first, second, third = self.volts
        return (first + 2.0 * second + third) / 4.0


class ReversalBridge:
    """Four-probe resistance by three-point reversal of the current.

    Readings are taken in triples at +I, -I, +I with the weights (1, -2, 1)/4, which cancel a constant and a
    linearly drifting thermal EMF. Triples do not overlap, so that their scatter over sqrt(n) is an honest
    error; overlapping ones share readings and would understate it. Between points the current stays on, so
    that what it heats stays warm.

    ``is_running`` says whether a current is on as :meth:`start` set it up. Once the connection to source or
    meter was opened anew it is not: the instrument may have been without power and have lost compliance,
    range and output. A point that an instrument cannot vouch for is flagged ``compliance`` or ``over_range``.

    Args:
        ramp_a_per_s: how fast the current goes up, and down at the end.
        abort_ramp_a_per_s: how fast it goes down on an abort; None: within one second.
    """

    def __init__(
        self,
        source: Keithley6221,
        meter: Keithley2182A,
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
    ) -> None:
        self.source = source
        self.meter = meter
        self.compliance_v = compliance_v
        self.ramp_a_per_s = ramp_a_per_s
        self.abort_ramp_a_per_s = abort_ramp_a_per_s
        self._clock = source.link.clock
        self._current_a = 0.0
        self._is_on = False
        self._set_up_on = (0, 0)  # which connections start() used

    @property
    def is_running(self) -> bool:
        """Say whether a current is on as :meth:`start` set it up."""
        return self._is_on and self._set_up_on == self._connections

    @property
    def _connections(self) -> tuple[int, int]:
        return self.source.link.reopened, self.meter.link.reopened

    def forget_start(self) -> None:
        """Take the current for off: somebody else made the source safe."""
        self._is_on = False

    @property
    def current_limits(self) -> Limits:
        """Return the allowed currents, A; one of 0 measures nothing."""
        return Limits(1e-12, self.source.current_limits.high, "A", "the Keithley 6221")

    def start(self, current_a: float) -> None:
        """Ramp up to ``current_a`` with the compliance set first; choose and fix both ranges.

        Range and current stay frozen until :meth:`stop`. If any of it fails, the source is off again.

        Raises:
            LimitError: if the current is out of range; nothing was sent.
            InstrumentFault: if an instrument reports an error or does not do as told.
            CommunicationError: if one gives no usable answer, or did so only over a connection opened anew.
        """
        self.current_limits.check("excitation current", current_a)
        source = self.source
        self._set_up_on = self._connections
        for instrument in (source, self.meter):
            # What an outage before left in the queue, as replies that nobody read, is over now.
            with suppress(CommunicationError):
                instrument.check_errors()
        source.safe_state(self.ramp_a_per_s)
        source.source_compliance = self.compliance_v
        source.source_range = current_a
        self.meter.prepare_for_reversal(_LINE_CYCLES)
        self._current_a = current_a
        with self._off_if_it_fails():
            self._switch_on()
            largest = max(abs(self._volts_at(sign * current_a)) for sign in _SIGNS)
            self.meter.fix_range(_HEADROOM * largest)
            source.check_errors()
            self.meter.check_errors()
            self._check_setup()

    def measure(self, readings: int) -> Resistance:
        """Measure from at least ``readings`` voltage readings, and never fewer than two triples.

        Raises:
            ConfigurationError: if nothing was started.
            CommunicationError: if an instrument gives no usable answer, or did so only when its connection
                was opened anew: it may have lost its setup, and is started again before it measures.
        """
        current = self._current_a
        if not self._is_on:
            raise ConfigurationError(
                "the resistance bridge is not started; start() sets current and range first"
            )
        self._check_setup()
        triples, limited = self._triples(current, max(2, math.ceil(readings / 3)))
        self._check_setup()
        flags = ("compliance",) if limited else ()
        volts = tuple(v for triple in triples for v in triple.volts)
        if max(map(abs, volts)) >= OVERFLOW_V:
            nan = math.nan
            return Resistance(nan, current, nan, nan, nan, nan, volts, (*flags, "over_range"))
        return _resistance(triples, current, volts, flags)

    def stop(self, *, abort: bool = False) -> None:
        """Ramp the current to 0 and switch the output off; safe to call at any time."""
        self._is_on = False
        self.source.safe_state(self.abort_ramp_a_per_s if abort else self.ramp_a_per_s)

    @contextmanager
    def _off_if_it_fails(self) -> Iterator[None]:
        """Switch the source off again if what is inside fails; its error is the one that is told."""
        try:
            yield
        except BaseException as error:  # a Ctrl-C, too, must not leave a current on; it is raised again
            try:
                self.stop()
            except OnnesError as also:
                error.add_note(f"the source is not known to be off: {also}")
            raise

    def _switch_on(self) -> None:
        self._is_on = True
        self.source.source_enabled = True
        self.source.ramp_to(self._current_a, self.ramp_a_per_s)

    def _check_setup(self) -> None:
        """Refuse to measure with instruments that may have lost what :meth:`start` set.

        Raises:
            CommunicationError: if a connection was opened anew since.
        """
        if not self.is_running:
            raise CommunicationError(
                f"the connection to {self.source.name} or {self.meter.name} was opened anew; "
                "the readings since do not count, as it may have lost its setup; start the bridge again"
            )

    def _volts_at(self, amps: float) -> float:
        self.source.set_current(amps)
        self._clock.sleep(SETTLE_S)
        return self.meter.read_voltage()

    def _triples(self, current: float, count: int) -> tuple[list[_Triple], bool]:
        """Return ``count`` triples of fresh readings, and whether the compliance limited any of them.

        A reply that belongs to the question before looks like any reading; that it came shows only in the
        error queue of the meter, as a reply that nobody read. Where that or the register of the compliance
        cannot be read, nobody can vouch for the readings either.
        """
        source, meter = self.source, self.meter
        for attempt in range(_TRIES):
            limited = source.watch_compliance()
            triples = [self._triple(current) for _ in range(count)]
            try:
                meter.check_errors()
                limited |= source.was_in_compliance()
            except CommunicationError:
                meter.link.clear()
                source.link.clear()
                if attempt == _TRIES - 1:
                    raise
            else:
                break
        return triples, limited

    def _triple(self, current: float) -> _Triple:
        set_current, read, clock = self.source.set_current, self.meter.read_voltage, self._clock
        volts, times = [], []
        for sign in _SIGNS:
            set_current(sign * current)
            clock.sleep(SETTLE_S)
            volts.append(read())
            times.append(clock.now())
        return _Triple((volts[0], volts[1], volts[2]), (times[0], times[1], times[2]))


def _resistance(
    triples: Sequence[_Triple], current: float, volts: tuple[float, ...], flags: tuple[str, ...]
) -> Resistance:
    parts = [triple.reversing for triple in triples]
    n = len(parts)
    voltage = sum(parts) / n
    scatter = math.sqrt(sum((part - voltage) ** 2 for part in parts) / (n - 1) / n)
    emfs = [triple.emf for triple in triples]
    return Resistance(
        voltage=voltage,
        current=current,
        resistance=voltage / current,
        resistance_error=scatter / current,
        emf=sum(emfs) / n,
        emf_drift=_slope([triple.times[1] for triple in triples], emfs),
        readings=volts,
        flags=flags,
        signs=_SIGNS * n,
    )


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the straight line through the values, by least squares."""
    n = len(times)
    t0, v0 = sum(times) / n, sum(values) / n
    spread = sum((t - t0) ** 2 for t in times)
    return (
        sum((t - t0) * (v - v0) for t, v in zip(times, values, strict=True)) / spread if spread else math.nan
    )
