"""dI/dV by lock-in, on a source, a lock-in and a meter that are fakes at the level of numbers."""

import math

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.conductance import ConductanceMeter, Modulation
from onnes.instruments.errors import CommunicationError, ConfigurationError, InstrumentFault, LimitError
from onnes.instruments.lock_in_conductance import LockInConductance, line_cycles
from onnes.instruments.lock_ins import LockInUse
from tests.instruments.lock_in_fakes import FakeLink, FakeLockIn, FakeWaveSource

EMF = 3e-6
MODULATION = Modulation(2e-4, 14.0, LockInUse(17.77, 0.1))


class Contact:
    """V = R I (1 - 0.4 / (1 + (I/I0)^2)): dV/dI is 6 ohm at 0 and 10 ohm far away."""

    def __init__(self, source: FakeWaveSource) -> None:
        self.source = source
        self.factor = 1.0

    def volts(self, amps: float) -> float:
        x = amps / 5e-4
        return self.factor * 10.0 * amps * (1.0 - 0.4 / (1.0 + x * x))

    def ohms(self, amps: float) -> float:
        step = 1e-9
        return (self.volts(amps + step) - self.volts(amps - step)) / (2.0 * step)


class BiasMeter:
    """A 2182A on the voltage contacts, with a thermal voltage."""

    name = "2182A"
    line_frequency = 50.0

    def __init__(self, clock: VirtualClock, contact: Contact) -> None:
        self.link = FakeLink(clock)
        self.contact = contact
        self.cycles = 0
        self.range_v = 0.0

    def prepare_for_reversal(self, nplc: int) -> None:
        self.cycles = nplc

    def fix_range(self, volts: float) -> float:
        self.range_v = volts
        return volts

    def read_voltage(self) -> float:
        self.link.clock.sleep(2.0 * self.cycles / 50.0)
        return self.contact.volts(self.contact.source.direct_a) + EMF

    def check_errors(self) -> list[str]:
        return []


def meter_of(
    *, with_bias: bool = True
) -> tuple[LockInConductance, FakeWaveSource, FakeLockIn, Contact, BiasMeter]:
    clock = VirtualClock()
    source, lock_in = FakeWaveSource(clock), FakeLockIn(clock)
    contact = Contact(source)
    bias = BiasMeter(clock, contact)
    lock_in.signal = lambda: source.rms_a * contact.ohms(source.direct_a) + 0j
    meter = LockInConductance(
        source,  # type: ignore[arg-type]
        lock_in,  # type: ignore[arg-type]
        bias if with_bias else None,  # type: ignore[arg-type]
        compliance_v=0.1,
        ramp_a_per_s=1e-3,
        abort_ramp_a_per_s=0.1,
    )
    return meter, source, lock_in, contact, bias


def biases(largest: float = 0.02, step: float = 1e-3) -> list[float]:
    n = round(largest / step)
    return [k * step for k in range(-n, n + 1)]


def test_it_is_a_conductance_meter() -> None:
    assert isinstance(meter_of()[0], ConductanceMeter)


def test_the_modulation_is_found_at_zero_bias_with_nothing_flowing_but_it() -> None:
    meter, source, lock_in, _, bias = meter_of()
    meter.start(MODULATION)
    assert source.told[:4] == ["safe at 0.001 A/s", "compliance 0.1 V", "range 2.83e-08 A", "wave 17.77 Hz"]
    assert lock_in.told == ["listen external 17.77 Hz"]
    assert source.direct_a == 0.0
    assert source.rms_a == pytest.approx(2e-4 / 6.0)
    assert bias.cycles == 14


