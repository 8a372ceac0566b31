"""One film by hardware delta, by reversal and by lock-in in one night: the three agree."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from onnes.storage.reader import Night
from tests.runner.transport_nights import EXAMPLES, run_night, transport_plan

# A second nanovoltmeter, with an address of its own, beside the one behind the 6221.
SECOND_METER = """
[instruments.k2182b]
driver = "keithley2182a"
resource = "GPIB0::17::INSTR"
[wiring.film_dc]
measures = "resistance"
method = "reversal"
source = "k6221"
meter = "k2182b"
leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }
compliance = "1 V"
ramp = "1 mA/s"
"""
LAB = """
[instrument.k2182a]
interface = "rs232"
[instrument.k2182b]
model = "k2182a"
resources = ["GPIB0::17::INSTR"]
"""
READ = """
[[read]]
port = "{port}"
loop = "I"
emf_nv = 3000.0
emf_drift_nv_per_s = 50.0
"""
BAD_LAB = (
    "[cryostat]\nstart_k = 115.0\n"
    + LAB
    + "".join(READ.format(port=port) for port in ("k2182a.ch1", "k2182b.ch1", "sr830.A"))
)
QUIET_LAB = BAD_LAB.replace("3000.0", "0.0").replace("50.0", "0.0")
NIGHT = """\
mounting: perpendicular
contact_check: {declined: the methods are compared here}
finish: {field: 0 Oe}
defaults: {settle: {for: 10 s, then_wait: 0 s}}
steps:
  - for: {method: [delta, reversal, lock_in]}
    do:
      # about the minimum of R(T), where an error of the temperature changes nothing
      - resistivity: {temperature: 113..111 K step 0.5 K, average: 24, self_heating_check: false}
"""
METHODS = ("delta", "reversal", "lock_in")
SEEDS = (1,)


def measured(folder: Path, lab: str, seed: int) -> dict[str, pd.DataFrame]:
    """Return the points of each method."""
    station = folder / "three.toml"
    folder.mkdir(parents=True, exist_ok=True)
    text = (EXAMPLES / "stations/delta-sim.toml").read_text(encoding="utf-8")
    station.write_text(text.replace("[residual_field]", SECOND_METER + "[residual_field]"), "utf-8")
    mounts = dict.fromkeys(("film", "film_dc", "film_ac"), "MB215-06")
    plan = transport_plan(folder, NIGHT, station=station, samples=mounts, lab=lab)
    night = run_night(plan, folder, seed=seed)
    return {method: run.current for method, run in zip(METHODS, Night.open(night.folder).runs, strict=True)}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, pd.DataFrame]]:
    """Nights with an EMF of 3 uV that drifts by 50 nV/s, and one without any."""
    folder = tmp_path_factory.mktemp("three")
    bad = [measured(folder / f"{seed}", BAD_LAB, seed) for seed in SEEDS]
    return [*bad, measured(folder / "quiet", QUIET_LAB, 3)]


def pulls(night: dict[str, pd.DataFrame], one: str, other: str) -> np.ndarray:
    """Return by how many standard errors of their difference two methods differ at each temperature."""
    first, second = night[one], night[other]
    error = np.hypot(first["Resistance error (ohm)"], second["Resistance error (ohm)"])
    return np.asarray((first["Resistance (ohm)"] - second["Resistance (ohm)"]) / error, dtype=np.float64)


@pytest.mark.parametrize(("one", "other"), [METHODS[:2], METHODS[1:], (METHODS[0], METHODS[2])])
def test_two_methods_give_one_resistance_within_their_errors(
    nights: list[dict[str, pd.DataFrame]], one: str, other: str
) -> None:
    for night in nights:
        found = pulls(night, one, other)
        assert len(found) == 5
        assert abs(found.mean()) < 4 / np.sqrt(len(found))


@pytest.mark.parametrize("method", METHODS)
def test_the_errors_are_those_that_the_points_have(
    nights: list[dict[str, pd.DataFrame]], method: str
) -> None:
    every = pd.concat([points for night in nights for points in night.values()])
    # R(T) at its minimum is one parabola for all
    curve = np.polyfit(
        every["Temperature (K)"] - 112.0,
        every["Resistance (ohm)"],
        2,
        w=1 / every["Resistance error (ohm)"],
    )
    own = pd.concat([night[method] for night in nights])
    rest = own["Resistance (ohm)"] - np.polyval(curve, own["Temperature (K)"] - 112.0)
    assert 0.3 < np.sqrt(np.mean((rest / own["Resistance error (ohm)"]) ** 2)) < 2


def test_no_point_is_flagged_and_all_agree_to_a_millionth(nights: list[dict[str, pd.DataFrame]]) -> None:
    for night in nights:
        assert all((points["Flags"] == "").all() for points in night.values())
        means = [points["Resistance (ohm)"].mean() for points in night.values()]
        assert np.ptp(means) < 5e-6 * np.mean(means)


def test_only_the_lock_in_has_a_part_out_of_phase_and_a_metal_has_none(
    nights: list[dict[str, pd.DataFrame]],
) -> None:
    for night in nights:
        assert night["delta"]["Quadrature (V)"].isna().all()
        assert night["reversal"]["Quadrature (V)"].isna().all()
        ac = night["lock_in"]
        assert (ac["Quadrature (V)"].abs() < 1e-5 * ac["Voltage (V)"]).all()


def test_the_emf_of_the_contacts_is_told_by_the_methods_that_see_it(
    nights: list[dict[str, pd.DataFrame]],
) -> None:
    bad, quiet = nights[0], nights[-1]
    assert (quiet["reversal"]["Thermal EMF (V)"].abs() < 1e-6).all()
    assert bad["reversal"]["EMF drift (V/s)"].median() == pytest.approx(50e-9, rel=0.2)
    assert (bad["reversal"]["Thermal EMF (V)"] > 3e-6).all()
