"""Whether the contacts of a wiring are good enough to measure with, before anything is measured."""

import math
from collections.abc import Generator, Iterator, Sequence
from typing import ClassVar

import pandas as pd

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, ContactError
from onnes.instruments.protocols import ResistanceBridge
from onnes.instruments.records import Event, Point
from onnes.procedures.bracket import Bracket
from onnes.procedures.contact_watch import ContactWatch
from onnes.procedures.experiment import (
    FloatParameter,
    IntegerParameter,
    JsonParameter,
    ListParameter,
    Parameter,
)
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.procedures.options import LockInOptions, reading_s
from onnes.procedures.resistance_session import bridge_of
from onnes.procedures.setpoint_measurement import BRACKET_S
from onnes.procedures.take_up import TakeUp
from onnes.procedures.transport import FourProbe, ResistancePoint
from onnes.procedures.watch import MeasuringStation, Watch

_START_S = 2.0  # for estimates alone
_SIGMAS = 3.0  # R at I/2, I and 2 I agree within so many standard errors (physics.md 2.1)
_PHASE_DEG = 1.0  # of a good contact at some 10 Hz (physics.md 2.1 (k))
_FACTORS, _WITHOUT_DOUBLE = (1.0, 0.5, 2.0, 1.0), (1.0, 0.5, 0.25, 1.0)


