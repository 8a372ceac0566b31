"""Why a night stands still, and what ends that: one small class a reason.

Whatever breaks a measurement off raises :class:`BrokenOff`; the night then waits in its hold state until the
reason is over, and the measurement is taken up again from what is stored.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, InstrumentFault, OnnesError, StorageError
from onnes.runner.requests import Request, RequestKind, Requests

# Writing is tried again this often. A night that waits for room costs time alone, while giving up costs the
# points in memory: so it waits through a night and the morning after (assumed), in lab time.
STORAGE_RETRY_S = 10.0
STORAGE_PATIENCE_S = 24 * 3600.0

# A silent instrument is asked again after these pauses, s, and given up after 15 min of lab time.
LINK_BACK_OFF_S = (0.5, 30.0)
LINK_PATIENCE_S = 900.0

# After a fault the surroundings are logged for this long before the night ends, unless a person comes first;
# a quench and what follows it are over by then (assumed).
FAULT_WATCH_S = 3600.0

# An interlock that suspends may ask for a safe stop when it does not clear; helium is not refilled at night.
HELIUM_PATIENCE_S = 1800.0
INTERLOCK_PATIENCE_S = 24 * 3600.0  # as for storage: waiting costs time alone, but not for ever

# After so many breaks in a row between which a step did not get on, it has failed: an interlock that trips
# whenever it is tried must not keep a night for ever.
BREAKS_IN_VAIN = 3


class SafeStop(OnnesError, RuntimeError):
    """An interlock or a step's ``on_error`` ends the night in good order."""


class InVain(OnnesError, RuntimeError):
    """A step was broken off again and again without getting on."""


class GivenUp(Exception):
    """A night has stood still for too long for ``why``; ``error`` is what it ends with."""

    def __init__(self, why: "Break", error: Exception) -> None:
        super().__init__(str(error))
        self.why, self.error = why, error


class Break:
    """A reason to stand still; ``name`` is the word for it in events, ``message`` a sentence for a person."""

    state: ClassVar[Literal["paused", "suspended"]] = "suspended"
    needs_person = False
    takes_field_to_zero = False  # beside the sources, which always go there
    field_is_ours = True  # False where the field stays as it is even when the helium gets low
    keeps_history = True  # False where temperature or field may have moved before it was seen
    holds_temperature = False  # beside the field, which is always held
    answers: frozenset[RequestKind] = frozenset()  # what a person may say to it now

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message

    def is_over(self) -> bool:
        """Say whether the night may go on."""
        raise NotImplementedError

    def given_up(self) -> Exception | None:
        """Return the error to end with when it has lasted too long; None while it may still end."""
        return None


class BrokenOff(Exception):
    """What is under way is broken off; it is taken up again when ``why`` is over."""

    def __init__(self, why: Break) -> None:
        super().__init__(why.message)
        self.why = why


class Paused(Break):
    """Somebody asked for a pause."""

    state = "paused"
    needs_person = True
    holds_temperature = True
    answers: frozenset[RequestKind] = frozenset({"resume"})

    def __init__(self, requests: Requests, request: Request) -> None:
        super().__init__("pause", f"pause asked by {request.who}")
        self._requests = requests

    def is_over(self) -> bool:
        """Say whether it was resumed."""
        return self._requests.pause is None


class HeliumFill(Break):
    """Somebody transfers helium: nothing is ramped until the request is withdrawn."""

    needs_person = True
    holds_temperature = True
    field_is_ours = False  # who fills it is there, and a ramp would boil it off

    def __init__(self, requests: Requests, request: Request) -> None:
        super().__init__(
            "helium_fill", f"helium fill asked by {request.who}; ask for it again when it is done"
        )
        self._requests = requests

    def is_over(self) -> bool:
        """Say whether the request was withdrawn."""
        return self._requests.helium_fill is None


class StorageFailed(Break):
    """The disk is full, gone or read-only; the points are kept in memory.

    Args:
        probe: writes what is pending and something new; raises StorageError while it cannot.
        since: when writing failed first, with nothing measured in between.
    """

    def __init__(self, clock: Clock, error: StorageError, probe: Callable[[], None], since: float) -> None:
        super().__init__("storage", str(error))
        self._clock, self._error, self._probe = clock, error, probe
        self._since = since
        self._next = clock.now() + STORAGE_RETRY_S

    def is_over(self) -> bool:
        """Try to write."""
        if self._clock.now() < self._next:
            return False
        self._next = self._clock.now() + STORAGE_RETRY_S
        try:
            self._probe()
        except StorageError as error:
            self._error = error
            return False
        return True

    def given_up(self) -> Exception | None:
        """Return the last error when it has lasted for STORAGE_PATIENCE_S."""
        return self._error if self._clock.now() - self._since >= STORAGE_PATIENCE_S else None


