"""Who drives which loop, who reads which pair of contacts, and what the leads add.

All meters of a loop see one sample at one temperature and field. A source port keeps its timeline, because a
meter that integrates looks back; the part that nobody can ask for any more is dropped.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from onnes.instruments.errors import ConfigurationError
from onnes.sim.cryostat import Cryostat
from onnes.sim.fault_settings import Spell
from onnes.sim.faults_wiring import LeadFaults
from onnes.sim.loops import Loop
from onnes.sim.magnet import Magnet
from onnes.sim.noise import Pink, stream_key
from onnes.sim.samples import Sample
from onnes.sim.sources import Level, Reference, Timeline
from onnes.sim.tones import Tone

if TYPE_CHECKING:
    from onnes.sim.lock_in import Phasors

_PORT: Final = r"^\w+\.\w+$"  # instrument, dot, terminal
_BRIDGE_S: Final = 0.24  # a bridge takes 75 readings in 18 s (m)


class DriveSettings(BaseModel):
    """A table ``[[drive]]`` of a lab file: the source ``port`` feeds the current contacts of ``loop``.

    A terminal that gives a voltage, such as the sine output of a lock-in, drives it through ``series_ohm``:
    the resistance of the whole circuit, beside which that of the sample is small.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: str = Field(pattern=_PORT)
    loop: str = Field(min_length=1)
    series_ohm: float | None = Field(default=None, gt=0)


