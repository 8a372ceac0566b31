"""What a sample lives through: turning points, steps and crossings, and nothing on a plateau."""

from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.magnet import DRIVEN, LINEAR, OSCILLATE
from onnes.sim.sample_history import SampleHistory

TC = 38.5


class Shell:
    """A shell that lets no flux pass below Tc; it writes down where it was taken."""

    def __init__(self, tc_k: float | None = TC) -> None:
        self.tc_k = tc_k
        self.way: list[tuple[float, float, float]] = []
        self._inside = self._moment = 0.0

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        self.way.append((t, temperature_k, field_oe))
        if self.tc_k is None or temperature_k >= self.tc_k:
            self._inside = field_oe
        self._moment = self._inside - field_oe

    def moment_emu(self) -> float:
        return self._moment


def opened(**under: Any) -> VirtualLab:
    return load_lab("default", VirtualClock(), under={"magnet": {"start_mode": "driven"}} | under)


def test_the_overshoot_of_a_fast_settle_is_visited_at_its_top() -> None:
    lab, sample = opened(cryostat={"start_k": 20.0}), Shell()
    history = SampleHistory(sample, lab)
    lab.cryostat.command(0.0, 30.0, 10.0, 0)
    history.bring(600.0)
    highest = max(lab.cryostat.sample(0.1 * k) for k in range(6000))
    assert highest > 30.01
    assert max(kelvin for t, kelvin, _ in sample.way if t > 0) == pytest.approx(highest, abs=1e-5)


def test_an_overshoot_through_tc_lets_the_flux_in() -> None:
    lab, sample = opened(cryostat={"start_k": 20.0}), Shell()
    history = SampleHistory(sample, lab)
    lab.magnet.command(0.0, 100.0, 10.0, LINEAR, DRIVEN)
    assert history.bring(100.0) == pytest.approx(-100.0, abs=1.0)
    lab.cryostat.command(100.0, 38.49, 20.0, 0)
    assert max(lab.cryostat.sample(float(t)) for t in range(100, 1200)) > TC
    assert history.bring(1200.0) == pytest.approx(0.0, abs=0.2)
    assert lab.cryostat.sample(1200.0) < TC


@pytest.mark.parametrize(("start_k", "target_k"), [(45.0, 30.0), (30.0, 45.0)])
def test_tc_is_visited_on_its_normal_side(start_k: float, target_k: float) -> None:
    lab, sample = opened(cryostat={"start_k": start_k}), Shell()
    history = SampleHistory(sample, lab)
    lab.cryostat.command(0.0, target_k, 10.0, 1)
    history.bring(300.0)
    nearest = min((kelvin for t, kelvin, _ in sample.way if t > 0), key=lambda kelvin: abs(kelvin - TC))
    assert TC <= nearest < TC + 1e-3


def test_every_swing_of_an_oscillation_is_visited_with_the_flux_of_the_winding() -> None:
    lab, sample = opened(cryostat={"start_k": 10.0}), Shell()
    history = SampleHistory(sample, lab)
    lab.magnet.command(0.0, 10_000.0, 190.0, LINEAR, DRIVEN)
    lab.magnet.command(100.0, 0.0, 190.0, OSCILLATE, DRIVEN)
    history.bring(1000.0)
    fields = [oersted for _, _, oersted in sample.way]
    swings = [-10_000.0 * 0.3 * (-0.6) ** k for k in range(8)]
    for swing in swings:
        assert min(abs(oersted - swing) for oersted in fields) < 13.0
    # Turning round, the trapped flux changes its sign at once.
    assert any(9995.0 > oersted > 9985.0 for oersted in fields)
    assert max(fields) > 10_009.0
    assert min(fields) < -3008.0  # the last of the way down, before it turns


def test_a_plateau_costs_nothing() -> None:
    lab, sample = opened(cryostat={"start_k": 10.0}), Shell()
    history = SampleHistory(sample, lab)
    before = len(sample.way)
    for k in range(1, 25):
        history.bring(600.0 * k)
    assert len(sample.way) - before == 24


def test_asking_in_between_changes_nothing_that_comes_later() -> None:
    moments = []
    for asks in (0, 50):
        lab, sample = opened(cryostat={"start_k": 20.0}), Shell()
        history = SampleHistory(sample, lab)
        lab.magnet.command(0.0, 100.0, 10.0, LINEAR, DRIVEN)
        lab.cryostat.command(0.0, 37.0, 10.0, 0)
        for k in range(asks):
            assert history.moment_emu(3.0 + 10.0 * k) == history.moment_emu(3.0 + 10.0 * k)
        moments.append((history.bring(600.0), tuple(sample.way)))
    assert moments[0] == moments[1]


def test_a_cold_sample_opens_as_if_cooled_in_the_field_of_that_moment() -> None:
    lab = opened(cryostat={"start_k": 5.0}, magnet={"start_oe": 300.0})
    history = SampleHistory(Shell(), lab)
    assert history.moment_emu(1.0) == 0.0
    lab.magnet.command(10.0, 0.0, 50.0, LINEAR, DRIVEN)
    assert history.bring(200.0) == pytest.approx(300.0, abs=1.0)


def test_a_kick_of_the_temperature_is_visited_on_both_sides() -> None:
    lab, sample = opened(cryostat={"start_k": 37.0}), Shell()
    history = SampleHistory(sample, lab)
    lab.magnet.command(0.0, 100.0, 10.0, LINEAR, DRIVEN)
    history.bring(100.0)
    lab.cryostat.kick(103.3, 4.0)
    assert history.bring(600.0) == pytest.approx(0.0, abs=0.2)
    assert max(kelvin for _, kelvin, _ in sample.way) == pytest.approx(41.0, abs=1e-3)


def test_nobody_goes_back_in_time() -> None:
    history = SampleHistory(Shell(), opened())
    history.bring(100.0)
    with pytest.raises(ValueError, match=r"t = 99\.5 s is before 100 s, where the sample is"):
        history.bring(99.5)
    with pytest.raises(ValueError, match="is before"):
        history.moment_emu(99.0)
