"""Who drives which loop, who reads which pair of contacts, and what the leads add.

All meters of a loop see one sample at one temperature and field. A source port keeps its timeline, because a
meter that integrates looks back; the part that nobody can ask for any more is dropped.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from onnes.instruments.errors import ConfigurationError
from onnes.sim.cryostat import Cryostat
from onnes.sim.fault_settings import Spell
from onnes.sim.faults_wiring import LeadFaults
from onnes.sim.magnet import Magnet
from onnes.sim.noise import Pink, stream_key
from onnes.sim.samples import Sample
from onnes.sim.tones import Tone

_PORT: Final = r"^\w+\.\w+$"  # instrument, dot, terminal
_KEEP_S: Final = 600.0  # ten readings of 50 power line cycles, and more
_PRUNE_AT: Final = 256
_BRIDGE_S: Final = 0.24  # a bridge takes 75 readings in 18 s (m)


class DriveSettings(BaseModel):
    """A table ``[[drive]]`` of a lab file: the source ``port`` feeds the current contacts of ``loop``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: str = Field(pattern=_PORT)
    loop: str = Field(min_length=1)


class ReadSettings(BaseModel):
    """A table ``[[read]]`` of a lab file: ``port`` reads the voltage contacts of ``loop``.

    The thermal EMF in nV is ``emf_nv``, plus ``emf_drift_nv_per_s`` times lab time, plus a slow drift of
    ``emf_noise_nv`` rms with a 1/f spectrum, plus ``emf_nv_per_k_per_min`` times the rate at which the sample
    warms (sizes assumed). ``lead_ohm`` is the resistance of each contact and lead: nothing of it is
    in a four-probe voltage, but the source has to drive its current through two of them.

    The contacts open when the sample cools below ``opens_below_k`` and close again when it warms above
    ``closes_above_k``, without which they stay open.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: str = Field(pattern=_PORT)
    loop: str = Field(min_length=1)
    emf_nv: float = 300.0
    emf_drift_nv_per_s: float = 0.0
    emf_noise_nv: float = Field(default=20.0, ge=0)
    emf_nv_per_k_per_min: float = 10.0
    lead_ohm: float = Field(default=12.0, ge=0)
    opens_below_k: float | None = Field(default=None, gt=0)
    closes_above_k: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _closes_above(self) -> "ReadSettings":
        if self.closes_above_k is None:
            return self
        if self.opens_below_k is None:
            raise ValueError(
                f"closes_above_k = {self.closes_above_k:.9g} K has no opens_below_k; give where the contacts "
                "open, or leave it out"
            )
        if self.closes_above_k < self.opens_below_k:
            raise ValueError(
                f"closes_above_k = {self.closes_above_k:.9g} K is below opens_below_k = "
                f"{self.opens_below_k:.9g} K, where the contacts open"
            )
        return self


class ReferenceSettings(BaseModel):
    """A table ``[[reference]]`` of a lab file: ``port`` takes its reference from the terminal ``from``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: str = Field(pattern=_PORT)
    source: str = Field(pattern=_PORT, alias="from")


class _Source:
    """What one source port was set to: current in A and the voltage in V that it will not exceed."""

    def __init__(self) -> None:
        self._times = [-math.inf]
        self._levels = [(0.0, math.inf)]

    def set(self, t: float, amps: float, limit_v: float) -> None:
        level = (amps, limit_v)
        if level == self._levels[-1]:
            return
        if len(self._times) > _PRUNE_AT:
            first = max(0, bisect_right(self._times, t - _KEEP_S) - 1)
            del self._times[:first], self._levels[:first]
        self._times.append(t)
        self._levels.append(level)

    def at(self, t: float) -> tuple[float, float]:
        if t >= self._times[-1]:
            return self._levels[-1]
        return self._levels[max(0, bisect_right(self._times, t) - 1)]

    def changes(self, t0: float, t1: float) -> list[float]:
        """Return the times of change inside (t0, t1)."""
        if t0 >= self._times[-1]:
            return []
        return [t for t in self._times[bisect_right(self._times, t0) :] if t < t1]


class _Loop:
    """One sample with all that is clipped to it."""

    def __init__(self, sample: Sample | None, faults: LeadFaults) -> None:
        self.sample = sample
        self.faults = faults
        self.sources: list[_Source] = []
        self.leads_ohm = 0.0  # of the two current leads together


class _Pair:
    """Two voltage contacts, and the EMF that sits between them and the meter."""

    def __init__(self, settings: ReadSettings, loop: _Loop, seed: int) -> None:
        self.settings = settings
        self.loop = loop
        self.drift = Pink(stream_key(seed, f"emf/{settings.port}"))


