"""What each fault of MultiVu does to its sequence, its data file and the person before it."""

from typing import TYPE_CHECKING

from onnes.sim.fault_settings import Spell

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab


def begin_in_multivu(lab: "VirtualLab", spell: Spell) -> None:
    """Let a fault of MultiVu begin; those that end look at the time by themselves."""
    if spell.fault.kind == "operator_absent":
        if lab.operator is not None:
            lab.operator.stay_away(spell)
    elif lab.sequencer is not None:
        lab.sequencer.suffer(spell)
