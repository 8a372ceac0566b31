"""The magnetometer of a lab with real samples: what is mounted, what it reads, what spoils it."""

import math
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.magnet import DRIVEN, LINEAR, NO_OVERSHOOT, OSCILLATE
from onnes.sim.magnetometer import Magnetometer, MeasuredMoment, MomentScan

DC = MomentScan("dc", 35.0, 3, 0.0, 0)
VSM = MomentScan("vsm", 10.0, 1, 0.0, 0)
RSO = MomentScan("rso", 30.0, 2, 1.0, 5)
PALLADIUM = {"model": "palladium"}


def opened(name: str = "mpms3", **arguments: Any) -> VirtualLab:
    return load_lab(name, VirtualClock(), **arguments)


def machine(lab: VirtualLab) -> Magnetometer:
    assert lab.magnetometer is not None
    return lab.magnetometer


def wait(lab: VirtualLab, seconds: float) -> None:
    lab.clock.sleep(seconds)


def field(lab: VirtualLab, oersted: float, approach: int = LINEAR) -> None:
    """Send the field there and wait until it rests."""
    lab.magnet.command(lab.now(), oersted, lab.magnet.settings.max_rate_oe_per_s, approach, DRIVEN)
    wait(lab, 1500.0)


def temperature(lab: VirtualLab, kelvin: float) -> None:
    """Send the temperature there without overshoot and wait until it rests."""
    before = lab.cryostat.sensor(lab.now())
    lab.cryostat.command(lab.now(), kelvin, 10.0, 1)
    wait(lab, abs(kelvin - before) * 15.0 + 1200.0)


def measured(lab: VirtualLab, scan: MomentScan = DC) -> MeasuredMoment:
    """Measure one moment; only this lets time pass."""
    moment = machine(lab).begin(scan, lab.now())
    for edge in moment.edges:
        lab.clock.sleep_until(edge + lab.origin)
        moment.look(edge)
    lab.clock.sleep_until(moment.done + lab.origin)
    return moment.result()


# --- what is mounted --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "max_oe"),
    [("mpms3", "mpms3", 70000.0), ("mpms5", "mpms5", 50000.0), ("mpms_xl", "mpms_xl", 50000.0)],
)
def test_the_shipped_labs_have_a_machine_with_a_superconductor_that_screens(
    name: str, kind: str, max_oe: float
) -> None:
    lab = opened(name)
    assert (machine(lab).settings.machine, lab.magnet.settings.max_oe) == (kind, max_oe)
    assert lab.sequencer is None
    temperature(lab, 5.0)
    field(lab, 100.0)
    assert machine(lab).moment_emu(lab.now()) < -1e-4


def test_a_sample_is_mounted_by_name_or_alone_and_one_without_a_moment_leaves_the_holder_empty() -> None:
    under = {"magnetometer": {"machine": "mpms3"}}
    for sample in (PALLADIUM, {"magnetometer": PALLADIUM}):
        lab = opened("mpms3", sample=sample)
        field(lab, 10_000.0)
        assert machine(lab).moment_emu(lab.now()) == pytest.approx(1.365e-2, rel=5e-3)  # physics of Pd
    empty = opened("default", under=under, sample={"model": "metal"})
    assert machine(empty).moment_emu(0.0) == 0.0
    beside = opened("default", under=under, sample={"magnetometer": PALLADIUM, "k6221": {"model": "metal"}})
    assert machine(beside).moment_emu(0.0) == 0.0
    assert beside.magnetometer is not None


def test_what_cannot_be_mounted_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a sample is wired to 'magnetometer', which drives no loop"):
        opened("default", sample={"magnetometer": PALLADIUM})
    with pytest.raises(ConfigurationError, match=r"sample at magnetometer: .*'metal' has no magnetic moment"):
        opened("mpms3", sample={"magnetometer": {"model": "metal"}})


def test_a_lab_without_a_magnetometer_does_not_attend_the_clock() -> None:
    clock = VirtualClock()
    lab = load_lab("default", clock)
    lab.faults.add("overshoot", at=10.0)
    clock.sleep(100.0)
    assert lab.journal == []
    with lab.lock:
        lab.tick()
    assert len(lab.journal) == 1


# --- what it reads ----------------------------------------------------------------------------------------


def test_palladium_shows_the_field_that_the_winding_has_trapped() -> None:
    lab = opened("mpms3", sample=PALLADIUM)
    field(lab, 70_000.0)
    field(lab, 0.0)
    trapped = lab.magnet.at_sample(lab.now())
    assert -24.6 < trapped < -23.9
    got = measured(lab)
    chi = 0.26 * 5.25e-6 * (1.0 - 0.16 * 2.0 / 102.0)  # emu/Oe at 298 K, and 2 K of the way to that at 400 K
    assert got.fixed.moment_emu / chi == pytest.approx(trapped, abs=0.05)
    assert abs(got.field_oe) < 0.5  # what the machine reports does not show it


def test_a_residual_field_of_20_oe_spoils_a_zero_field_cooled_moment_at_5_oe() -> None:
    moments = {}
    for name, approach in (("spoilt", LINEAR), ("oscillated", OSCILLATE)):
        lab = opened("mpms3")
        temperature(lab, 60.0)
        field(lab, 20_000.0)
        field(lab, 0.0, approach)
        temperature(lab, 5.0)
        field(lab, 5.0, NO_OVERSHOOT)
        moments[name] = measured(lab).fixed.moment_emu
    fresh = opened("mpms3")
    temperature(fresh, 5.0)
    # The true field of the fresh one is 5 Oe, for its winding has never seen a large field.
    field(fresh, 5.0, NO_OVERSHOOT)
    clean = measured(fresh).fixed.moment_emu
    assert clean == pytest.approx(-1.097 * 5.0 / (4.0 * math.pi) * 5e-3, rel=0.01)  # 4 pi M = -1.097 H
    assert abs(moments["oscillated"] / clean - 1.0) < 0.05
    # The flux of -24 Oe is frozen in; coming up, the winding's turns round, and the sample screens all of it.
    assert moments["spoilt"] / clean > 3.0


