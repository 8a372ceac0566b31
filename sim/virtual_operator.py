"""The person who starts a sequence in MultiVu: looks into the folder, and opens what is new after a while."""

from typing import TYPE_CHECKING, Final

from onnes.sim.fault_settings import Spell
from onnes.sim.sequencer import Sequencer

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_LOOK_S: Final = 10.0
_START_FILES: Final = "onnes-start-*.seq"


class VirtualOperator:
    """Opens each start file that was not there when the lab opened, ``delay_s`` after MultiVu was free.

    With a negative ``delay_s`` nobody comes.
    """

    def __init__(self, lab: "VirtualLab", sequencer: Sequencer, delay_s: float) -> None:
        self._lab = lab
        self._sequencer = sequencer
        self._delay_s = delay_s
        self._known = set(self._start_files())
        self._asked: dict[str, float] = {}  # start file -> since when it waits for a free MultiVu
        self._absences: list[Spell] = []
        if delay_s >= 0:
            lab.at(lab.now() + _LOOK_S, self._look)

    def stay_away(self, spell: Spell) -> None:
        """Let nobody come while the fault lasts."""
        self._absences.append(spell)

    def _look(self, t: float) -> None:
        self._lab.at(t + _LOOK_S, self._look)
        if not self._sequencer.is_idle or any(spell.covers(t) for spell in self._absences):
            self._asked.clear()
            return
        for name in self._start_files():
            if name not in self._known:
                self._asked.setdefault(name, t)
        waited = sorted((since, name) for name, since in self._asked.items())
        if waited and t - waited[0][0] >= self._delay_s:
            name = waited[0][1]
            del self._asked[name]
            self._known.add(name)
            self._sequencer.start(name, t)

    def _start_files(self) -> list[str]:
        return sorted(path.name for path in self._sequencer.folders.sequences.glob(_START_FILES))
