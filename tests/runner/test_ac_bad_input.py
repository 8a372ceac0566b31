"""What is wrong with a night of ac susceptibility: refused where it can be known, left safe where not."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from onnes.runner.check import check_sequence
from onnes.runner.ending import Outcome
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import Plan, make_plan
from onnes.runner.virtual_night import LabChoice, prepared
from onnes.sim.device_sr830 import SR830
from onnes.sim.lab import VirtualLab, get_lab
from onnes.storage.reader import Night
from tests.runner.ac_nights import CALIBRATED, PLAIN, ac_night, ac_plan, lab_file

COLD = "[10 K, 36 K, 37 K]"
COIL = f"""\
defaults:
  {PLAIN}
steps:
  - ac_susceptibility:
      temperature: {COLD}
      amplitude: [0.1 Oe, 0.5 Oe]
      frequency: 997 Hz
      phase: {{calibrate_at: 10 K}}
"""


def block(temperature: str = COLD, amplitude: str = "1 Oe", frequency: str = "97 Hz", phase: str = "") -> str:
    at = f", phase: {{calibrate_at: {phase}}}" if phase else ""
    drive = f"temperature: {temperature}, amplitude: {amplitude}, frequency: {frequency}"
    return f"steps:\n  - ac_susceptibility: {{{drive}{at}}}\n"


def printed(folder: Path, station: str, steps: str) -> list[str]:
    """Return what ``onnes check`` says of the sequence, without the path of the folder."""
    ac_plan(folder, block(amplitude="0.5 Oe"), station=station)
    sequence = folder / "night.yaml"
    head = sequence.read_text(encoding="utf-8").partition("steps:")[0]
    sequence.write_text(head + steps, encoding="utf-8")
    return checked(sequence)


def checked(sequence: Path) -> list[str]:
    out = io.StringIO()
    check_sequence(sequence, station=None, sample=None).print(Console(file=out, width=400))
    return [line.removeprefix(f"{sequence.parent}").lstrip("/\\") for line in out.getvalue().splitlines()]


# -- before the night


@pytest.mark.parametrize(
    ("station", "steps", "says"),
    [
        (
            "mpms-xl-sim",
            block(amplitude="[1 Oe, 10 Oe]"),
            "night.yaml:9:76: L060: amplitude = 10 Oe peak is outside [0.0002, 4] Oe, the range set by the "
            "ac option of the MPMS-XL; change it, or measure with another option",
        ),
        (
            "mpms3-sim",
            block(frequency="[10 Hz, 5 kHz]"),
            "night.yaml:9:94: L060: frequency = 5000 Hz is outside [0.1, 1000] Hz, the range set by the ac "
            "option of the MPMS3; change it, or measure with another option",
        ),
        (
            "acms-sim",
            block(amplitude="20 Oe"),
            "night.yaml:9:69: L060: amplitude = 20 Oe peak is outside [0.002, 15] Oe, the range set by the "
            "ACMS; change it, or measure with another option",
        ),
        (
            "susceptometer-sim",
            block(amplitude="1 Oe"),
            "night.yaml:9:69: L060: amplitude = 1 Oe peak is outside [0.0141421, 0.707107] Oe, the range set "
            "by the sine of the SR830; change it, or measure with another option",
        ),
        (
            "susceptometer-sim",
            block(amplitude="0.5 Oe", frequency="5 Hz"),
            "night.yaml:9:88: L060: frequency = 5 Hz is outside [10, 10000] Hz, the range set by the coil of "
            "wiring 'coil'; change it, or measure with another option",
        ),
        (
            "mpms3-sim",
            block(amplitude="0 Oe"),
            "night.yaml:9:69: '0 Oe' reaches 0 or below; expected a field in Oe, kOe, T, mT, uT or G; e.g. "
            "'5 Oe'",
        ),
        (
            "mpms3-sim",
            block(phase="39 K"),
            "night.yaml:9:115: phase.calibrate_at = 39 K is not below the expected Tc, 38.4 K; the phase is "
            "set deep in the screening state, where there is no loss",
        ),
        (
            "susceptometer-sim",
            block(amplitude="0.5 Oe", phase="45 K"),
            "night.yaml:9:117: phase.calibrate_at = 45 K is not below the expected Tc, 38.4 K; the phase is "
            "set deep in the screening state, where there is no loss",
        ),
    ],
)
def test_what_the_machine_cannot_do_is_refused_at_its_key(
    tmp_path: Path, station: str, steps: str, says: str
) -> None:
    found = printed(tmp_path, station, steps)
    assert (found[0], found[-1]) == (says, "1 error")


def test_a_coil_that_the_sine_cannot_drive_at_all_is_refused(tmp_path: Path) -> None:
    printed(tmp_path, "susceptometer-sim", block(amplitude="0.5 Oe"))
    station = tmp_path / "station.toml"
    text = station.read_text(encoding="utf-8").replace('series = "1 kohm"', 'series = "1000 kohm"')
    station.write_text(text, encoding="utf-8")
    sequence = tmp_path / "night.yaml"
    found = checked(sequence)
    assert found[0].startswith("night.yaml:9:5: L060: ")
    assert "the sine of the SR830" in found[0]


# -- in the night


def ended(plan: Plan, folder: Path, spoil: object = id) -> tuple[Outcome, Night, VirtualLab]:
    """Return how a night on the coil ended, what is stored of it, and its lab."""
    with prepared(plan, LabChoice(seed=1)) as (clock, key):
        assert key is not None
        lab = get_lab(key)
        spoil(lab)  # type: ignore[operator]
        night = NightThread(plan, folder / "runs", clock, key)
        night.start()
        assert night.wait(60)
        return night.outcome(), Night.open(night.folder), lab


def sine_is_at_its_lowest(lab: VirtualLab) -> bool:
    tone = lab.wiring.output("sr830.sine").at(lab.now()).tone
    return tone is not None and math.isclose(tone.peak, 4e-3 * math.sqrt(2))


def said(night: Night, kind: str) -> list[str]:
    events = night.events
    return list(events[events["kind"] == kind]["message"])


def test_a_gain_that_overloads_for_ever_suspends_the_night_with_the_sine_down(tmp_path: Path) -> None:
    ac_plan(tmp_path, COIL, station="susceptometer-sim")
    # A pick-up so far out of balance that 1 V rms, the largest range, does not hold it.
    lab_file(tmp_path, "susceptometer", imbalance_emu_per_oe=2000.0)
    outcome, night, lab = ended(make_plan(tmp_path / "night.yaml"), tmp_path)
    says = (
        "sr830 overloads on its largest range, 1 V; lower the excitation, or look for an open lead or a hum "
        "at its input"
    )
    assert (outcome.status, outcome.safe, outcome.message) == ("failed", True, says)
    assert said(night, "suspended") == [
        f"{says}; when it is dealt with: `onnes acknowledge`, then `onnes resume`"
    ]
    assert said(night, "safe_state")[0] == "sine at 0.004 V rms, its minimum"
    assert sine_is_at_its_lowest(lab)


def test_a_reference_that_is_lost_spoils_a_point_then_suspends_the_night_and_no_row_is_lost(
    tmp_path: Path,
) -> None:
    lost_at = 4700.0

    def lose(lab: VirtualLab) -> None:
        device = lab.instruments["sr830"]
        assert isinstance(device, SR830)
        device.demodulator.is_unlocked = lambda t: t > lost_at  # type: ignore[method-assign]

    outcome, night, lab = ended(ac_plan(tmp_path, COIL, station="susceptometer-sim"), tmp_path, lose)
    says = "sr830 has been without a lock on its reference for two points; look at the cable of the reference"
    assert (outcome.status, outcome.safe) == ("failed", True)
    assert outcome.message.startswith(says)
    assert len(said(night, "suspended")) == 1
    assert sine_is_at_its_lowest(lab)
    (run,) = night.runs
    assert list(run.data["Branch"]) == ["phase", "phase", "curve", "curve"]
    rejected = (run.path / "rejected.csv").read_text(encoding="utf-8").splitlines()[-1]
    assert ",unlock," in rejected


# -- in the analysis


def test_one_temperature_alone_gives_reasons_and_no_numbers(tmp_path: Path) -> None:
    steps = f"defaults:\n  {CALIBRATED}\n{block('36.9 K', '[0.1 Oe, 1 Oe, 10 Oe]', '10 Hz', '10 K')}"
    night = ac_night(tmp_path, steps)
    for key, says in (
        ("half-screening-1Oe-10Hz", "1 points"),
        ("loss-peak-1Oe-10Hz", "1 points; 5 at least are needed"),
        ("rectangle-10Hz-0.4", "1 points"),
    ):
        assert (night.results[key]["value"], night.results[key]["flags"][0]) == (None, says)
    assert not [key for key in night.results if key.startswith("jc-ac-")]
    assert abs(night.pull("ac-phase-10Hz", 0.5)) < 3
