"""What all composites share that send a current through a sample: on, off, and whether that still holds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from onnes.instruments.errors import CommunicationError, ConfigurationError, OnnesError
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import CurrentSource
from onnes.instruments.set_up import Connected, SetUp

T = TypeVar("T")

_LEAST_A = 1e-12  # a current of 0 measures nothing


class Source(Connected, CurrentSource, Protocol):
    """A current source whose compliance and range are set before its output is switched on."""

    source_compliance: float
    source_range: float
    source_enabled: bool

    def safe_state(self, rate_a_per_s: float | None = None) -> str:
        """Ramp to 0, then switch the output off; return what was read back."""


class Sourced:
    """A current source and what reads the voltage that its current makes.

    ``is_running`` says whether a current is on as it was set up. Once the connection to source or meter was
    opened anew it is not: the instrument may have been without power and have lost compliance, range and
    output. Nor is it once source or meter were set up for another measurement, or the source made safe by it.

    Args:
        meters: what reads the voltage.
        ramp_a_per_s: how fast the current goes up, and down at the end.
        abort_ramp_a_per_s: how fast it goes down on an abort; None: within one second.
    """

    def __init__(
        self,
        source: Source,
        meters: Sequence[Connected],
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
    ) -> None:
        self.source = source
        self.compliance_v = compliance_v
        self.ramp_a_per_s = ramp_a_per_s
        self.abort_ramp_a_per_s = abort_ramp_a_per_s
        self._instruments: tuple[Connected, ...] = (source, *meters)
        self._clock = source.link.clock
        self._set_up = SetUp(self._instruments)
        self._is_on = False

    @property
    def is_running(self) -> bool:
        """Say whether a current is on as it was set up."""
        return self._is_on and self._set_up.holds

    def forget_start(self) -> None:
        """Take the current for off: somebody else made the source safe."""
        self._is_on = False

    @property
    def current_limits(self) -> Limits:
        """Return the allowed currents, A; one of 0 measures nothing."""
        limits = self.source.current_limits
        return Limits(_LEAST_A, limits.high, "A", limits.set_by)

    def stop(self, *, abort: bool = False) -> None:
        """Ramp the current to 0 and switch the output off; safe to call at any time."""
        self._is_on = False
        self.source.link.set_ups += 1  # who else has set it up since measures with nothing
        self.source.safe_state(self.abort_ramp_a_per_s if abort else self.ramp_a_per_s)

    def _prepare(self, largest_a: float) -> None:
        """Forget errors of before, take the source to 0 A, and set compliance and range for ``largest_a``."""
        source = self.source
        self._set_up.claim()
        for instrument in self._instruments:
            # What an outage before left in the queue, as replies that nobody read, is over now.
            with suppress(CommunicationError):
                instrument.check_errors()
        source.safe_state(self.ramp_a_per_s)
        source.source_compliance = self.compliance_v
        source.source_range = largest_a

    @contextmanager
    def _starting(self, what: str) -> Iterator[None]:
        """Switch on by what is inside, and look whether all went well; else switch the source off again.

        The error of what is inside is the one that is told.
        """
        self._is_on = True
        try:
            yield
            for instrument in self._instruments:
                instrument.check_errors()
            self._set_up.check(what)
        except BaseException as error:  # a Ctrl-C, too, must not leave a current on; it is raised again
            try:
                self.stop()
            except OnnesError as also:
                error.add_note(f"the source is not known to be off: {also}")
            raise

    def _check_started(self, what: str) -> None:
        """Refuse to measure without a current, or with instruments that may have lost their setup.

        Raises:
            ConfigurationError: if nothing was started, or an instrument was set up for something else since.
            CommunicationError: if a connection was opened anew since.
        """
        if not self._is_on:
            raise ConfigurationError(f"the {what} is not started; start() sets current and range first")
        self._set_up.check(what)

    def _vouched(self, take: Callable[[], T]) -> tuple[T, bool]:
        """Return what ``take`` reads, and whether the compliance limited the current meanwhile.

        Where the register of the compliance or an error queue cannot be read, they are taken again.
        """
        source, meters = self.source, self._instruments[1:]

        def watched() -> tuple[bool, T]:
            return source.watch_compliance(), take()

        def vouch() -> bool:
            for meter in meters:
                meter.check_errors()
            return source.was_in_compliance()

        (before, found), since = self._set_up.vouched(watched, vouch)
        return found, before or since