class ReadSettings(BaseModel):
    """A table ``[[read]]`` of a lab file: ``port`` reads the voltage contacts of ``loop``.

    The thermal EMF in nV is ``emf_nv``, plus ``emf_drift_nv_per_s`` times lab time, plus a slow drift of
    ``emf_noise_nv`` rms with a 1/f spectrum, plus ``emf_nv_per_k_per_min`` times the rate at which the sample
    warms (sizes assumed). ``lead_ohm`` is the resistance of each contact and lead: nothing of it is
    in a four-probe voltage, but the source has to drive its current through two of them.

    The contacts open when the sample cools below ``opens_below_k`` and close again when it warms above
    ``closes_above_k``, without which they stay open. The current of the loop is then cut and none of its
    meters sees the sample: one pair of a loop says it for all.
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


class _Pair:
    """Two voltage contacts, and the EMF that sits between them and the meter."""

    def __init__(self, settings: ReadSettings, loop: Loop, seed: int) -> None:
        self.settings = settings
        self.loop = loop
        self.drift = Pink(stream_key(seed, f"emf/{settings.port}"))


class Wiring:
    """The netlist of the lab. Ports are named ``instrument.terminal``; times are lab seconds.

    Beside the pairs of the loops a port may listen to something else that is alternating, such as a pick-up
    coil: a provider of phasors.

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
        references: Sequence[ReferenceSettings] = (),
    ) -> None:
        self._cryostat = cryostat
        self._magnet = magnet
        names = [*samples, *(drive.loop for drive in drives), *(read.loop for read in reads)]
        self._loops = loops = {
            name: Loop(samples.get(name), LeadFaults(name, seed), cryostat, magnet) for name in names
        }
        self._driven: dict[str, Loop] = {}
        self._per_unit: dict[str, float] = {}  # A of a source for 1 A or 1 V of its port
        self._sources: dict[str, Timeline[Level]] = {}
        for drive in drives:
            if drive.port in self._sources:
                raise ConfigurationError(f"[[drive]] port {drive.port!r} is wired twice; give it one loop")
            self._driven[drive.port] = loops[drive.loop]
            self._per_unit[drive.port] = 1.0 if drive.series_ohm is None else 1.0 / drive.series_ohm
            self._sources[drive.port] = source = Timeline(Level())
            loops[drive.loop].sources.append(source)
        self._pairs: dict[str, _Pair] = {}
        for read in reads:
            if read.port in self._pairs:
                raise ConfigurationError(f"[[read]] port {read.port!r} is wired twice; give it one loop")
            loop = loops[read.loop]
            self._pairs[read.port] = _Pair(read, loop, seed)
            # The contacts of one sample are alike: the worst pair stands for the current contacts.
            loop.leads_ohm = max(loop.leads_ohm, 2.0 * read.lead_ohm)
        self._given: dict[str, Timeline[Reference]] = {}  # by the terminal that gives it
        self._taken: dict[str, str] = {}  # reference input: who gives it
        self._listeners: dict[str, Callable[[float], None]] = {}  # by reference input
        for reference in references:
            if reference.port in self._taken:
                raise ConfigurationError(
                    f"[[reference]] port {reference.port!r} is wired twice; give it one source"
                )
            self._taken[reference.port] = reference.source
            self._given.setdefault(reference.source, Timeline(Reference()))
        self._providers: dict[str, Phasors] = {}

    @property
    def ports(self) -> frozenset[str]:
        """Return the ports that are wired to anything."""
        return frozenset(self._sources) | frozenset(self._pairs) | frozenset(self._providers)

    @property
    def loops(self) -> tuple[str, ...]:
        """Return the names of the loops."""
        return tuple(self._loops)

    def add_provider(self, port: str, provider: "Phasors") -> None:
        """Let ``port`` read what ``provider`` gives.

        Raises:
            ConfigurationError: if it reads something else already.
        """
        if port in self._pairs or port in self._providers:
            raise ConfigurationError(f"port {port!r} reads two things; give it one")
        self._providers[port] = provider

    @property
    def memory_s(self) -> float:
        """Return how far back a meter may look, s: what is older is forgotten."""
        return self._cryostat.keep_s

    def look_back(self, seconds: float) -> None:
        """Keep what sources, references, temperature and field were for at least this long, s."""
        self._cryostat.keep_s = max(self._cryostat.keep_s, seconds)
        self._magnet.keep_s = max(self._magnet.keep_s, seconds)
        for source in self._sources.values():
            source.keep_s = max(source.keep_s, seconds)
        for given in self._given.values():
            given.keep_s = max(given.keep_s, seconds)

    # --- sources

    def output(self, port: str) -> Timeline[Level]:
        """Return what a source port gives, from now on also of one that drives no loop.

        Of a port that gives a voltage the levels of a loop are currents already, those of no loop volts.
        """
        return self._sources.setdefault(port, Timeline(Level()))

    def set_source(
        self, port: str, t: float, amps: float, compliance_v: float, tone: Tone | None = None
    ) -> None:
        """Set the current of a source from ``t`` on; an unwired port drives nothing.

        Args:
            amps: in V for a port that is wired through ``series_ohm``, as is the peak of ``tone``.
            tone: the alternating part of the current, beside the direct ``amps``.
        """
        source = self._sources.get(port)
        if source is None:
            return
        per_unit = self._per_unit.get(port, 1.0)
        if tone is not None:
            tone = Tone(tone.hz, tone.peak * per_unit, tone.phase)
        source.set(t, Level(amps * per_unit, compliance_v, tone))

    def suffer(self, loop: str, spell: Spell) -> None:
        """Let a fault of the leads of ``loop`` begin."""
        self._loops[loop].faults.suffer(spell)

    def heal(self, loop: str, spell: Spell, t: float) -> None:
        """Let a fault of the leads of ``loop`` end at ``t``."""
        self._loops[loop].faults.heal(spell, t)

    def in_compliance(self, port: str, t: float) -> bool:
        """Say whether the source cannot drive its current: sample and leads ask for more than its limit.

        Of a current with a tone the peak decides.
        """
        loop = self._driven.get(port)
        if loop is None:
            return False
        level = self._sources[port].at(t)
        return bool(level.peak_a) and loop.needed_v(level.peak_a, t) > level.limit_v

    def terminals(self, port: str, t: float) -> tuple[float, float]:
        """Return (current in A, voltage in V) at the terminals of a source, its leads included.

        The terminals of an unwired one are shorted, with no current.
        """
        loop = self._driven.get(port)
        if loop is None:
            return 0.0, 0.0
        level = self._sources[port].at(t)
        return loop.terminals(level.amps, level.limit_v, t)

    # --- references

    def set_reference(self, port: str, t: float, hz: float, phase: float = 0.0) -> None:
        """Let ``port`` give the reference ``sin(2 pi hz t + phase)`` from ``t`` on; 0 Hz is none."""
        given = self._given.get(port)
        reference = Reference(hz, phase)
        if given is None or given.at(t) == reference:
            return
        given.set(t, reference)
        for taker, source in self._taken.items():
            if source == port and taker in self._listeners:
                self._listeners[taker](t)

    def follow_reference(self, port: str, listener: Callable[[float], None]) -> None:
        """Call ``listener(t)`` whenever the reference at the input ``port`` was set."""
        self._listeners[port] = listener

    def reference(self, port: str) -> Timeline[Reference] | None:
        """Return the reference at the input ``port``; None if nothing is wired to it."""
        source = self._taken.get(port)
        return None if source is None else self._given[source]

    # --- what a meter reads

    def mean_voltage(self, port: str, t0: float, t1: float) -> float:
        """Return the mean voltage between the contacts of ``port`` from ``t0`` to ``t1``, V, without noise.

        An unwired port reads 0 V. Cut where a source changed; in a piece its middle stands for it, exact for
        whatever changes as a straight line. An integrating meter is taken to average a tone away: there is
        left what the sample rectifies of it.
        """
        pair = self._pairs.get(port)
        if pair is None:
            return 0.0
        middle = 0.5 * (t0 + t1)
        extra_v = self._emf_v(pair, middle)
        faults = pair.loop.faults
        cuts: list[float] = []
        if faults.spells:
            extra_v += faults.added_v(t0, t1)
            cuts += faults.edges(t0, t1)
        for source in pair.loop.sources:
            cuts += source.changes(t0, t1)
        if not cuts:
            return pair.loop.mean_voltage(middle) + extra_v
        edges = [t0, *sorted(cuts), t1]
        area = sum(
            (end - begin) * pair.loop.mean_voltage(0.5 * (begin + end)) for begin, end in pairwise(edges)
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
        loop = pair.loop
        amps = loop.limited(amps, limit_v, t)
        if loop.faults.is_floating(t):
            return amps, loop.faults.added_v(t - _BRIDGE_S, t)
        return amps, 0.5 * (loop.voltage(amps, t) - loop.voltage(-amps, t))

    # --- what a lock-in hears

    def heard(
        self, port: str, t: float, hz: float, phase: float, harmonic: int
    ) -> tuple[complex, list[tuple[float, complex]]]:
        """Return X + iY at ``harmonic`` times the reference ``sin(2 pi hz t + phase)``, and all beside it.

        Beside it are (Hz above the detected frequency, X + iY at lab time 0). All are V rms without noise; an
        unwired port hears nothing.
        """
        provider = self._providers.get(port)
        if provider is not None:
            return provider.phasor(port, t, hz, phase, harmonic), []
        pair = self._pairs.get(port)
        if pair is None:
            return 0j, []
        loop, detected_hz = pair.loop, harmonic * hz
        found, others = loop.heard(t, detected_hz)
        if loop.faults.spells:
            others += loop.faults.spurs(t)
        if phase:
            back = complex(math.cos(harmonic * phase), -math.sin(harmonic * phase))
            return found * back, [(own_hz - detected_hz, other * back) for own_hz, other in others]
        return found, [(own_hz - detected_hz, other) for own_hz, other in others]

    def changes(self, port: str, t0: float, t1: float, *, dc: bool = False) -> list[float]:
        """Return the times inside (t0, t1), sorted, at which what a lock-in hears may jump.

        With ``dc`` also those at which the direct voltage at its input may.
        """
        provider = self._providers.get(port)
        if provider is not None:
            return provider.changes(port, t0, t1)
        pair = self._pairs.get(port)
        return [] if pair is None else pair.loop.changes(t0, t1, dc=dc)

    def ohms(self, port: str, t: float) -> float:
        """Return the resistance between the terminals of ``port``, whose thermal noise is heard, ohm."""
        provider = self._providers.get(port)
        if provider is not None:
            return provider.ohms(port, t)
        pair = self._pairs.get(port)
        return 0.0 if pair is None else 2.0 * pair.settings.lead_ohm + pair.loop.ohms(t)

    def lead_noise(self, port: str, t: float) -> float:
        """Return the noise density that faulty leads add, V/sqrt(Hz)."""
        pair = self._pairs.get(port)
        return 0.0 if pair is None else pair.loop.faults.density(t)

    def extremes(self, port: str, t: float) -> tuple[float, float]:
        """Return the lowest and the highest voltage that a loop brings to ``port`` in a cycle, V."""
        pair = self._pairs.get(port)
        if pair is None:
            return 0.0, 0.0
        emf_v = self._emf_v(pair, t)
        low, high = pair.loop.extremes(t)
        spur = sum(abs(found) for _, found in pair.loop.faults.spurs(t)) * math.sqrt(2.0)
        return low + emf_v - spur, high + emf_v + spur

    def _emf_v(self, pair: _Pair, t: float) -> float:
        settings = pair.settings
        emf_nv = settings.emf_nv + settings.emf_drift_nv_per_s * t
        if settings.emf_noise_nv:
            emf_nv += settings.emf_noise_nv * pair.drift(t)
        if settings.emf_nv_per_k_per_min:
            emf_nv += settings.emf_nv_per_k_per_min * 60.0 * self._cryostat.sample_rate(t)
        return 1e-9 * emf_nv
