"""What the virtual lab writes down of faults and of refused messages."""

from typing import NamedTuple


class JournalEntry(NamedTuple):
    """A fault that struck, or a message that strict mode refused: lab time in s, who, what, the command.

    Of a fault that no message met the command says ``begins``, ``ends`` or ``happens``.
    """

    t: float
    instrument: str
    kind: str
    command: str
