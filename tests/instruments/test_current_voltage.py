"""V(I) by reversal on a source and a meter that are fakes at the level of numbers."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.current_voltage import ReversalCurve
from onnes.instruments.errors import CommunicationError, ConfigurationError, LimitError
from onnes.instruments.protocols import CurrentVoltageMeter
from tests.instruments.test_resistance_bridge import Meter, Source

E0, IC, N = 1e-6, 1e-3, 20.0


def power_law(amps: float, time: float) -> float:
    """Return E0 (I/Ic)^n over 2 uV of EMF that drifts by 2 nV/s."""
    return math.copysign(E0 * abs(amps / IC) ** N, amps) + 2e-6 + 2e-9 * time


def curve_on(volts: Callable[[float, float], float]) -> tuple[ReversalCurve, Source, Meter, VirtualClock]:
    clock = VirtualClock()
    source = Source(clock)
    meter = Meter(source, clock, volts)
    curve = ReversalCurve(
        source,  # type: ignore[arg-type]
        meter,  # type: ignore[arg-type]
        compliance_v=1.0,
        ramp_a_per_s=1e-3,
        abort_ramp_a_per_s=0.1,
    )
    return curve, source, meter, clock


def test_a_reversal_curve_is_a_current_voltage_meter() -> None:
    curve, *_ = curve_on(power_law)
    assert isinstance(curve, CurrentVoltageMeter)
    assert curve.compliance_v == 1.0


def test_each_point_of_a_staircase_has_the_voltage_without_emf_and_drift() -> None:
    curve, source, meter, _ = curve_on(power_law)
    curve.start_curve(1.2e-3)
    for amps in (0.8e-3, 1e-3, 1.1e-3):
        found = curve.voltage_at(amps, 6, 1e-4)
        assert found.voltage == pytest.approx(E0 * (amps / IC) ** N, abs=1e-14)
        assert (found.flags, len(found.readings), source.amps) == ((), 6, amps)
    assert meter.range_v == 1e-4
    assert source.told[:4] == ["safe at 0.001 A/s", "compliance 1.0", "range 0.0012", "enabled True"]
    curve.stop(abort=True)
    assert source.told[-1] == "safe at 0.1 A/s"


def test_a_quench_takes_the_current_to_zero_before_anything_else() -> None:
    curve, source, *_ = curve_on(power_law)
    curve.start_curve(1.3e-3)
    found = curve.voltage_at(1.3e-3, 9, 1e-4)
    assert source.amps == 0.0
    assert found.flags == ("quench",)
    assert len(found.readings) == 1
    assert found.voltage == pytest.approx(E0 * 1.3**N + 2e-6)
    assert math.isnan(found.resistance_error)
    assert math.isnan(found.emf)


def test_a_quench_at_the_negative_current_keeps_the_readings_before_it() -> None:
    curve, source, *_ = curve_on(lambda amps, _time: 1e-3 if amps < 0 else 1e-7)
    curve.start_curve(1e-3)
    found = curve.voltage_at(1e-3, 6, 1e-4)
    assert (found.readings, found.signs, source.amps) == ((1e-7, 1e-3), (1.0, -1.0), 0.0)


def test_an_overflow_of_the_meter_is_a_quench_and_a_compliance_is_told_with_it() -> None:
    curve, source, *_ = curve_on(lambda _amps, _time: 9.9e37)
    source.limits = lambda amps: amps > 0
    curve.start_curve(1e-3)
    assert curve.voltage_at(1e-3, 6, 1e-4).flags == ("compliance", "quench")
    assert source.amps == 0.0


def test_a_pulse_is_on_for_its_length_and_the_current_is_zero_between() -> None:
    seen: list[tuple[float, float]] = []
    curve, source, _, clock = curve_on(lambda amps, _time: 1e-3 * amps)
    set_current = source.set_current

    def noted(amps: float) -> float:
        seen.append((clock.now(), amps))
        return set_current(amps)

    curve.start_curve(1e-3, pulse_s=0.2)
    source.set_current = noted  # type: ignore[method-assign]
    found = curve.voltage_at(1e-3, 6, 1e-4)
    assert found.voltage == pytest.approx(1e-6)
    assert [amps for _, amps in seen] == [1e-3, 0.0, -1e-3, 0.0, 1e-3, 0.0] * 2
    lengths = [after - before for (before, _), (after, _) in pairwise(seen)]
    assert lengths == pytest.approx([0.2, 1.8] * 5 + [0.2])


def test_a_current_in_compliance_is_flagged() -> None:
    curve, source, *_ = curve_on(lambda amps, _time: 1e-3 * amps)
    source.limits = lambda amps: amps < 0
    curve.start_curve(1e-3)
    assert curve.voltage_at(1e-3, 6, 1e-4).flags == ("compliance",)


@pytest.mark.parametrize(
    ("largest", "pulse", "text"),
    [
        (0.2, None, r"largest current = 0\.2 A is outside \[1e-12, 0\.105\] A"),
        (
            1e-3,
            0.05,
            r"pulse = 0\.05 s is outside \[0\.1, 10\] s, the range set by the Keithley 2182A",
        ),
        (1e-3, math.nan, "pulse = nan s"),
    ],
)
def test_a_curve_out_of_range_is_refused_and_nothing_is_sent(
    largest: float, pulse: float | None, text: str
) -> None:
    curve, source, *_ = curve_on(power_law)
    with pytest.raises(LimitError, match=text):
        curve.start_curve(largest, pulse)
    assert source.told == []


@pytest.mark.parametrize(
    ("amps", "stop_v", "text"),
    [
        (1.1e-3, 1e-4, r"current = 0\.0011 A is outside .* set by start_curve\(\)"),
        (1e-3, 200.0, "stop voltage = 200 V is outside"),
    ],
)
def test_a_point_out_of_range_is_refused_and_nothing_is_sent(amps: float, stop_v: float, text: str) -> None:
    curve, source, *_ = curve_on(power_law)
    curve.start_curve(1e-3)
    with pytest.raises(LimitError, match=text):
        curve.voltage_at(amps, 6, stop_v)
    assert source.amps == 0.0


def test_a_curve_that_was_not_started_cannot_be_measured() -> None:
    curve, *_ = curve_on(power_law)
    with pytest.raises(ConfigurationError, match=r"the V\(I\) measurement is not started"):
        curve.voltage_at(1e-3, 6, 1e-4)


def test_a_start_that_fails_leaves_the_source_off() -> None:
    curve, source, meter, _ = curve_on(power_law)
    meter.errors = ["spoilt", "spoilt"]
    with pytest.raises(CommunicationError):
        curve.start_curve(1e-3)
    assert source.told[-1] == "safe at 0.001 A/s"
    assert not curve.is_running
