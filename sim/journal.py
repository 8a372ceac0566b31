"""What the virtual lab writes down of faults, of refused messages, and of the sequences that MultiVu runs."""

from typing import NamedTuple


class JournalEntry(NamedTuple):
    """A fault that struck, or a message that strict mode refused: lab time in s, who, what, the command.

    Of MultiVu's own ``sequence`` the command says what became of it, and where.

    Of a fault that no message met the command says ``begins``, ``ends`` or ``happens``.
    """

    t: float
    instrument: str
    kind: str
    command: str
