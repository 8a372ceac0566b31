"""How a night ends: what is judged from an error, and what is told to who waits for it."""

from dataclasses import dataclass
from typing import Literal

from onnes.instruments.errors import InstrumentFault, OnnesError
from onnes.runner.requests import Interrupted

Ending = Literal["finished", "failed", "stopped", "aborted"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a night ended, and whether its safe state was read back."""

    status: Ending
    safe: bool
    message: str

    @property
    def exit_code(self) -> int:
        """Return 0 finished, 3 failed, 4 stopped or aborted, 5 safe state not confirmed."""
        if not self.safe:
            return 5
        return {"finished": 0, "failed": 3, "stopped": 4, "aborted": 4}[self.status]


@dataclass(frozen=True, slots=True)
class Ended:
    """How the steps ended, in a sentence, and whether ``finish`` may move field and temperature.

    ``is_fault`` says that an instrument is in a fault state: a person has to look before anything goes on.
    """

    status: Ending
    message: str
    may_finish: bool
    is_fault: bool = False


def chain_of(error: BaseException) -> list[BaseException]:
    """Return an error with all that came before it, the latest first.

    What fails while cleaning up must not hide what came first.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def ended_by(error: BaseException) -> Ended:
    """Judge an end by the whole chain of errors.

    A fault state outranks everything, an abort a stop, a stop what failed after it. Neither after a fault nor
    after an abort may field or temperature be moved.
    """
    chain = chain_of(error)
    told = dict.fromkeys(str(e) for e in reversed(chain) if isinstance(e, OnnesError | Interrupted))
    once = [text for text in told if not any(text in other for other in told if other != text)]
    message = "; then ".join(once) or f"{type(error).__name__}: {error}"
    kinds = {e.request.kind for e in chain if isinstance(e, Interrupted)}
    if any(isinstance(e, InstrumentFault) for e in chain):
        return Ended("failed", message, may_finish=False, is_fault=True)
    if "abort" in kinds:
        return Ended("aborted", message, may_finish=False)
    if "stop" in kinds:
        return Ended("stopped", message, may_finish=True)
    return Ended("failed", message, may_finish=True)
