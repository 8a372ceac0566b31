"""The failure policy of a step: how often it is tried again, and what happens when that is used up."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from onnes.runner import quantity_fields as typed
from onnes.runner.block_parts import Count, Part
from onnes.runner.yaml_text import Table

Then = Literal["skip", "safe_stop"]

_RETRIES, _WAIT_S = 2, 60.0


@dataclass(frozen=True, slots=True)
class OnError:
    """Try ``retries`` times more, ``wait_s`` after each failure; then skip the step or stop safely."""

    retries: int = _RETRIES
    wait_s: float = _WAIT_S
    then: Then = "safe_stop"


USUAL = OnError()
"""The policy where nobody gives one."""


class Retrying(Part):
    """The policy as a table; what is missing is the default."""

    called = "on_error"
    retry: Count = _RETRIES
    wait: typed.Time | None = None
    then: Then = "safe_stop"


OnErrorTyped = Annotated[
    Annotated[Then, Tag("in a word")] | Annotated[Retrying, Tag("in a table")],
    Discriminator(lambda value: "in a table" if isinstance(value, Table) else "in a word"),
]


def policy(given: Then | Retrying | None, around: OnError) -> OnError:
    """Return the policy as typed; a word alone means no retries, None means that of what is ``around``."""
    if given is None:
        return around
    if isinstance(given, Retrying):
        return OnError(given.retry, _WAIT_S if given.wait is None else float(given.wait), given.then)
    return OnError(0, 0.0, given)
