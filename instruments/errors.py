"""The one family of errors; each has the builtin that a caller would already catch as co-parent."""

from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class OnnesError(Exception):
    """Base of every error that Onnes raises on purpose."""


class LimitError(OnnesError, ValueError):
    """A setpoint lies outside what the instrument, the station or the sample allows; nothing was sent."""


class SettleTimeout(OnnesError, TimeoutError):
    """A temperature or field did not settle in time; the last reading is in the text."""


class InstrumentFault(OnnesError, RuntimeError):
    """An instrument is in a state that a person must look at: quench, heater fault, unknown status code."""


class SequenceMayGoOn(InstrumentFault):
    """A sequence of MultiVu may be setting temperature and field; nothing was sent.

    It was handed over from here, and nobody here can stop it: a person does, and acknowledges that.
    """


class CommunicationError(OnnesError, ConnectionError):
    """An instrument did not answer, answered late, or answered something else than was asked."""


class ContactError(OnnesError, RuntimeError):
    """A contact of the sample has opened; the source is at zero, and this wiring cannot go on."""


class OwnershipError(OnnesError, PermissionError):
    """Another runner owns the station or the night; the text says who, where and since when."""


class SequenceError(OnnesError, ValueError):
    """A sequence file says something wrong; the text has file, line and column of each place."""


class ConfigurationError(OnnesError, ValueError):
    """A station, sample or lab file, or the environment, says something wrong."""


class StorageError(OnnesError, OSError):
    """The run folder cannot be written; the points are kept in memory until it can or is given up."""


def or_error(read: Callable[[], Found]) -> Found | OnnesError:
    """Return what ``read`` returns, or the error it raises, so that the next reading is made all the same."""
    try:
        return read()
    except OnnesError as error:
        return error
