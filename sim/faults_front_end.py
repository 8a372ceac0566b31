"""What the input of a meter does wrong: readings that stick, shift, run away or overflow."""

from collections.abc import Callable

from onnes.sim.fault_settings import Spell


class FrontEnd:
    """The faults of one meter's input, as functions of lab time.

    Args:
        convert: gives the healthy conversion that ended at a time in s, V.
    """

    def __init__(self, convert: Callable[[float], float]) -> None:
        self._convert = convert
        self._spells: list[tuple[Spell, float]] = []  # with the voltage that is held, if it is stuck

    def suffer(self, spell: Spell) -> None:
        """Take a fault upon it from ``spell.begin`` on."""
        held = self._convert(spell.begin) if spell.fault.kind == "stuck" else 0.0
        now = spell.begin
        self._spells = [(old, volts) for old, volts in self._spells if old.end > now] + [(spell, held)]

    def shown(self, volts: float, t: float) -> float:
        """Return what a conversion of ``volts`` that ends at ``t`` becomes, V."""
        for spell, held in self._spells:
            if spell.covers(t):
                fault = spell.fault
                if fault.kind == "stuck":
                    return held
                if fault.kind == "offset":
                    volts += fault.number("volts")
                elif fault.kind == "drift":
                    volts += fault.number("volts_per_s") * (t - spell.begin)
        return volts

    def span(self, volts: float, t: float) -> float:
        """Return the range in V that it is in, where it was told ``volts``."""
        for spell, _ in self._spells:
            if spell.fault.kind == "range_stuck" and spell.covers(t):
                return spell.fault.number("volts")
        return volts

    def overloads(self, t: float) -> bool:
        """Say whether it is over range, whatever comes in."""
        return any(spell.fault.kind == "overload" and spell.covers(t) for spell, _ in self._spells)
