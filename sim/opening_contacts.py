"""Contacts that open when the sample cools, and close only where it is warmer.

Whether they are open depends on the way there, so the agenda looks at the temperature of the sample, and each
time that they open is a spell like that of a fault: silver paint that cracks, a wire under tension.
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from onnes.sim.fault_settings import FaultSettings, Spell
from onnes.sim.journal import JournalEntry
from onnes.sim.wiring import ReadSettings

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_LOOK_S: Final = 2.0  # at 5 K/min the sample goes 0.17 K from one look to the next
# The pad under both wires gives way: the current does not pass, and the meter does not see the sample.
_OPEN: Final = tuple(
    FaultSettings(kind="contact_open", args={"contacts": contacts}) for contacts in ("current", "voltage")
)


class OpeningContacts:
    """The contacts of one loop, closed until a look finds the sample too cold.

    Args:
        opens_below_k: temperature of the sample in K below which they open.
        closes_above_k: above which they close again, K; infinity if they never do.
    """

    def __init__(self, lab: "VirtualLab", loop: str, opens_below_k: float, closes_above_k: float) -> None:
        self._lab = lab
        self._loop = loop
        self._opens_below_k = opens_below_k
        self._closes_above_k = closes_above_k
        self._spells: list[Spell] = []

    def look(self, t: float) -> None:
        """Open or close at lab time ``t`` in s, and plan the next look."""
        kelvin = self._lab.cryostat.sample(t)
        if not self._spells and kelvin < self._opens_below_k:
            self._spells = [Spell(fault, t, math.inf) for fault in _OPEN]
            for spell in self._spells:
                self._lab.wiring.suffer(self._loop, spell)
            self._note(t, "begins")
        elif self._spells and kelvin > self._closes_above_k:
            for spell in self._spells:
                self._lab.wiring.heal(self._loop, spell, t)
            self._spells = []
            self._note(t, "ends")
        self._lab.at(t + _LOOK_S, self.look)

    def _note(self, t: float, command: str) -> None:
        self._lab.journal.append(JournalEntry(t, self._loop, "contact_open", command))


def watch_contacts(lab: "VirtualLab", reads: Iterable[ReadSettings]) -> None:
    """Let the contacts of ``reads`` that open on cooling be looked at from now on.

    A lab that goes on where another stopped has them closed between the two temperatures, wherever it came
    from.
    """
    for read in reads:
        if read.opens_below_k is not None:
            closes_above_k = math.inf if read.closes_above_k is None else read.closes_above_k
            OpeningContacts(lab, read.loop, read.opens_below_k, closes_above_k).look(lab.now())
