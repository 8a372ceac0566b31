"""Which contacts are checked before a night measures with them, and at what current.

Each wiring is checked once, all of them before the first electrical block: a night need not come to its third
sample to learn that nobody soldered it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnes.runner import blocks
from onnes.runner.filled import Filled
from onnes.runner.problems import Place
from onnes.runner.quantity_text import Typed
from onnes.runner.sequence import Defaults
from onnes.runner.surroundings import Surroundings

Blocks = Sequence[Filled | None]


def usual_current(like: Filled) -> Typed | None:
    """Return the current of an electrical block, None if it leaves that to the sample's file.

    Of V(I) it is the smallest above 0: the larger ones are meant to leave the straight line.
    """
    current = like.get("current")
    if current is None or isinstance(current, Typed):
        return current
    above_zero: list[Typed] = sorted((one for one in current if one.number), key=lambda one: abs(one.number))
    return above_zero[0] if above_zero else None


@dataclass(frozen=True)
class ContactChecks:
    """Finds the electrical blocks of a night, and what they are to be checked with."""

    around: Surroundings
    defaults: Defaults

    def first_electrical(self, night: Blocks) -> int | None:
        """Return the index of the first electrical block of a night; a check of contacts is none."""
        return next((index for index, one in enumerate(night) if _is_electrical(one)), None)

    def next_on_its_wiring(self, night: Blocks, index: int) -> Filled | None:
        """Return the electrical block that comes after the check of contacts at ``index``, on its wiring."""
        check = night[index]
        if check is None or not isinstance(check.block, blocks.ContactCheck):
            return None
        wiring = self._wiring(check)
        ahead = night[index + 1 :]
        return next(
            (one for one in ahead if one and _is_electrical(one) and self._wiring(one) == wiring), None
        )

    def unwritten(self, ahead: Blocks, behind: Blocks, place: Place) -> Iterator[tuple[Filled, Filled]]:
        """Yield the checks that a night lacks, each with the first block on its wiring.

        Args:
            ahead: the blocks of the night from its first electrical one on.
            behind: those before it, which may be checks that somebody wrote.
            place: of the first electrical block.
        """
        checked = {self._wiring(one) for one in behind if one and isinstance(one.block, blocks.ContactCheck)}
        for one in ahead:
            wiring = None if one is None else self._wiring(one)
            if one is None or wiring is None or wiring in checked:
                continue
            checked.add(wiring)
            if _is_electrical(one):
                name = "contact_check"
                yield (
                    Filled(name, blocks.ContactCheck(wiring=wiring), self.defaults.contact_check, place),
                    one,
                )

    def _wiring(self, filled: Filled) -> str | None:
        """Return the wiring of an electrical block or a check; None where the block itself is refused."""
        if not (_is_electrical(filled) or isinstance(filled.block, blocks.ContactCheck)):
            return None
        tables = self.around.station.wiring
        fit = [
            name for name in self.around.samples if name in tables and tables[name].measures == "resistance"
        ]
        wiring = filled.get("wiring")
        method = filled.get("method") if isinstance(filled.block, blocks.ResistanceBlock) else None
        if wiring is None:
            fit = [name for name in fit if method in (None, tables[name].method)]
            return fit[0] if len(fit) == 1 else None
        return str(wiring) if wiring in fit else None


def _is_electrical(filled: Filled | None) -> bool:
    return filled is not None and isinstance(filled.block, blocks.ResistanceBlock | blocks.CurrentVoltage)