class Wiring:
    """The netlist of the lab. Ports are named ``instrument.terminal``; times are lab seconds.

    Raises:
        ConfigurationError: if a port is wired twice.
    """

    def __init__(
        self,
        drives: Sequence[DriveSettings],
        reads: Sequence[ReadSettings],
        samples: Mapping[str, Sample],
        cryostat: Cryostat,
        magnet: Magnet,
        seed: int,
    ) -> None:
        self._cryostat = cryostat
        self._magnet = magnet
        names = [*samples, *(drive.loop for drive in drives), *(read.loop for read in reads)]
        self._loops = loops = {name: _Loop(samples.get(name), LeadFaults(name, seed)) for name in names}
        self._driven: dict[str, _Loop] = {}
        self._sources: dict[str, _Source] = {}
        for drive in drives:
            if drive.port in self._sources:
                raise ConfigurationError(f"[[drive]] port {drive.port!r} is wired twice; give it one loop")
            self._driven[drive.port] = loops[drive.loop]
            self._sources[drive.port] = source = _Source()
            loops[drive.loop].sources.append(source)
        self._pairs: dict[str, _Pair] = {}
        for read in reads:
            if read.port in self._pairs:
                raise ConfigurationError(f"[[read]] port {read.port!r} is wired twice; give it one loop")
            loop = loops[read.loop]
            self._pairs[read.port] = _Pair(read, loop, seed)
            # The contacts of one sample are alike: the worst pair stands for the current contacts.
            loop.leads_ohm = max(loop.leads_ohm, 2.0 * read.lead_ohm)

    @property
    def ports(self) -> frozenset[str]:
        """Return the ports that are wired to anything."""
        return frozenset(self._sources) | frozenset(self._pairs)

    @property
    def loops(self) -> tuple[str, ...]:
        """Return the names of the loops."""
        return tuple(self._loops)

    def set_source(
        self, port: str, t: float, amps: float, compliance_v: float, tone: Tone | None = None
    ) -> None:
        """Set the current of a source from ``t`` on; an unwired port drives nothing.

        Args:
            tone: the alternating part of the current, beside the direct ``amps``.
        """
        if tone is not None:
            raise NotImplementedError(f"{port} has a tone, which no meter here hears yet")
        source = self._sources.get(port)
        if source is not None:
            source.set(t, amps, compliance_v)

    def suffer(self, loop: str, spell: Spell) -> None:
        """Let a fault of the leads of ``loop`` begin."""
        self._loops[loop].faults.suffer(spell)

    def heal(self, loop: str, spell: Spell, t: float) -> None:
        """Let a fault of the leads of ``loop`` end at ``t``."""
        self._loops[loop].faults.heal(spell, t)

    def in_compliance(self, port: str, t: float) -> bool:
        """Say whether the source cannot drive its current: sample and leads ask for more than its limit."""
        loop = self._driven.get(port)
        if loop is None:
            return False
        amps, limit_v = self._sources[port].at(t)
        if not amps:
            return False
        return abs(self._voltage(loop, amps, t)) + abs(amps) * self._leads_ohm(loop, t) > limit_v

    def mean_voltage(self, port: str, t0: float, t1: float) -> float:
        """Return the mean voltage between the contacts of ``port`` from ``t0`` to ``t1``, V, without noise.

        An unwired port reads 0 V. Cut where a source changed; in a piece its middle stands for it, exact for
        whatever changes as a straight line.
        """
        pair = self._pairs.get(port)
        if pair is None:
            return 0.0
        middle = 0.5 * (t0 + t1)
        settings = pair.settings
        emf_nv = settings.emf_nv + settings.emf_drift_nv_per_s * middle
        if settings.emf_noise_nv:
            emf_nv += settings.emf_noise_nv * pair.drift(middle)
        if settings.emf_nv_per_k_per_min:
            emf_nv += settings.emf_nv_per_k_per_min * 60.0 * self._cryostat.sample_rate(middle)
        faults = pair.loop.faults
        extra_v = 1e-9 * emf_nv
        cuts: list[float] = []
        if faults.spells:
            extra_v += faults.added_v(t0, t1)
            cuts += faults.edges(t0, t1)
        for source in pair.loop.sources:
            cuts += source.changes(t0, t1)
        if not cuts:
            return self._loop_voltage(pair.loop, middle) + extra_v
        edges = [t0, *sorted(cuts), t1]
        area = sum(
            (end - begin) * self._loop_voltage(pair.loop, 0.5 * (begin + end))
            for begin, end in pairwise(edges)
        )
        return area / (t1 - t0) + extra_v

    def alternating(self, port: str, amps: float, limit_v: float, t: float) -> tuple[float, float]:
        """Return (current in A, voltage in V) of a bridge on ``port`` that reverses its own excitation.

        What does not reverse with it, the EMF and the current of other sources, drops out. The current falls
        where the loop would need more than ``limit_v``.
        """
        pair = self._pairs.get(port)
        if pair is None or not amps:
            return 0.0, 0.0
        amps = self._limited(pair.loop, amps, limit_v, t)
        if pair.loop.faults.is_floating(t):
            return amps, pair.loop.faults.added_v(t - _BRIDGE_S, t)
        return amps, 0.5 * (self._voltage(pair.loop, amps, t) - self._voltage(pair.loop, -amps, t))

    def _voltage(self, loop: _Loop, amps: float, t: float) -> float:
        if loop.sample is None:  # the contacts are shorted
            return 0.0
        return loop.sample.voltage(amps, self._cryostat.sample(t), self._magnet.at_sample(t), t)

    def _limited(self, loop: _Loop, amps: float, limit_v: float, t: float) -> float:
        ohms = abs(self._voltage(loop, amps, t) / amps) + self._leads_ohm(loop, t)
        return math.copysign(limit_v / ohms, amps) if abs(amps) * ohms > limit_v else amps

    def _leads_ohm(self, loop: _Loop, t: float) -> float:
        return loop.leads_ohm + loop.faults.ohm(t) if loop.faults.spells else loop.leads_ohm

    def _loop_voltage(self, loop: _Loop, t: float) -> float:
        if loop.faults.spells and loop.faults.is_floating(t):
            return 0.0
        levels = [source.at(t) for source in loop.sources]
        if len(levels) == 1:
            amps, limit_v = levels[0]
            volts = self._voltage(loop, amps, t) if amps else 0.0
            if abs(volts) + abs(amps) * self._leads_ohm(loop, t) <= limit_v:
                return volts
        driven = sum(self._limited(loop, amps, limit_v, t) for amps, limit_v in levels if amps)
        return self._voltage(loop, driven, t) if driven else 0.0
