"""What goes wrong on the wire, as data: which reply of which instrument, from when on, how often."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# The layers below the wire (front end, wiring, plant) bring kinds of their own, each looked up in its layer.
WireFault = Literal["timeout", "latency", "garbage", "partial", "stale"]

_ARGUMENTS: dict[str, dict[str, str]] = {  # of each kind: name -> what it takes
    "timeout": {},
    "latency": {"seconds": "number"},
    "garbage": {"text": "text"},
    "partial": {"bytes": "number"},
    "stale": {},
}
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(rf"(?:{_NUMBER}\s*h)?\s*(?:{_NUMBER}\s*m(?:in)?)?\s*(?:{_NUMBER}\s*s)?")


def duration_s(text: object) -> object:
    """Return ``"2h15m"``, ``"90 min"`` or ``"5s"`` in s; anything but text is returned as it is.

    Raises:
        ValueError: for text that is no time.

    >>> duration_s("2h15m")
    8100.0
    """
    if not isinstance(text, str):
        return text
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is no time; write for example '2h15m', '90 s' or a number of seconds")
    hours, minutes, seconds = (float(part or 0.0) for part in found.groups())
    return hours * 3600.0 + minutes * 60.0 + seconds


class FaultSettings(BaseModel):
    """The table ``[[fault]]`` of a lab file; it spoils replies, never commands.

    ``target`` is a glob on the name of the instrument, ``match`` one on the message that asked (case does not
    count), ``at`` lab time in s (or ``"2h15m"``), from which on it spoils the next ``count`` replies.

    ===========  =====================================================  =========================
    kind         what becomes of the reply                              args
    ===========  =====================================================  =========================
    ``timeout``  it never comes                                         -
    ``latency``  it comes later                                         ``seconds`` (3)
    ``garbage``  every second character is ``?``                        ``text``: this instead
    ``partial``  it ends early, without its terminator                  ``bytes`` (half) are left
    ``stale``    the reply before it comes first, then it does itself   -
    ===========  =====================================================  =========================
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: WireFault
    target: str = "*"
    match: str = "*"
    at: Annotated[float, BeforeValidator(duration_s), Field(ge=0)] = 0.0
    count: int = Field(default=1, ge=1)
    args: dict[str, int | float | str] = {}

    @model_validator(mode="after")
    def _check_args(self) -> "FaultSettings":
        allowed = _ARGUMENTS[self.kind]
        for name, value in self.args.items():
            if name not in allowed:
                names = ", ".join(allowed) or "nothing"
                raise ValueError(f"args of a fault {self.kind!r} take {names}, not {name!r}")
            if isinstance(value, str) != (allowed[name] == "text"):
                raise ValueError(f"args.{name} = {value!r} is no {allowed[name]}")
            if not isinstance(value, str) and value < 0:
                raise ValueError(f"args.{name} = {value:g} is negative")
        return self


class JournalEntry(NamedTuple):
    """A fault that struck, or a message that strict mode refused: lab time in s, who, what, the command."""

    t: float
    instrument: str
    kind: str
    command: str


class Faults:
    """The plan of what goes wrong, and the journal of what did."""

    def __init__(self, journal: list[JournalEntry]) -> None:
        self.armed: list[tuple[FaultSettings, int]] = []  # with how often each may still strike
        self._journal = journal

    def add(
        self,
        kind: WireFault,
        target: str = "*",
        match: str = "*",
        at: float | str = 0.0,
        count: int = 1,
        **args: float | str,
    ) -> None:
        """Plan a fault; the arguments are those of :class:`FaultSettings`.

        Raises:
            ValueError: for an unknown kind or argument, a negative time or a count below 1.
        """
        table = {"kind": kind, "target": target, "match": match, "at": at, "count": count, "args": args}
        self.plan(FaultSettings.model_validate(table))

    def plan(self, fault: FaultSettings) -> None:
        """Plan a fault of a lab file."""
        self.armed.append((fault, fault.count))

    def strike(self, instrument: str, message: str, t: float) -> FaultSettings | None:
        """Return the fault that spoils the reply to ``message``, if any, and write it down."""
        for place, (fault, left) in enumerate(self.armed):
            if (
                t >= fault.at
                and fnmatchcase(instrument, fault.target)
                and fnmatchcase(message.upper(), fault.match.upper())
            ):
                if left > 1:
                    self.armed[place] = (fault, left - 1)
                else:
                    del self.armed[place]
                self._journal.append(JournalEntry(t, instrument, fault.kind, message))
                return fault
        return None
