"""What the contacts and leads of one loop do wrong, as functions of lab time."""

import math
from dataclasses import replace
from typing import Final

from onnes.sim.fault_settings import Spell
from onnes.sim.noise import Pink, microseconds, stream_key, white

_OPEN_OHM: Final = 1e12  # of an open contact (a)
_KEEP_S: Final = 600.0  # as far back as a meter looks
_NOISE_IN_S: Final = 0.02  # the time that the size of white noise is told for
_FLOATING_WHITE: Final = 0.3  # of the drift of an open input (a)


class LeadFaults:
    """The faults of the leads of ``loop``."""

    def __init__(self, loop: str, seed: int) -> None:
        self.spells: list[Spell] = []
        self._white = stream_key(seed, f"leads/{loop}/white")
        self._floating = Pink(stream_key(seed, f"leads/{loop}/floating"))

    def suffer(self, spell: Spell) -> None:
        """Take a fault upon it from ``spell.begin`` on."""
        oldest = spell.begin - _KEEP_S
        self.spells = [old for old in self.spells if old.end > oldest] + [spell]

    def heal(self, spell: Spell, t: float) -> None:
        """Let a fault that was suffered end at ``t``."""
        self.spells = [replace(old, end=t) if old is spell else old for old in self.spells]

    def ohm(self, t: float) -> float:
        """Return what stands in the way of the current beside sample and leads, ohm."""
        ohm = 0.0
        for spell in self.spells:
            if spell.covers(t):
                fault = spell.fault
                if fault.kind == "compliance":
                    ohm += fault.number("ohm")
                elif fault.kind == "contact_open" and fault.text("contacts") == "current":
                    ohm += _OPEN_OHM
        return ohm

    def is_floating(self, t: float) -> bool:
        """Say whether a voltage contact is open, so that the meter does not see the sample."""
        return any(_floats(spell) and spell.covers(t) for spell in self.spells)

    def edges(self, t0: float, t1: float) -> list[float]:
        """Return the times inside (t0, t1) at which a fault begins or ends."""
        return [t for spell in self.spells for t in (spell.begin, spell.end) if t0 < t < t1]

    def added_v(self, t0: float, t1: float) -> float:
        """Return the mean of what the leads add to the voltage from ``t0`` to ``t1``, V."""
        middle = 0.5 * (t0 + t1)
        volts = 0.0
        for spell in self.spells:
            if not spell.covers(middle):
                continue
            fault = spell.fault
            if fault.kind == "lead_noise":
                noise = white(self._white, microseconds(middle))
                volts += fault.number("volts") * noise * math.sqrt(_NOISE_IN_S / (t1 - t0))
            elif fault.kind == "line_spur":
                radians_per_s = 2.0 * math.pi * fault.number("hz")
                begin, end = (math.cos(radians_per_s * t) for t in (t0, t1))
                volts += fault.number("volts") * (begin - end) / (radians_per_s * (t1 - t0))
            elif _floats(spell):
                noise = self._floating(middle) + _FLOATING_WHITE * white(self._white, microseconds(middle))
                volts += fault.number("volts") * noise
        return volts

    def spurs(self, t: float) -> list[tuple[float, complex]]:
        """Return (frequency in Hz, V rms relative to ``sin(2 pi hz t)``) of each line spur."""
        return [
            (spell.fault.number("hz"), complex(spell.fault.number("volts") / math.sqrt(2.0)))
            for spell in self.spells
            if spell.fault.kind == "line_spur" and spell.covers(t)
        ]

    def density(self, t: float) -> float:
        """Return the density of the white noise of leads and open contacts, V/sqrt(Hz)."""
        square = 0.0
        for spell in self.spells:
            if spell.covers(t) and (spell.fault.kind == "lead_noise" or _floats(spell)):
                share = 1.0 if spell.fault.kind == "lead_noise" else _FLOATING_WHITE
                # A mean over a time T passes white noise of a bandwidth of 1 / 2T.
                square += 2.0 * _NOISE_IN_S * (share * spell.fault.number("volts")) ** 2
        return math.sqrt(square)


def _floats(spell: Spell) -> bool:
    return spell.fault.kind == "contact_open" and spell.fault.text("contacts") == "voltage"
