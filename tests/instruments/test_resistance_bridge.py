"""Three-point reversal on a source and a meter that are fakes at the level of numbers."""

import math
from collections.abc import Callable, Iterator

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import CommunicationError, ConfigurationError, LimitError
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import ResistanceBridge
from onnes.instruments.resistance_bridge import ReversalBridge

CURRENT = 1e-3


class Clear:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.cleared = 0
        self.reopened = 0
        self.set_ups = 0

    def clear(self) -> None:
        self.cleared += 1


class Source:
    """A 6221 as the bridge sees it; notes what it is told."""

    current_limits = Limits(-0.105, 0.105, "A", "the Keithley 6221")

    def __init__(self, clock: VirtualClock) -> None:
        self.link = Clear(clock)
        self.told: list[str] = []
        self.amps = 0.0
        self.limits: Callable[[float], bool] = lambda _amps: False
        self.latched = False
        self.spoilt = 0

    def set_current(self, amps: float) -> float:
        self.amps = amps
        self.latched |= self.limits(amps)
        return amps

    def ramp_to(self, amps: float, rate: float) -> float:
        self.told.append(f"ramp to {amps:g} A at {rate:g} A/s")
        return self.set_current(amps)

    def safe_state(self, rate: float | None = None) -> str:
        self.told.append(f"safe at {rate} A/s")
        self.amps = 0.0
        return "0 A, output off"

    def watch_compliance(self) -> bool:
        self.latched = False
        return self.limits(self.amps)

    def was_in_compliance(self) -> bool:
        latched, self.latched = self.latched, False
        if self.spoilt:
            self.spoilt -= 1
            raise CommunicationError("spoilt")
        return latched or self.limits(self.amps)

    def check_errors(self) -> list[str]:
        return []

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("source_"):
            self.told.append(f"{name[7:]} {value}")
        super().__setattr__(name, value)


class Meter:
    """A 2182A whose reading is a function of current and time; a reading takes 40 ms."""

    def __init__(self, source: Source, clock: VirtualClock, volts: Callable[[float, float], float]) -> None:
        self.link = Clear(clock)
        self._source, self._clock, self._volts = source, clock, volts
        self.range_v = 0.0
        self.errors: list[str | None] = []

    def read_voltage(self) -> float:
        self._clock.sleep(0.04)
        return self._volts(self._source.amps, self._clock.now())

    def prepare_for_reversal(self, nplc: float) -> None:
        assert nplc == 1.0

    def fix_range(self, volts: float) -> float:
        self.range_v = volts
        return volts

    def check_errors(self) -> list[str]:
        error = self.errors.pop(0) if self.errors else None
        if error:
            raise CommunicationError(error)
        return []


def bridge_on(
    volts: Callable[[float, float], float], abort: float | None = 0.1
) -> tuple[ReversalBridge, Source, Meter]:
    clock = VirtualClock()
    source = Source(clock)
    meter = Meter(source, clock, volts)
    bridge = ReversalBridge(
        source,  # type: ignore[arg-type]
        meter,  # type: ignore[arg-type]
        compliance_v=1.0,
        ramp_a_per_s=1e-3,
        abort_ramp_a_per_s=abort,
    )
    return bridge, source, meter


def milliohm(amps: float, time: float) -> float:
    """1 mohm with 5 uV of EMF that drifts by 2 nV/s."""
    return 1e-3 * amps + 5e-6 + 2e-9 * time


def test_it_is_a_resistance_bridge() -> None:
    assert isinstance(bridge_on(milliohm)[0], ResistanceBridge)


def test_a_constant_and_a_drifting_emf_leave_the_resistance_unchanged() -> None:
    bridge, _, _ = bridge_on(milliohm)
    bridge.start(CURRENT)
    found = bridge.measure(12)
    assert found.resistance == pytest.approx(1e-3, rel=1e-9)
    assert found.voltage == pytest.approx(1e-6, rel=1e-9)
    assert found.current == CURRENT
    assert found.resistance_error < 1e-12
    assert found.emf == pytest.approx(5e-6, rel=1e-3)
    assert found.emf_drift == pytest.approx(2e-9, rel=1e-6)
    assert found.flags == ()


@pytest.mark.parametrize(("asked", "taken"), [(1, 6), (6, 6), (7, 9), (10, 12), (30, 30)])
def test_readings_come_in_whole_triples_and_never_fewer_than_two(asked: int, taken: int) -> None:
    bridge, _, _ = bridge_on(milliohm)
    bridge.start(CURRENT)
    assert len(bridge.measure(asked).readings) == taken


def test_the_error_covers_the_scatter_of_white_noise() -> None:
    numbers = _normal(seed=3)
    bridge, _, _ = bridge_on(lambda amps, _time: 1.0 * amps + 1e-6 * next(numbers))
    bridge.start(CURRENT)
    points = [bridge.measure(12) for _ in range(400)]
    pulls = [(point.resistance - 1.0) / point.resistance_error for point in points]
    inside = sum(abs(pull) < 3.18 for pull in pulls) / len(pulls)  # Student's t, 3 degrees of freedom: 95 %
    assert inside == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 400))


def _normal(seed: int) -> Iterator[float]:
    """Yield normal numbers: sums of twelve of a small linear congruential generator."""
    state = seed
    while True:
        total = 0.0
        for _ in range(12):
            state = (1664525 * state + 1013904223) % 2**32
            total += state / 2**32
        yield total - 6.0


