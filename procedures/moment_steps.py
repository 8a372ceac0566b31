"""The steps of a program as they are put together, with about how long each row will take to come."""

from dataclasses import dataclass, field

from onnes.instruments.moments import (
    MeasureMoment,
    MeasureSusceptibility,
    Remark,
    SetField,
    SetTemperature,
    Step,
    Wait,
)
from onnes.instruments.protocols import FieldApproach, FieldMode, TemperatureApproach
from onnes.procedures.options import MagnetUse

# For estimates alone: the last approach of the controllers, and the rate where the machine chooses it.
_TEMPERATURE_APPROACH_S = 240.0  # a fast settle was still near at 154 s (seen), and stable after that (a)
_FIELD_APPROACH_S: dict[FieldMode, float] = {"driven": 10.0, "persistent": 120.0}  # leads, switch heater (a)
_USUAL_RATE_OE_PER_S = 100.0  # an MPMS3 goes up to 700 Oe/s, an MPMS-XL has no rate to choose (a)


@dataclass
class MomentSteps:
    """Puts a program together so that temperature and field are never on their way at the same time.

    Args:
        kelvin: where the sample is at the start, as far as the estimate goes, K.
        rate_k_per_min: at which the temperature goes, K/min.
        magnet: how the field is changed.
        point_s: about how long one moment takes, s.
    """

    kelvin: float
    rate_k_per_min: float
    magnet: MagnetUse
    point_s: float
    from_oe: float = 0.0  # the field at the start, as far as the estimate goes
    field_oe: float | None = None  # None: not set by these steps yet
    steps: list[Step] = field(default_factory=list)
    total_s: float = 0.0
    _counted_s: float = 0.0  # of total_s, what belongs to the rows so far
    _is_set: bool = False  # whether these steps have set the temperature

    def __post_init__(self) -> None:
        self.longest_point_s = self.point_s

    def to_temperature(
        self,
        kelvin: float,
        wait_s: float,
        *,
        rate_k_per_min: float | None = None,
        approach: TemperatureApproach = "no_overshoot",
    ) -> None:
        """Go to ``kelvin``, K, and wait until it is stable there, and ``wait_s`` more; nothing where it is.

        Without overshoot: below the transition a temperature that came too high has let flux in.
        """
        if self._is_set and kelvin == self.kelvin:
            return
        rate = rate_k_per_min or self.rate_k_per_min
        self.steps += [SetTemperature(kelvin, rate, approach), Wait(wait_s, temperature=True, field=True)]
        self.total_s += abs(kelvin - self.kelvin) / rate * 60.0 + _TEMPERATURE_APPROACH_S + wait_s
        self.kelvin, self._is_set = kelvin, True

    def is_at_least(self, kelvin: float) -> bool:
        """Say whether these steps have brought the sample to ``kelvin``, K, or above."""
        return self._is_set and self.kelvin >= kelvin

    def to_field(self, field_oe: float, wait_s: float, approach: FieldApproach | None = None) -> None:
        """Go to ``field_oe``, Oe, and wait until it is stable, and ``wait_s`` more; nothing where it is."""
        if field_oe == self.field_oe:
            return
        use = self.magnet
        self.steps += [
            SetField(field_oe, use.rate_oe_per_s, approach or use.approach, use.mode),
            Wait(wait_s, temperature=True, field=True),
        ]
        # An oscillation goes back to 0 in swings of falling size, together as long as the way there (a).
        way_oe = abs(field_oe - (self.from_oe if self.field_oe is None else self.field_oe))
        self.total_s += (
            way_oe / (use.rate_oe_per_s or _USUAL_RATE_OE_PER_S) + _FIELD_APPROACH_S[use.mode] + wait_s
        )
        self.field_oe = field_oe

    def remark(self, text: str) -> None:
        """Write ``text`` into the file."""
        self.steps.append(Remark(text))

    def measure(self, curve: int, branch: str, *, opens: bool) -> None:
        """Measure a moment where temperature and field are; ``opens``: the first of its curve."""
        expected_s = self._expected_s(self.point_s, opens=opens)
        self.steps.append(MeasureMoment(self.kelvin, self.field_oe or 0.0, curve, branch, expected_s))

    def measure_alternating(
        self,
        curve: int,
        branch: str,
        *,
        opens: bool,
        amplitude_oe: float,
        frequency_hz: float,
        averaging_s: float,
        point_s: float,
    ) -> None:
        """Measure an alternating moment where temperature and field are: amplitude (peak) in Oe, Hz, s, s."""
        expected_s = self._expected_s(point_s, opens=opens)
        self.steps.append(
            MeasureSusceptibility(
                self.kelvin,
                self.field_oe or 0.0,
                amplitude_oe,
                frequency_hz,
                averaging_s,
                curve,
                branch,
                expected_s,
            )
        )

    def _expected_s(self, point_s: float, *, opens: bool) -> float:
        self.total_s += point_s
        expected_s, self._counted_s = self.total_s - self._counted_s, self.total_s
        if not opens:
            self.longest_point_s = max(self.longest_point_s, expected_s)
        return expected_s
