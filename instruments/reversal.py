"""Reversal of a direct current: triples of voltages that cancel a thermal EMF, and who takes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from onnes.instruments.averages import mean_and_error, slope
from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.protocols import Resistance
from onnes.instruments.sourced import Source, Sourced

# One line cycle takes the hum of the mains out, at 15 nV rms; further averaging is done by the triples, whose
# scatter is the error.
LINE_CYCLES = 1.0

# From the change of the current to the reading: the leads and filters of a cryostat settle in about 1 ms.
SETTLE_S = 0.02

SIGNS = (1.0, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Triple:
    """V(+I), V(-I), V(+I), and when each was read, s."""

    volts: tuple[float, float, float]
    times: tuple[float, float, float]

    @property
    def reversing(self) -> float:
        """Return the part that reverses with the current; a drift of the EMF drops out."""
        first, second, third = self.volts
        return (first - 2.0 * second + third) / 4.0

    @property
    def emf(self) -> float:
        """Return the part that does not reverse, at the time of the second reading."""
        first, second, third = self.volts
        return (first + 2.0 * second + third) / 4.0


def triples_of(readings: int) -> int:
    """Return how many triples give at least ``readings`` readings and a scatter."""
    return max(2, math.ceil(readings / len(SIGNS)))


def resistance_of(triples: Sequence[Triple], current: float, flags: tuple[str, ...]) -> Resistance:
    """Return what at least two triples at +-``current``, A, say together."""
    n = len(triples)
    voltage, scatter = mean_and_error([triple.reversing for triple in triples])
    emfs = [triple.emf for triple in triples]
    return Resistance(
        voltage=voltage,
        current=current,
        resistance=voltage / current,
        resistance_error=scatter / current,
        emf=sum(emfs) / n,
        emf_drift=slope([triple.times[1] for triple in triples], emfs),
        readings=tuple(v for triple in triples for v in triple.volts),
        flags=flags,
        signs=SIGNS * n,
    )


class Reversal(Sourced):
    """A current source and a nanovoltmeter.

    Args:
        ramp_a_per_s: how fast the current goes up, and down at the end.
        abort_ramp_a_per_s: how fast it goes down on an abort; None: within one second.
    """

    def __init__(
        self,
        source: Source,
        meter: Keithley2182A,
        *,
        compliance_v: float,
        ramp_a_per_s: float,
        abort_ramp_a_per_s: float | None = None,
    ) -> None:
        super().__init__(
            source,
            [meter],
            compliance_v=compliance_v,
            ramp_a_per_s=ramp_a_per_s,
            abort_ramp_a_per_s=abort_ramp_a_per_s,
        )
        self.meter = meter