class LinkDown(Break):
    """An instrument does not answer; it is asked again until it does.

    Args:
        silent: asks every instrument and returns {name: what is wrong} of those that do not answer.
    """

    keeps_history = False

    def __init__(
        self, clock: Clock, error: CommunicationError, silent: Callable[[], Mapping[str, str]]
    ) -> None:
        super().__init__("link", str(error))
        self._clock, self._error, self._silent = clock, error, silent
        self._since = clock.now()
        self._pause_s = LINK_BACK_OFF_S[0]
        self._next = self._since + self._pause_s

    def is_over(self) -> bool:
        """Ask every instrument."""
        if self._clock.now() < self._next:
            return False
        silent = self._silent()
        self._pause_s = min(2.0 * self._pause_s, LINK_BACK_OFF_S[1])
        self._next = self._clock.now() + self._pause_s
        if silent:
            self.message = "; ".join(silent.values())
        return not silent

    def given_up(self) -> Exception | None:
        """Return the error that began it when it has lasted for LINK_PATIENCE_S."""
        return self._error if self._clock.now() - self._since >= LINK_PATIENCE_S else None


class Tripped(Break):
    """An interlock suspends until its value is on the clear side again.

    Args:
        is_clear: says whether it is; for what shows only while measuring, that its hold time has passed.
        patience_s: after this long it becomes a safe stop.
    """

    def __init__(
        self,
        name: str,
        message: str,
        clock: Clock,
        is_clear: Callable[[], bool],
        patience_s: float,
        takes_field_to_zero: bool = False,
    ) -> None:
        super().__init__(name, message)
        self.takes_field_to_zero = takes_field_to_zero
        self._clock, self._is_clear, self._patience_s = clock, is_clear, patience_s
        self._since = clock.now()

    def is_over(self) -> bool:
        """Say whether the interlock has cleared."""
        return self._is_clear()

    def given_up(self) -> Exception | None:
        """Return a safe stop when the interlock has stayed tripped for too long."""
        if self._clock.now() - self._since < self._patience_s:
            return None
        return SafeStop(f"{self.message}; it has not cleared for {self._patience_s / 60:.0f} min")


class UntilResumed(Break):
    """What only a person can judge: somebody has to say that it is dealt with.

    Args:
        accept: called then: what was found is no surprise any more.
    """

    needs_person = True
    keeps_history = False
    answers: frozenset[RequestKind] = frozenset({"resume"})

    def __init__(self, name: str, requests: Requests, message: str, accept: Callable[[], None]) -> None:
        super().__init__(name, f"{message}; when it is dealt with: `onnes resume`")
        self.field_is_ours = name != "foreign_setpoint"
        self._requests, self._accept = requests, accept

    def is_over(self) -> bool:
        """Say whether somebody has resumed."""
        confirmed = self._requests.take("resume") is not None
        if confirmed:
            self._accept()
        return confirmed


class Faulted(Break):
    """An instrument is in a fault state; nothing is sent to it, and a person must look.

    The surroundings are logged meanwhile. It ends when somebody has acknowledged the fault and then resumes;
    where nobody comes, the night ends after FAULT_WATCH_S.

    Args:
        accept: takes what is found then for good: a controller that was restarted, another setpoint.
    """

    keeps_history = False
    field_is_ours = False

    def __init__(
        self, requests: Requests, clock: Clock, fault: InstrumentFault, accept: Callable[[], None]
    ) -> None:
        super().__init__("fault", f"{fault}; when it is dealt with: `onnes acknowledge`, then `onnes resume`")
        self._requests, self._clock, self._fault, self._accept = requests, clock, fault, accept
        self._since = clock.now()
        self._acknowledged = False
        self.answers: frozenset[RequestKind] = frozenset({"acknowledge"})

    def is_over(self) -> bool:
        """Say whether somebody has acknowledged the fault and resumed."""
        if self._requests.take("acknowledge") is not None:
            self._acknowledged = True
            self.answers = frozenset({"acknowledge", "resume"})
            self.needs_person = True  # who was here comes back: the night does not end meanwhile
        over = self._acknowledged and self._requests.take("resume") is not None
        if over:
            self._accept()
        return over

    def given_up(self) -> Exception | None:
        """Return the fault when nobody came."""
        waited_s = self._clock.now() - self._since
        return self._fault if waited_s >= FAULT_WATCH_S and not self._acknowledged else None


class Retrying(Break):
    """A step failed and is tried again after a while."""

    def __init__(self, clock: Clock, wait_s: float, message: str, name: str = "retry") -> None:
        super().__init__(name, message)
        self.keeps_history = name != "retry"  # a step may have failed because something moved
        self._clock, self._until = clock, clock.now() + wait_s

    def is_over(self) -> bool:
        """Say whether it is time."""
        return self._clock.now() >= self._until