def test_a_zero_field_cooled_sample_screens_more_than_a_field_cooled_one() -> None:
    lab = opened("mpms3")
    temperature(lab, 5.0)
    field(lab, 10.0)
    zfc = measured(lab).fixed.moment_emu
    temperature(lab, 45.0)
    assert abs(measured(lab).fixed.moment_emu) < 1e-5
    temperature(lab, 5.0)
    fcc = measured(lab).fixed.moment_emu
    assert zfc < 0.0
    assert abs(fcc) < 0.03 * abs(zfc)


def test_a_lab_that_goes_on_after_a_kill_is_field_cooled_in_the_field_of_then() -> None:
    lab = opened("mpms3")
    temperature(lab, 5.0)
    field(lab, 10.0)
    before = machine(lab).moment_emu(lab.now())
    start = {"cryostat": {"start_k": 5.0}, "magnet": {"start_oe": 10.0}}
    after = machine(opened("mpms3", start=start)).moment_emu(0.0)
    assert abs(after) < 0.03 * abs(before)


def test_a_pulse_of_hours_ago_is_still_remembered_after_the_magnet_has_forgotten_it() -> None:
    lab = opened("mpms3")
    temperature(lab, 5.0)
    field(lab, 0.0)
    field(lab, 5000.0)
    field(lab, 0.0)
    trapped = machine(lab).moment_emu(lab.now())
    assert trapped > 0.1
    wait(lab, 20_000.0)
    field(lab, 10.0)
    assert machine(lab).moment_emu(lab.now()) == pytest.approx(trapped, rel=0.05)


def test_a_lab_that_slept_through_gives_what_one_that_woke_often_gives() -> None:
    moments = []
    for step_s in (20_000.0, 100.0):
        lab = opened("mpms3")
        temperature(lab, 10.0)
        lab.magnet.command(lab.now(), 30_000.0, 100.0, OSCILLATE, DRIVEN)
        for _ in range(round(20_000.0 / step_s)):
            wait(lab, step_s)
        moments.append(machine(lab).bring(lab.now()))
    assert moments[0] == moments[1]
    assert moments[0] != 0.0


# --- noise and time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "scan"), [("mpms3", DC), ("mpms3", VSM), ("mpms_xl", RSO), ("mpms5", DC)])
def test_the_noise_of_a_moment_is_the_one_told(name: str, scan: MomentScan) -> None:
    settings = {"machine": name, "noise_emu": 1e-8, "noise_fraction": 1e-4, "background_emu": 2e-4}
    lab = opened("default", under={"magnetometer": settings}, sample={"model": "metal"})
    read = [measured(lab, scan).fixed.moment_emu for _ in range(400)]
    scatter = math.sqrt(sum((value - 2e-4) ** 2 for value in read) / len(read))
    averaged = math.sqrt(3.0 / scan.scans) if scan.mode != "vsm" else 1.0
    assert scatter == pytest.approx(math.hypot(1e-8, 2e-8) * averaged, rel=0.12)


@pytest.mark.parametrize(
    ("name", "scan", "seconds"),
    [
        ("mpms3", DC, 2.0 + 3 * 4.0 + 4.0),
        ("mpms3", VSM, 5.0),
        ("mpms_xl", DC, 3.0 + 3 * 8.0 + 5.0),
        ("mpms_xl", RSO, 1.5 + 2 * 5.0 + 1.5),
        ("mpms_xl", MomentScan("rso", 30.0, 1, 4.0, 10), 5.5),
        ("mpms5", DC, 32.0),
    ],
)
def test_a_moment_takes_the_time_of_its_machine(name: str, scan: MomentScan, seconds: float) -> None:
    lab = opened("default", under={"magnetometer": {"machine": name}}, sample={"model": "metal"})
    assert machine(lab).begin(scan, 100.0).done == pytest.approx(100.0 + seconds)


def test_the_error_of_a_moment_covers_its_scatter() -> None:
    under = {"magnetometer": {"machine": "mpms3", "background_emu": 2e-4}}
    lab = opened("default", under=under, sample={"model": "metal"})
    pulls = []
    for _ in range(300):
        fit = measured(lab, MomentScan("dc", 35.0, 10, 0.0, 0)).fixed
        pulls.append((fit.moment_emu - 2e-4) / fit.error_emu)
    assert math.sqrt(sum(pull**2 for pull in pulls) / 300) == pytest.approx(1.13, abs=0.15)  # t of 9


def test_a_machine_says_how_it_can_measure() -> None:
    with pytest.raises(ValueError, match="the mpms5 measures dc, not rso"):
        machine(opened("mpms5")).begin(RSO, 0.0)


def test_a_moment_that_drifts_during_a_scan_spoils_its_fit() -> None:
    lab = opened("mpms5", sample=PALLADIUM)
    still, moving = (machine(lab).read(DC, pair, 100.0).fixed for pair in ((1e-3, 1e-3), (1e-3, 2e-3)))
    assert still.quality > 0.99
    assert moving.quality < 0.95
    assert moving.moment_emu == pytest.approx(1.5e-3, rel=0.05)


def test_asking_for_the_past_is_refused() -> None:
    lab = opened("mpms3")
    machine(lab).bring(50.0)
    with pytest.raises(ValueError, match="is before 50 s, where the sample is"):
        machine(lab).moment_emu(10.0)
