"""Delta on the virtual 6221 with the 2182A behind its serial line, in strict mode."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest

from onnes.instruments.delta_bridge import DeltaBridge
from onnes.instruments.errors import (
    CommunicationError,
    ConfigurationError,
    InstrumentFault,
    LimitError,
)
from onnes.instruments.protocols import ResistanceBridge
from onnes.instruments.resistance_bridge import ReversalBridge
from onnes.instruments.triggered_meter import Triggered, triggered
from onnes.sim.lab import VirtualLab
from tests.instruments.conftest import Relayed

SAMPLE = '[sample]\nmodel = "bilayer"\ngamma_t = 0.06\n'
CURRENT = 1e-4
# One reading of three values at 15 nV rms each: the part that reverses has 15 nV * sqrt(6) / 4.
READING_V = 15e-9 * math.sqrt(6) / 4

Opener = Callable[..., "Bench"]


class Bench:
    """The bridge on the virtual lab."""

    def __init__(self, relayed: Relayed) -> None:
        self.lab, self.source = relayed.lab, relayed.source
        self.assert_off = relayed.assert_off
        relayed.meter.connect()
        self.bridge = DeltaBridge(
            relayed.source, relayed.meter, compliance_v=1.0, ramp_a_per_s=1e-3, abort_ramp_a_per_s=0.1
        )


@pytest.fixture
def opened(relayed: Callable[..., Relayed]) -> Opener:
    return lambda text="": Bench(relayed(SAMPLE + text))


def truth(lab: VirtualLab, current: float) -> float:
    """Return the resistance of the sample now, ohm, from noiseless voltages at both currents."""
    t = lab.now()
    lab.wiring.set_source("k6221.out", t, current, 1.0)
    plus = lab.wiring.mean_voltage("k2182a.ch1", t, t)
    lab.wiring.set_source("k6221.out", t + 1e-6, -current, 1.0)
    minus = lab.wiring.mean_voltage("k2182a.ch1", t + 1e-6, t + 1e-6)
    return (plus - minus) / 2 / current


def test_a_delta_bridge_is_a_resistance_bridge(opened: Opener) -> None:
    assert isinstance(opened().bridge, ResistanceBridge)


def test_delta_gives_the_resistance_within_its_error_and_says_the_emf(opened: Opener) -> None:
    bench = opened()
    bridge = bench.bridge
    bridge.start(CURRENT)
    points = [bridge.measure(12) for _ in range(25)]
    bridge.stop()
    assert bench.lab.journal == []
    assert bench.source.check_errors() == []
    mean = sum(point.resistance for point in points) / len(points)
    assert mean == pytest.approx(truth(bench.lab, CURRENT), abs=4 * READING_V / math.sqrt(100) / CURRENT)
    errors = [point.resistance_error for point in points]
    assert sum(errors) / len(errors) == pytest.approx(READING_V / 2 / CURRENT, rel=0.25)
    assert {point.flags for point in points} == {()}
    assert points[0].emf == pytest.approx(300e-9, abs=100e-9)
    assert math.isnan(points[0].quadrature)


def test_readings_of_two_points_share_nothing(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened()
    bench.bridge.start(CURRENT)
    taken: list[int] = []
    fresh = bench.bridge._fresh

    def noted(count: int) -> list[Triggered]:
        found = fresh(count)
        taken.extend(one.number for one in found)
        return found

    monkeypatch.setattr(bench.bridge, "_fresh", noted)
    bench.bridge.measure(6)
    bench.bridge.measure(6)
    assert len(taken) == 4
    assert all(after - before >= 3 for before, after in pairwise(taken))


def test_delta_and_reversal_agree_with_an_emf_that_drifts(opened: Opener) -> None:
    drifting = "[[read]]\nport = 'k2182a.ch1'\nloop = 'I'\nemf_nv = 3000\nemf_drift_nv_per_s = 50\n"
    bench = opened(drifting)
    bench.bridge.start(CURRENT)
    delta = bench.bridge.measure(60)
    bench.bridge.stop()
    reversal = ReversalBridge(bench.source, bench.bridge.meter, compliance_v=1.0, ramp_a_per_s=1e-3)
    reversal.start(CURRENT)  # over the serial line: slow, but it is the same meter
    other = reversal.measure(60)
    reversal.stop()
    error = math.hypot(delta.resistance_error, other.resistance_error)
    assert delta.resistance == pytest.approx(other.resistance, abs=4 * error)
    assert delta.emf == pytest.approx(3e-6, abs=1e-6)


def test_a_current_beyond_the_compliance_flags_the_point(opened: Opener) -> None:
    bench = opened()
    bench.bridge.start(0.05)  # through 2 leads of 12 ohm and the film: above 1 V
    assert "compliance" in bench.bridge.measure(6).flags
    bench.bridge.stop()
    bench.assert_off()


@pytest.mark.parametrize("abort", [False, True])
def test_every_way_out_of_delta_leaves_no_current(opened: Opener, abort: bool) -> None:
    bench = opened()
    bench.bridge.start(CURRENT)
    bench.bridge.stop(abort=abort)
    bench.assert_off()
    with pytest.raises(ConfigurationError, match="the delta bridge is not started"):
        bench.bridge.measure(6)
    assert "2182A" in bench.bridge.meter.relay.ask("*IDN?")  # which is free again


def test_a_start_that_fails_leaves_the_source_off(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened()

    def fails(_count: int) -> None:
        raise InstrumentFault("no readings")

    monkeypatch.setattr(bench.bridge, "_wait_for_buffer", fails)
    with pytest.raises(InstrumentFault, match="no readings"):
        bench.bridge.start(CURRENT)
    bench.assert_off()


@pytest.mark.parametrize("amps", [0.0, 0.2, math.nan])
def test_a_current_out_of_range_is_refused_and_nothing_is_sent(opened: Opener, amps: float) -> None:
    with pytest.raises(LimitError, match=r"excitation current = .* A is outside \[1e-12, 0\.105\] A"):
        opened().bridge.start(amps)


def test_a_meter_that_is_no_longer_heard_is_told(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened()
    monkeypatch.setattr(bench.bridge.source.link, "query", _saying_no(bench.bridge.source.link.query))
    with pytest.raises(
        CommunicationError, match="k6221 does not hear k2182a on its serial line; look at the"
    ):
        bench.bridge.start(CURRENT)
    bench.assert_off()


def _saying_no(query: Callable[..., object]) -> Callable[..., object]:
    def asked(message: str, *rest: object) -> object:
        return 0 if message.endswith("NVPR?") else query(message, *rest)

    return asked


def test_a_trigger_link_that_comes_off_is_told_and_gives_no_point(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened()
    bench.bridge.start(CURRENT)
    stuck = bench.bridge._latest()
    monkeypatch.setattr(bench.bridge, "_latest", lambda: stuck)
    with pytest.raises(InstrumentFault, match="k6221 gets no new readings from k2182a; look at the trigger"):
        bench.bridge.measure(6)
    bench.bridge.stop()
    bench.assert_off()


def test_a_reading_whose_reply_was_lost_is_asked_for_again(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = opened()
    bench.bridge.start(CURRENT)
    lost = _Lossy(bench.source.link.exchange)
    monkeypatch.setattr(bench.source.link, "exchange", lost)
    assert bench.bridge.measure(6).flags == ()
    assert lost.left == 0


class _Lossy:
    """Loses the replies to the first two questions for a reading."""

    def __init__(self, exchange: Callable[[str], str]) -> None:
        self.left = 2
        self._exchange = exchange

    def __call__(self, message: str) -> str:
        if message == "SENS:DATA?" and self.left:
            self.left -= 1
            raise CommunicationError("lost")
        return self._exchange(message)


def test_a_source_that_lost_its_setup_gives_no_point(opened: Opener) -> None:
    bench = opened()
    bench.bridge.start(CURRENT)
    bench.lab.instruments["k6221"].execute("*RST", bench.lab.now())
    with pytest.raises(CommunicationError):
        bench.bridge.measure(6)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("1E-6,0.1,3", "no whole number of readings"),
        ("1E-6,0.1,3,1E-4,N,1E-7", "says 'N' of the compliance; expected T or F"),
        ("a,0.1,3,1E-4,T,1E-7", "could not convert"),
    ],
)
def test_a_reply_that_is_no_reading_is_refused(reply: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        triggered(reply)
