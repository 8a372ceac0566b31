"""Whether instruments are still as somebody has set them up, and whether their replies can be vouched for."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from onnes.instruments.errors import CommunicationError, ConfigurationError
from onnes.instruments.link import Link

T = TypeVar("T")
V = TypeVar("V")

_TRIES = 3  # of readings that nobody can vouch for


class Connected(Protocol):
    """An instrument at the end of a link."""

    name: str
    link: Link

    def check_errors(self) -> list[Any]:
        """Empty the error queue; raise InstrumentFault if it held errors."""


class SetUp:
    """The claim of one measurement to its instruments, shared with others: the last who claims has them.

    It ends, too, where a connection was opened anew: the instrument may have been without power and have lost
    what it was set to.
    """

    def __init__(self, instruments: Sequence[Connected]) -> None:
        self._instruments = tuple(instruments)
        self._connections = self._claims = (-1,) * len(self._instruments)  # none yet

    def claim(self) -> None:
        """Take the instruments for this measurement, from whoever has them."""
        for instrument in self._instruments:
            instrument.link.set_ups += 1
        self._connections = tuple(instrument.link.reopened for instrument in self._instruments)
        self._claims = tuple(instrument.link.set_ups for instrument in self._instruments)

    @property
    def holds(self) -> bool:
        """Say whether the instruments are as they were set up."""
        return not self._others and not self._reopened

    def check(self, what: str) -> None:
        """Refuse to measure with instruments that may be set otherwise; ``what`` is to be started again.

        Raises:
            ConfigurationError: if one was set up for another measurement since.
            CommunicationError: if a connection was opened anew since.
        """
        if self._others:
            raise ConfigurationError(
                f"{self._others[0]} was set up for another measurement since; start the {what} again"
            )
        if self._reopened:
            raise CommunicationError(
                f"the connection to {' and '.join(self._reopened)} was opened anew; the readings since do "
                f"not count, as it may have lost its setup; start the {what} again"
            )

    def vouched(self, take: Callable[[], T], vouch: Callable[[], V]) -> tuple[T, V]:
        """Return what ``take`` reads, and what ``vouch`` says of it.

        A reply that belongs to the question before looks like any reading; that it came shows only in the
        error queue, as a reply that nobody read. Where ``vouch`` cannot ask for that, nobody can vouch for
        the readings either, and they are taken again.
        """
        attempt = 1
        while True:
            found = take()
            try:
                return found, vouch()
            except CommunicationError:
                for instrument in self._instruments:
                    instrument.link.clear()
                if attempt == _TRIES:
                    raise
                attempt += 1

    @property
    def _others(self) -> list[str]:
        """Return the names of those that were set up by somebody else since."""
        now = tuple(instrument.link.set_ups for instrument in self._instruments)
        return self._named(now, self._claims)

    @property
    def _reopened(self) -> list[str]:
        now = tuple(instrument.link.reopened for instrument in self._instruments)
        return self._named(now, self._connections)

    def _named(self, now: tuple[int, ...], then: tuple[int, ...]) -> list[str]:
        changed = zip(self._instruments, now, then, strict=True)
        return list(dict.fromkeys(one.name for one, a, b in changed if a != b))