def test_the_source_is_made_safe_then_given_its_compliance_before_the_output_goes_on() -> None:
    bridge, source, _ = bridge_on(milliohm)
    bridge.start(CURRENT)
    assert source.told == [
        "safe at 0.001 A/s",
        "compliance 1.0",
        "range 0.001",
        "enabled True",
        "ramp to 0.001 A at 0.001 A/s",
    ]


def test_the_range_is_chosen_once_with_room_for_twice_the_voltage() -> None:
    bridge, _, meter = bridge_on(lambda amps, _time: 20.0 * amps)
    bridge.start(CURRENT)
    assert meter.range_v == pytest.approx(0.04)
    meter.range_v = 0.0
    bridge.measure(6)
    assert meter.range_v == 0.0


@pytest.mark.parametrize("amps", [0.0, -1e-3, 0.2, math.nan])
def test_a_current_that_measures_nothing_or_too_much_is_refused(amps: float) -> None:
    bridge, source, _ = bridge_on(milliohm)
    with pytest.raises(LimitError, match="excitation current"):
        bridge.start(amps)
    assert source.told == []


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_source_in_compliance_at_either_sign_flags_the_point(sign: float) -> None:
    bridge, source, _ = bridge_on(milliohm)
    bridge.start(CURRENT)
    source.limits = lambda amps: sign * amps > 0
    assert bridge.measure(6).flags == ("compliance",)
    source.limits = lambda _: False
    assert bridge.measure(6).flags == ()


def test_a_contact_that_opens_for_a_moment_flags_this_point_and_not_the_next() -> None:
    bridge, source, _ = bridge_on(milliohm)
    bridge.start(CURRENT)
    moments = iter([False, False, True])  # looked at before the point, then at each change of the current
    source.limits = lambda _: next(moments, False)
    assert bridge.measure(6).flags == ("compliance",)
    assert bridge.measure(6).flags == ()


def test_compliance_before_the_point_does_not_flag_it() -> None:
    bridge, source, _ = bridge_on(milliohm)
    bridge.start(CURRENT)
    source.latched = True
    assert bridge.measure(6).flags == ()


def test_where_the_register_cannot_be_read_the_point_is_measured_again() -> None:
    bridge, source, meter = bridge_on(milliohm)
    bridge.start(CURRENT)
    source.spoilt = 1
    readings = len(bridge.measure(6).readings)
    assert (readings, source.link.cleared, meter.link.cleared) == (6, 1, 1)
    source.spoilt = 3
    with pytest.raises(CommunicationError, match="spoilt"):
        bridge.measure(6)


def test_an_overflow_flags_the_point_and_gives_no_number() -> None:
    bridge, _, _ = bridge_on(lambda amps, _time: 9.9e37 if amps < 0 else 1e-6)
    bridge.start(CURRENT)
    found = bridge.measure(6)
    assert found.flags == ("over_range",)
    assert math.isnan(found.resistance)
    assert math.isnan(found.resistance_error)
    assert found.readings.count(9.9e37) == 2


def test_replies_out_of_step_are_thrown_away_and_measured_again() -> None:
    bridge, _, meter = bridge_on(milliohm)
    bridge.start(CURRENT)
    meter.errors = ["-410"]
    assert bridge.measure(6).resistance == pytest.approx(1e-3)
    assert meter.link.cleared == 1


def test_replies_that_stay_out_of_step_are_an_error() -> None:
    bridge, _, meter = bridge_on(milliohm)
    bridge.start(CURRENT)
    meter.errors = ["-410"] * 3
    with pytest.raises(CommunicationError, match="-410"):
        bridge.measure(6)


def test_without_a_start_there_is_nothing_to_measure() -> None:
    bridge, _, _ = bridge_on(milliohm)
    with pytest.raises(ConfigurationError, match="not started"):
        bridge.measure(6)


def test_stopping_ramps_down_at_any_time_and_ends_the_measurement() -> None:
    bridge, source, _ = bridge_on(milliohm)
    bridge.stop()
    bridge.start(CURRENT)
    bridge.stop()
    assert source.told[-1] == "safe at 0.001 A/s"
    assert not bridge.is_running


def test_a_current_that_fails_on_its_way_up_is_switched_off_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge, source, _ = bridge_on(milliohm)

    def fails(amps: float, _rate: float) -> float:
        raise CommunicationError(f"silent at {amps:g} A")

    monkeypatch.setattr(source, "ramp_to", fails)
    with pytest.raises(CommunicationError, match="silent at"):
        bridge.start(CURRENT)
    assert source.told[-2:] == ["enabled True", "safe at 0.001 A/s"]
    assert not bridge.is_running


def test_a_failed_start_says_if_the_source_is_not_known_to_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge, source, meter = bridge_on(milliohm)

    def fails(_: object) -> str:
        raise CommunicationError("gone")

    monkeypatch.setattr(meter, "fix_range", lambda _: monkeypatch.setattr(source, "safe_state", fails))
    monkeypatch.setattr(source, "check_errors", lambda: fails(0))
    with pytest.raises(CommunicationError, match="gone") as caught:
        bridge.start(CURRENT)
    assert caught.value.__notes__ == ["the source is not known to be off: gone"]


@pytest.mark.parametrize(("abort", "rate"), [(0.1, "0.1"), (None, "None")])
def test_on_an_abort_the_faster_ramp_counts(abort: float | None, rate: str) -> None:
    bridge, source, _ = bridge_on(milliohm, abort)
    bridge.stop(abort=True)
    assert source.told == [f"safe at {rate} A/s"]
