"""The ac options of the virtual machines: what they drive, what they read, and the rows that they write."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.sim.ac_option import AcOption, AcScan, MeasuredAcMoment
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.multivu_sequence import parse_line
from onnes.sim.sequencer import MultiVuFolders

BAR_EMU_PER_OE = 5e-3 / (4.0 * math.pi)  # full screening, 1 x 1 x 5 mm^3
QUIET: Mapping[str, Any] = {"ac_noise_emu": 0.0, "ac_noise_fraction": 0.0}
BAR: Mapping[str, Any] = {"model": "nanocomposite"}


def opened(
    machine: str = "mpms3", sample: Mapping[str, Any] = BAR, kelvin: float = 36.9, **keys: Any
) -> VirtualLab:
    under = {
        "drive": [],
        "read": [],
        "magnetometer": {"machine": machine, **keys},
        "cryostat": {"start_k": kelvin, "tau_sample_s": 20.0},
        "magnet": {"start_mode": "driven"},
        "sample": sample,
    }
    return load_lab("default", VirtualClock(), under=under)


def option(lab: VirtualLab) -> AcOption:
    assert lab.magnetometer is not None
    return lab.magnetometer.ac


def measured(lab: VirtualLab, scan: AcScan) -> MeasuredAcMoment:
    """Measure one alternating moment; only this lets time pass."""
    moment = option(lab).begin(scan, lab.now())
    for edge in moment.edges:
        lab.clock.sleep_until(edge + lab.origin)
        moment.look(edge)
    return moment.result()


def spread(lab: VirtualLab, scan: AcScan, count: int = 200) -> float:
    values = [measured(lab, scan).in_phase_emu for _ in range(count)]
    mean = math.fsum(values) / count
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))


def test_a_row_is_the_closed_form_at_the_temperature_of_the_sample() -> None:
    found = measured(opened(ac_phase_deg=0.0, **QUIET), AcScan(1.0, 10.0, 10.0))
    chi = complex(found.in_phase_emu, found.quadrature_emu) / BAR_EMU_PER_OE
    inside = chi / (1.0 - 0.0883 * chi)
    assert inside == pytest.approx(complex(-0.5487, 0.1915), abs=1e-3)
    assert found.temperature_k == pytest.approx(36.9, abs=0.01)
    assert found.field_oe == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("degrees", [0.5, -2.0])
def test_a_lag_of_its_electronics_turns_screening_into_negative_loss(degrees: float) -> None:
    lab = opened(kelvin=5.0, ac_phase_deg=degrees, **QUIET)
    found = measured(lab, AcScan(0.1, 10.0, 10.0))
    ratio = found.quadrature_emu / found.in_phase_emu
    assert ratio == pytest.approx(math.tan(math.radians(degrees)), abs=1e-4)


@pytest.mark.parametrize(("amplitude", "averaging", "relative"), [(0.1, 10.0, 5e-3), (10.0, 10.0, 5e-4)])
def test_its_noise_is_that_of_the_reference_and_falls_with_averaging(
    amplitude: float, averaging: float, relative: float
) -> None:
    lab = opened(sample={"model": "holder", "chi_emu_per_oe": -BAR_EMU_PER_OE})
    found = spread(lab, AcScan(amplitude, 10.0, averaging))
    assert found / (BAR_EMU_PER_OE * amplitude) == pytest.approx(relative, rel=0.15)
    assert spread(lab, AcScan(amplitude, 10.0, 4.0 * averaging)) == pytest.approx(0.5 * found, rel=0.25)
    told = measured(lab, AcScan(amplitude, 10.0, averaging)).error_emu
    assert told == pytest.approx(found, rel=0.15)


def test_the_same_seed_gives_the_same_rows() -> None:
    scans = [AcScan(1.0, 10.0, 10.0), AcScan(1.0, 100.0, 10.0)]
    first, second = ([measured(lab, scan) for scan in scans] for lab in (opened(), opened()))
    assert first == second
    assert first[0].quadrature_emu != first[1].quadrature_emu


def test_a_slow_frequency_takes_a_whole_cycle() -> None:
    lab = opened("mpms_xl")
    assert option(lab).begin(AcScan(1.0, 0.01, 10.0), 0.0).done == 102.0
    assert option(lab).begin(AcScan(1.0, 10.0, 10.0), 0.0).done == 12.0


@pytest.mark.parametrize(
    ("machine", "scan", "text"),
    [
        (
            "mpms_xl",
            AcScan(10.0, 10.0, 1.0),
            "ac amplitude = 10 Oe is outside [0.0002, 4] Oe, set by the ac op",
        ),
        (
            "mpms3",
            AcScan(1.0, 2000.0, 1.0),
            "ac frequency = 2000 Hz is outside [0.1, 1000] Hz, set by the ac",
        ),
        ("acms", AcScan(1.0, 1.0, 1.0), "ac frequency = 1 Hz is outside [10, 10000] Hz"),
    ],
)
def test_what_the_option_cannot_drive_is_refused(machine: str, scan: AcScan, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        option(opened(machine)).begin(scan, 0.0)


def test_a_sample_without_a_model_of_its_answer_is_refused() -> None:
    lab = opened(sample={"model": "bilayer", "gamma_t": "pristine"})
    with pytest.raises(ValueError, match=r"has no model of its answer to an alternating field"):
        option(lab).begin(AcScan(1.0, 10.0, 1.0), 0.0)


def test_an_empty_holder_answers_with_its_own_moment() -> None:
    lab = opened(sample={"model": "metal"}, background_emu_per_oe=1e-5, **QUIET)
    assert measured(lab, AcScan(2.0, 10.0, 1.0)).in_phase_emu == pytest.approx(2e-5, rel=1e-3)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("MES AC 1 10", "MES AC takes 3 numbers, not 2"),
        ("MES AC 0 10 1", "MES AC wants an amplitude above 0 Oe"),
        ("MES AC 1 10 0", "an averaging above 0 s"),
    ],
)
def test_a_line_that_it_does_not_know_is_refused(line: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_line(line)


# --- its rows ---------------------------------------------------------------------------------------------


def rows(tmp_path: Path, machine: str, *lines: str) -> tuple[list[dict[str, str]], list[str]]:
    """Return the rows that a sequence gives, and the journal."""
    under = {
        "magnetometer": {"machine": machine, "operator_s": 0.0},
        "cryostat": {"start_k": 36.9, "tau_sample_s": 20.0},
        "magnet": {"start_mode": "driven"},
        "sample": BAR,
    }
    clock = VirtualClock()
    lab = load_lab("default", clock, under=under, multivu=MultiVuFolders(tmp_path, tmp_path))
    text = "\r\n".join(('CDF "night.dat"', *lines)) + "\r\n"
    (tmp_path / "onnes-start-night.seq").write_bytes(text.encode("cp1252"))
    clock.sleep(600.0)
    body = (tmp_path / "night.dat").read_bytes().decode("cp1252").partition("[Data]\r\n")[2].splitlines()
    columns = body[0].split(",")
    found = [{c: v for c, v in zip(columns, line.split(","), strict=True) if v} for line in body[1:]]
    return found, [entry.command for entry in lab.journal if entry.kind == "sequence"]


def test_an_mpms3_writes_the_susceptibility_beside_dc_rows(tmp_path: Path) -> None:
    (ac, dc), _ = rows(tmp_path, "mpms3", "MES AC 2 100 10", "MES MOMENT dc 35 1 0 0")
    assert float(ac["AC X' (emu/Oe)"]) == pytest.approx(-0.5 * BAR_EMU_PER_OE, rel=0.5)
    assert (ac["AC Drive (Oe)"], ac["AC Frequency (Hz)"], ac["AC Averaging Time (sec)"]) == ("2", "100", "10")
    modulus = math.hypot(float(ac["AC X' (emu/Oe)"]), float(ac["AC X'' (emu/Oe)"]))
    assert float(ac["AC Susceptibility (emu/Oe)"]) == pytest.approx(modulus)
    assert float(ac["AC Moment (emu)"]) == pytest.approx(2.0 * modulus)
    assert "Moment (emu)" not in ac
    assert "AC X' (emu/Oe)" not in dc


def test_an_acms_writes_the_modulus_as_moment_and_dc_rows_apart(tmp_path: Path) -> None:
    (ac, dc), _ = rows(tmp_path, "acms", "MES AC 2 100 10", "MES MOMENT dc 35 1 0 0")
    assert float(ac["Moment (emu)"]) == pytest.approx(
        math.hypot(float(ac["M' (emu)"]), float(ac["M'' (emu)"]))
    )
    assert "M-DC (emu)" in dc
    assert "M' (emu)" not in dc


def test_an_xl_writes_one_kind_of_row_into_a_file(tmp_path: Path) -> None:
    found, journal = rows(tmp_path, "mpms_xl", "MES AC 2 100 10", "MES MOMENT dc 35 1 0 0")
    (ac,) = found
    assert (ac["Drive Amplitude (Oe)"], ac["Wave Frequency (Hz)"]) == ("2", "100")
    assert "a row of kind dc has no columns in a file of ac rows" in journal[-1]


def test_a_sequence_that_asks_for_too_much_stops_with_the_reason(tmp_path: Path) -> None:
    found, journal = rows(tmp_path, "mpms_xl", "MES AC 10 100 10")
    assert found == []
    assert "ac amplitude = 10 Oe is outside [0.0002, 4] Oe" in journal[-1]