@pytest.mark.parametrize(("with_bias", "step"), [(True, 1e-3), (False, 2.5e-4)])
def test_the_curve_is_that_of_the_contact_with_the_modulation_constant_in_voltage(
    with_bias: bool, step: float
) -> None:
    meter, source, _, contact, _ = meter_of(with_bias=with_bias)
    meter.start(MODULATION)
    asked = biases(step=step)
    found = list(meter.curve(asked))
    assert [point.bias_setpoint for point in found] == asked
    for point in found:
        assert point.flags == ()
        assert point.bias == pytest.approx(contact.volts(point.current), rel=5e-3, abs=2e-6)
        assert point.bias == pytest.approx(point.bias_setpoint, abs=3e-4)
        assert point.conductance == pytest.approx(1.0 / contact.ohms(point.current), rel=1e-6)
        assert point.modulation == pytest.approx(2e-4, rel=0.15)
        assert point.quadrature == 0.0
    assert found[len(found) // 2].bias == pytest.approx(0.0, abs=1e-5)
    assert source.direct_a == found[-1].current


def test_the_current_does_not_jump_to_the_first_bias() -> None:
    meter, source, _, _, _ = meter_of()
    meter.start(MODULATION)
    sent: list[float] = []
    set_wave = source.set_wave

    def noted(peak_a: float, offset_a: float) -> None:
        sent.append(offset_a)
        set_wave(peak_a, offset_a)

    source.set_wave = noted  # type: ignore[method-assign]
    next(iter(meter.curve(biases())))
    steps = [abs(b - a) for a, b in zip([0.0, *sent], sent, strict=False)]
    assert len(sent) >= 20
    assert max(steps) <= 1e-3 / 6.0 * 1.01


def test_the_error_is_the_scatter_of_readings_at_zero_bias() -> None:
    meter, source, lock_in, contact, _ = meter_of()
    size = iter([1e-8, -1e-8] * 10_000)
    lock_in.signal = lambda: source.rms_a * contact.ohms(source.direct_a) + next(size) + 0j
    meter.start(MODULATION)
    point = next(iter(meter.curve([0.0])))
    assert point.conductance_error / point.conductance == pytest.approx(1e-8 / 2e-4, rel=0.15)


@pytest.mark.parametrize(
    ("modulation", "text"),
    [
        (Modulation(0.0), r"modulation = 0 V is outside \[1e-09, 0\.0707106781\] V"),
        (Modulation(0.08), "modulation = 0.08 V is outside"),
        (Modulation(math.nan), "modulation = nan V"),
        (Modulation(2e-4, 0.5), r"settling at each bias = 0\.5 time constants is outside \[1, 100\]"),
    ],
)
def test_a_modulation_that_is_none_or_too_large_is_refused_and_nothing_is_sent(
    modulation: Modulation, text: str
) -> None:
    meter, source, _, _, _ = meter_of()
    with pytest.raises(LimitError, match=text):
        meter.start(modulation)
    assert source.told == []


def test_a_bias_beyond_the_power_limit_is_not_driven() -> None:
    meter, source, _, contact, _ = meter_of()
    meter.power_limit_w = 1e-5
    meter.start(MODULATION)
    found = list(meter.curve([0.0, 2e-3, 4e-3, 20e-3, 2e-3]))
    assert [point.flags for point in found] == [(), (), (), ("power",), ()]
    assert math.isnan(found[3].conductance)
    assert math.isnan(found[3].bias)
    assert abs(contact.volts(source.direct_a) * source.direct_a) <= 1e-5
    assert max(abs(point.current) for point in found) < 2e-3


def test_a_modulation_that_heats_too_much_is_refused_and_the_source_is_off() -> None:
    meter, source, _, _, _ = meter_of()
    meter.power_limit_w = 1e-9
    with pytest.raises(LimitError, match=r"power in the contact = .* W is outside \[0, 1e-09\] W"):
        meter.start(MODULATION)
    assert not source.is_on


def test_a_contact_without_resistance_takes_no_modulation() -> None:
    meter, source, _, contact, _ = meter_of()
    contact.factor = 1e-9
    with pytest.raises(LimitError, match=r"peak of the current = .* A is outside"):
        meter.start(MODULATION)
    assert not source.is_on


def test_a_modulation_that_no_current_makes_is_a_fault() -> None:
    meter, source, lock_in, _, _ = meter_of()
    lock_in.signal = lambda: 1e-3 + 0j
    with pytest.raises(InstrumentFault, match=r"no current makes a modulation of 0\.0002 V rms at zero bias"):
        meter.start(MODULATION)
    assert not source.is_on


def test_a_reference_that_unlocks_while_the_modulation_is_found_is_a_fault() -> None:
    meter, _, lock_in, _, _ = meter_of()
    lock_in.flags = lambda: ("unlock",)
    with pytest.raises(InstrumentFault, match="modulation at zero bias is spoilt by unlock"):
        meter.start(MODULATION)


def test_compliance_stops_the_way_to_a_bias_and_flags_the_point() -> None:
    meter, source, _, _, _ = meter_of()
    meter.start(MODULATION)
    source.limits = lambda: abs(source.direct_a) > 5e-4
    found = list(meter.curve([0.0, 20e-3]))
    assert found[1].flags == ("compliance",)
    assert source.direct_a < 1e-3


def test_an_overload_spoils_its_point_and_not_the_next() -> None:
    meter, _, _, contact, _ = meter_of(with_bias=False)
    meter.start(MODULATION)
    curve = meter.curve(biases(3e-3))
    next(curve)
    contact.factor = 50.0
    assert next(curve).flags == ("overload",)
    contact.factor = 1.0
    assert next(curve).flags == ()


def test_a_bias_that_cannot_be_reached_is_a_fault() -> None:
    meter, _, _, _, bias = meter_of()
    meter.start(MODULATION)
    bias.read_voltage = lambda: EMF  # type: ignore[method-assign]
    with pytest.raises(InstrumentFault, match=r"bias = 0\.001 V cannot be reached in .* look for a contact"):
        next(meter.curve([1e-3]))


@pytest.mark.parametrize("is_limited", [False, True])
def test_a_bias_beyond_the_range_of_its_meter_is_flagged_and_the_current_goes_back(is_limited: bool) -> None:
    meter, source, _, _, bias = meter_of()
    meter.start(MODULATION)
    curve = meter.curve([0.0, 1e-3, 2e-3, 3e-3])
    first, good = next(curve), next(curve)
    read, source.limits = bias.read_voltage, lambda: is_limited
    bias.read_voltage = lambda: 9.9e37  # type: ignore[method-assign]
    spoilt = next(curve)
    assert spoilt.flags == (*(("compliance",) if is_limited else ()), "overload")
    assert math.isnan(spoilt.bias)
    assert math.isnan(spoilt.conductance)
    assert source.direct_a == pytest.approx(good.current, rel=0.01)
    bias.read_voltage, source.limits = read, bool  # type: ignore[method-assign]
    last = next(curve)
    assert (first.flags, last.flags) == ((), ())
    assert last.bias == pytest.approx(3e-3, abs=1e-4)


def test_a_thermal_voltage_beyond_the_range_of_the_bias_meter_is_a_fault() -> None:
    meter, source, _, _, bias = meter_of()
    bias.read_voltage = lambda: 9.9e37  # type: ignore[method-assign]
    with pytest.raises(InstrumentFault, match="2182A reads no voltage at 0 A; look at the voltage leads"):
        meter.start(MODULATION)
    assert not source.is_on


def test_a_current_beyond_the_source_is_refused_and_stays_where_it_is() -> None:
    meter, source, _, contact, _ = meter_of(with_bias=False)
    meter.start(MODULATION)
    with pytest.raises(LimitError, match=r"peak of the current = .* A is outside \[-0\.105, 0\.105\] A"):
        list(meter.curve([0.0, 0.5, 1.0, 1.5]))
    assert abs(source.direct_a) < 0.105
    assert contact.volts(source.direct_a) < 1.1


def test_biases_that_are_no_numbers_are_refused() -> None:
    meter, _, _, _, _ = meter_of()
    meter.start(MODULATION)
    with pytest.raises(LimitError, match="biases of a curve must be numbers"):
        next(meter.curve([0.0, math.nan]))


def test_a_bare_setpoint_on_a_meter_that_was_not_started_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the conductance meter is not started"):
        next(meter_of()[0].curve([0.0]))


def test_a_source_that_was_reached_anew_has_lost_its_setup() -> None:
    meter, source, _, _, _ = meter_of()
    meter.start(MODULATION)
    curve = meter.curve([0.0, 1e-3])
    next(curve)
    source.link.reopened += 1
    with pytest.raises(CommunicationError, match="was opened anew"):
        next(curve)


def test_the_direct_current_stays_while_the_wave_restarts_and_is_there_to_ramp_down() -> None:
    meter, source, _, _, _ = meter_of()
    meter.start(MODULATION)
    flowing: list[float] = []
    stop_wave = source.stop_wave

    def noted() -> None:
        stop_wave()
        flowing.append(source.direct_a)

    source.stop_wave = noted  # type: ignore[method-assign]
    found = list(meter.curve([5e-3, 5.5e-3, 6e-3]))
    assert flowing[-1] > 0.9 * found[0].current
    source.stop_wave = stop_wave  # type: ignore[method-assign]
    source.stop_wave()
    assert source.direct_a == found[-1].current


def test_stopped_the_source_is_off() -> None:
    meter, source, _, _, _ = meter_of()
    meter.start(MODULATION)
    meter.stop()
    assert not source.is_on
    assert source.told[-1] == "safe at 0.001 A/s"


@pytest.mark.parametrize(("hz", "line", "cycles"), [(17.77, 50.0, 14), (777.0, 50.0, 2), (50.0, 50.0, 1)])
def test_a_bias_is_averaged_until_the_sine_is_out_of_it(hz: float, line: float, cycles: int) -> None:
    assert line_cycles(hz, line) == cycles