class ContactCheck(Measurement):
    """R at half the current, the current and twice it, where temperature and field are.

    The contacts are good if the resistances agree within three standard errors, the source never is in
    compliance, the noise is small and, with an alternating current, the phase is below one degree. R at the
    current itself is taken first and last: what it changes meanwhile is a drift, and no contact's fault.
    Where the limits do not allow twice the current, a quarter of it is taken instead, and an event says so.

    Neither temperature nor field is set, so the setpoints have NaN for both.
    """

    kind: ClassVar[str] = "contact-check"
    point: ClassVar[type[Point]] = ResistancePoint

    wiring: str = Parameter("Wiring", default="")
    current_a: float = FloatParameter(
        "Excitation current", units="A", minimum=1e-12, maximum=1.0, default=1e-5
    )
    # three standard errors of few readings are passed by chance; of 60 once in 200 checks
    average: int = IntegerParameter("Average readings", minimum=6, maximum=100_000, default=60)
    method: str = ListParameter("Method", choices=["", "reversal", "delta", "lock_in", "bridge"], default="")
    lockin: str = JsonParameter("Lock-in", LockInOptions.from_json, default="{}")
    # standard error of a voltage; a good contact gives some nV, a bad one uV and more (a)
    noise_limit_v: float = FloatParameter("Noise limit", units="V", minimum=1e-12, maximum=1.0, default=1e-6)
    pairs: str = ListParameter("Pairs", choices=["", "operator", "switch"], default="")

    def points(
        self,
        station: MeasuringStation,
        clock: Clock,
        take_up: TakeUp | None = None,  # noqa: ARG002 - a check is made as a whole
    ) -> Generator[Point | Event, None, None]:
        """Measure: yield the points, then an event with the verdict.

        Raises:
            ConfigurationError: if pairs are asked for, or the station does not have the wiring.
            LimitError: if the current is not allowed; nothing was sent.
            ContactError: if the contacts are not good; the source is at 0 A.
        """
        if self.pairs:
            raise ConfigurationError(
                f"pairs = {self.pairs!r}: two-wire resistances of pairs of contacts are still to come; leave "
                "pairs out, and measure them by hand"
            )
        bridge = bridge_of(station, self.wiring, self.method, self.lockin)
        bridge.current_limits.check("current", self.current_a)
        factors = _FACTORS
        if not bridge.current_limits.contains(2.0 * self.current_a):
            factors = _WITHOUT_DOUBLE
            yield Event(
                "contact_check",
                f"2 I = {2.0 * self.current_a:.4g} A is beyond {bridge.current_limits.high:.4g} A, the limit "
                f"set by {bridge.current_limits.set_by}; R at I/4 is compared in its place",
                {"current_a": self.current_a, "limit_a": bridge.current_limits.high},
            )
        found: list[ResistancePoint] = []
        for item in self._measured(station, clock, bridge, factors):
            found.append(item)
            yield item
        faults = self._faults(found)
        ohms = ", ".join(f"{point.resistance:.6g} ohm at {point.current:.4g} A" for point in found)
        verdict = "; ".join(faults) if faults else "good"
        yield Event(
            "contact_check",
            f"contacts of wiring {self.wiring!r}: {verdict}; R = {ohms}",
            {
                "wiring": self.wiring,
                "good": not faults,
                "faults": faults,
                "current_a": [point.current for point in found],
                "resistance_ohm": [point.resistance for point in found],
                "error_ohm": [point.resistance_error for point in found],
                "temperature_k": found[0].temperature,
            },
        )
        if faults:
            raise ContactError(
                f"the contacts of wiring {self.wiring!r} are not good at {found[0].temperature:.5g} K: "
                f"{verdict}; the source is at 0 A; mend the contacts, choose a smaller current, or decline "
                "the check with a reason"
            )

    def _measured(
        self,
        station: MeasuringStation,
        clock: Clock,
        bridge: ResistanceBridge,
        factors: Sequence[float],
    ) -> Iterator[ResistancePoint]:
        watch = self.watch = Watch(station)
        probe = FourProbe(
            self.wiring,
            Bracket(watch, clock, clock.now()),
            lambda: bridge.measure(self.average),
            bridge.stop,
            ContactWatch(bridge.compliance_v),
        )
        try:
            for factor in factors:
                bridge.start(factor * self.current_a)
                yield from probe.take("settled", 1)
                bridge.stop()
        finally:
            bridge.stop()

    def _faults(self, found: Sequence[ResistancePoint]) -> list[str]:
        """Return what is wrong with the contacts, in words."""
        faults = [f"at {point.current:.4g} A: {point.rejected}" for point in found if point.rejected]
        if faults:
            return faults
        for point in found:
            noise_v = point.resistance_error * point.current
            if noise_v > self.noise_limit_v:
                faults.append(
                    f"noise = {noise_v:.3g} V at {point.current:.4g} A is above {self.noise_limit_v:.3g} V"
                )
            degrees = math.degrees(math.atan2(abs(point.quadrature), abs(point.voltage)))
            # without a voltage, as of a superconductor, noise has any phase
            if degrees >= _PHASE_DEG and abs(point.quadrature) > _SIGMAS * noise_v:
                faults.append(f"phase = {degrees:.3g} degrees at {point.current:.4g} A is not below 1 degree")
        first, *others, last = found
        drift = abs(last.resistance - first.resistance)
        for other in others:
            apart = abs(other.resistance - first.resistance)
            error = math.hypot(other.resistance_error, first.resistance_error)
            if apart > _SIGMAS * error + drift:
                faults.append(
                    f"R = {other.resistance:.6g} ohm at {other.current:.4g} A is {apart:.3g} ohm from "
                    f"{first.resistance:.6g} ohm at {first.current:.4g} A, more than {_SIGMAS:g} x "
                    f"{error:.2g} ohm and a drift of {drift:.2g} ohm"
                )
        return faults

    # -- plan

    def take_up(self, stored: pd.DataFrame, *, history_kept: bool = False) -> TakeUp:  # noqa: ARG002 - a check is made as a whole
        """Return the start: a check that was broken off is made again as a whole."""
        return TakeUp("path", 1, 0, math.nan, self.duration_s() if len(stored) else 0.0, "checked again")

    def extend(self, end: float) -> int:
        """Refuse: there is no program.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"a check of contacts has no end that could be moved to {end:.9g}")

    def setpoints(self) -> list[Setpoint]:
        """Return the points, where temperature and field are then: NaN."""
        return [Setpoint(math.nan, math.nan, "settled", 1)] * len(_FACTORS)

    def remaining_s(self, take_up: TakeUp | None) -> float:  # noqa: ARG002 - a check is made as a whole
        """Return about how long it takes, s."""
        each_s = self.average * reading_s(self.method, self.lockin)
        return len(_FACTORS) * (_START_S + each_s + BRACKET_S)

    def label(self) -> str:
        """Return the current, for the name of the folder."""
        return f"{self.current_a * 1e6:.9g}uA"
