"""Alternating moments through a sequence: refused, written, run by the virtual MultiVu, and followed."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import LimitError
from onnes.instruments.magnetometer_machines import ACMS, MPMS3, MPMS_XL, Machine, ac_point_s
from onnes.instruments.moments import (
    AcMoment,
    MeasureMoment,
    MeasureStep,
    MeasureSusceptibility,
    Moment,
    MomentProgram,
    Remark,
    Scan,
    SetTemperature,
    Step,
    Wait,
)
from onnes.instruments.mpms import Acms, Mpms, Mpms3, MpmsXl
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.program_rows import Matched, ProgramRows
from onnes.instruments.qd_columns import Kind
from onnes.instruments.qd_tail import DatRow
from onnes.sim.lab_file import load_lab
from onnes.sim.sequencer import MultiVuFolders

TEMPLATES = Path(__file__).parents[2] / "examples" / "stations" / "templates"
BAR_EMU_PER_OE = 5e-3 / (4.0 * math.pi)
DRIVES = tuple((amplitude, hertz) for hertz in (10.0, 1000.0) for amplitude in (0.1, 1.0, 10.0))
COUPLES = tuple(
    MeasureSusceptibility(kelvin, 0.0, amplitude, hertz, 10.0, 1, "curve", 20.0)
    for kelvin in (36.9, 37.0)
    for amplitude, hertz in DRIVES
)


def program(steps: Sequence[Step] = COUPLES, mode: str = "dc") -> MomentProgram:
    return MomentProgram(
        "night_ac_a1", "chi at 0 Oe", tuple(steps), Scan("vsm" if mode == "vsm" else "dc"), 20.0
    )


def driven(kelvin: float, amplitude_oe: float, hertz: float, field_oe: float = 0.0) -> MeasureSusceptibility:
    return MeasureSusceptibility(kelvin, field_oe, amplitude_oe, hertz, 10.0, 1, "curve", 20.0)


@pytest.fixture
def files(tmp_path: Path) -> MultiVuFiles:
    found = MultiVuFiles(TEMPLATES / "mpms3-sim.seq", tmp_path / "data", tmp_path / "sequences")
    found.data.mkdir()
    found.sequences.mkdir()
    return found


def opened(machine: Machine, files: MultiVuFiles, clock: VirtualClock) -> Mpms:
    kind = {"MPMS3": Mpms3, "MPMS-XL": MpmsXl, "ACMS": Acms}[machine.name]
    return kind("mpms", files, machine.limits, clock, simulated=True)


# --- before anything is written


@pytest.mark.parametrize(
    ("machine", "step", "text"),
    [
        (
            MPMS_XL,
            driven(5.0, 10.0, 10.0),
            r"amplitude of the drive field \(peak\) = 10 Oe is outside \[0.0002, 4\] Oe, the range set by "
            r"the ac option of the MPMS-XL; nothing was sent",
        ),
        (
            MPMS3,
            driven(5.0, 0.0, 10.0),
            r"= 0 Oe is outside \[0.005, 10\] Oe, the range set by the ac option",
        ),
        (
            MPMS3,
            driven(5.0, 1.0, 2000.0),
            r"frequency of the drive field = 2000 Hz is outside \[0.1, 1000\] Hz",
        ),
    ],
)
def test_a_drive_beyond_the_record_of_the_option_is_refused_before_anything_is_written(
    machine: Machine, step: Step, text: str, files: MultiVuFiles, clock: VirtualClock
) -> None:
    mpms = opened(machine, files, clock)
    with pytest.raises(LimitError, match=text):
        mpms.hand_over([program([step])])
    assert list(files.sequences.iterdir()) == []


def test_the_record_of_the_option_is_told_with_its_flags(files: MultiVuFiles, clock: VirtualClock) -> None:
    assert opened(MPMS3, files, clock).flags.ac == MPMS3.ac
    assert opened(MPMS_XL, files, clock).flags.ac == MPMS_XL.ac


def test_the_runbook_names_amplitudes_and_frequencies_and_no_scan(
    files: MultiVuFiles, clock: VirtualClock
) -> None:
    book = opened(MPMS3, files, clock).hand_over([program()]).runbook.read_text(encoding="utf-8")
    assert (
        "   - measure 12 moments (curve): 36.9 K, 0 Oe to 37 K, 0 Oe, in a drive field of 0.1, 1, 10 Oe "
        "(peak) at 10, 1000 Hz\n"
    ) in book
    assert "scan:" not in book


# --- run by the virtual MultiVu


@pytest.mark.parametrize("machine", [MPMS3, MPMS_XL, ACMS])
def test_a_program_that_multivu_runs_gives_every_alternating_moment(
    machine: Machine, files: MultiVuFiles, clock: VirtualClock
) -> None:
    name = {"MPMS3": "mpms3", "MPMS-XL": "mpms_xl", "ACMS": "acms"}[machine.name]
    lab = load_lab(
        name,
        clock,
        sample={"model": "nanocomposite"},
        under={"cryostat": {"start_k": 30.0}, "magnet": {"start_mode": "driven"}},
        multivu=MultiVuFolders(files.data, files.sequences),
    )
    del lab
    mpms = opened(machine, files, clock)
    drives = tuple(one for one in DRIVES if machine.ac.amplitude.contains(one[0]))
    steps: list[Step] = [Remark("chi")]
    for kelvin in (36.5, 36.9):
        steps += [SetTemperature(kelvin, 2.0, "no_overshoot"), Wait(120.0, temperature=True)]
        steps += [driven(kelvin, amplitude, hertz) for amplitude, hertz in drives]
    planned = program(steps)
    mpms.check(planned)
    mpms.hand_over([planned])
    mpms.follow(planned)
    clock.sleep(7200.0)
    streamed = mpms.poll()
    assert streamed.remarks == ()
    moments = [moment for moment in streamed.moments if isinstance(moment, AcMoment)]
    assert [moment.planned for moment in moments] == planned.moments()
    assert {moment.flags for moment in moments} == {()}
    one = next(m for m in moments if m.planned == driven(36.9, 1.0, 10.0))
    chi = complex(one.in_phase_emu, one.quadrature_emu) / BAR_EMU_PER_OE
    # the reference has -0.5487 and 0.1915 inside; the coil's phase error and demagnetisation are left in
    assert chi / (1.0 - 0.0883 * chi) == pytest.approx(complex(-0.5487, 0.1915), abs=0.03)
    if machine is ACMS:  # its file has no column for that
        assert math.isnan(one.in_phase_error_emu)
    else:
        assert 0.0 < one.in_phase_error_emu < 1e-2 * abs(one.in_phase_emu)
        assert one.quadrature_error_emu == one.in_phase_error_emu
    taken_s = [later.stamp_s - earlier.stamp_s for earlier, later in pairwise(moments)]
    assert min(taken_s) == pytest.approx(ac_point_s(1.0, 10.0), abs=1e-3)
    assert (one.amplitude_oe, one.frequency_hz) == (1.0, 10.0)


# --- which row is which


def row(
    step: MeasureStep, line: int = 20, kind: Kind = "ac", *, amplitude_oe: float | None = None, **more: float
) -> DatRow:
    """Return the row that a step gives, with what the machine of an MPMS3 writes for each oersted."""
    values = {"time_stamp_s": 3.9e9 + line, "temperature_k": step.temperature_k, "field_oe": step.field_oe}
    if isinstance(step, MeasureSusceptibility):
        values |= {
            "ac_drive_oe": amplitude_oe or step.amplitude_oe,
            "ac_frequency_hz": step.frequency_hz,
            "ac_in_phase_emu_per_oe": -4e-4,
            "ac_out_of_phase_emu_per_oe": 1e-4,
            "ac_in_phase_error_emu_per_oe": 1e-7,
        }
    else:
        values |= {"moment_emu": 1e-3}
    return DatRow(line, values | more, "", kind)


def matched(steps: Sequence[Step], *rows: DatRow, mode: str = "dc") -> Matched:
    return ProgramRows(program(steps, mode), 10.0).match(rows, 5.0)


def drives(found: Matched) -> list[tuple[float, float]]:
    return [
        (one.planned.amplitude_oe, one.planned.frequency_hz)
        for one in found.moments
        if isinstance(one, AcMoment)
    ]


def test_a_row_for_each_oersted_becomes_an_amplitude_in_emu() -> None:
    (one,) = matched(COUPLES[1:2], row(COUPLES[1], amplitude_oe=1.02)).moments
    assert isinstance(one, AcMoment)
    assert complex(one.in_phase_emu, one.quadrature_emu) == pytest.approx(-4.08e-4 + 1.02e-4j)
    assert one.in_phase_error_emu == pytest.approx(1.02e-7)
    assert math.isnan(one.quadrature_error_emu)
    assert (one.amplitude_oe, one.flags, one.time) == (1.02, (), 5.0)


def test_rows_at_one_temperature_are_told_apart_by_their_drive() -> None:
    left_out = COUPLES[2]
    found = matched(COUPLES[:6], *(row(step) for step in COUPLES[:6] if step is not left_out))
    assert drives(found) == [DRIVES[0], DRIVES[1], *DRIVES[3:]]
    (remark,) = found.remarks
    assert remark.startswith("there is no row of 36.9 K, 0 Oe, 10 Oe peak at 10 Hz (curve), number 3 of 6")


def test_the_first_amplitude_comes_again_after_the_largest() -> None:
    steps = (*COUPLES[:3], driven(36.9, 0.1, 10.0))
    found = matched(steps, *(row(step) for step in steps))
    assert drives(found) == [(0.1, 10.0), (1.0, 10.0), (10.0, 10.0), (0.1, 10.0)]
    assert found.remarks == ()


def test_a_row_that_is_measured_twice_is_left_out() -> None:
    found = matched(COUPLES[:3], row(COUPLES[0]), row(COUPLES[0], 21), row(COUPLES[1], 22))
    assert drives(found) == [(0.1, 10.0), (1.0, 10.0)]
    assert "line 21 of night_ac_a1.dat (36.9 K, 0 Oe, 0.1 Oe peak at 10 Hz)" in found.remarks[0]
    assert "repeats 36.9 K, 0 Oe, 0.1 Oe peak at 10 Hz (curve)" in found.remarks[0]


def test_a_drive_that_is_none_that_was_asked_for_is_flagged() -> None:
    (one,) = matched(COUPLES[:1], row(COUPLES[0], amplitude_oe=0.12)).moments
    assert one.flags == ("off_drive",)


def test_a_row_off_its_setpoint_and_one_beyond_the_range_are_flagged() -> None:
    (one,) = matched(COUPLES[:1], row(COUPLES[0], temperature_k=37.6)).moments
    assert one.flags == ("off_setpoint",)
    (two,) = matched(COUPLES[:1], row(COUPLES[0], ac_in_phase_emu_per_oe=-200.0)).moments
    assert two.flags == ("range",)


def test_rows_of_both_kinds_go_to_the_steps_of_their_kind() -> None:
    dc = MeasureMoment(36.9, 0.0, 1, "zfc", 20.0)
    steps: tuple[MeasureStep, ...] = (COUPLES[0], dc, COUPLES[1])
    found = matched(steps, row(COUPLES[0]), row(dc, kind="vsm"), row(COUPLES[1]), mode="vsm")
    assert [type(one) for one in found.moments] == [AcMoment, Moment, AcMoment]
    assert found.remarks == ()
    skipped = matched(steps, row(COUPLES[0]), row(COUPLES[1]), mode="vsm")
    assert drives(skipped) == [(0.1, 10.0), (1.0, 10.0)]
    assert "there is no row of 36.9 K, 0 Oe (zfc), number 2 of 3" in skipped.remarks[0]


def test_a_row_of_a_kind_that_nobody_asked_for_is_left_out() -> None:
    dc = MeasureMoment(36.9, 0.0, 1, "zfc", 20.0)
    found = matched(COUPLES[:2], row(dc, kind="dc"))
    assert "is a row of kind dc, and ac is measured; it is left out" in found.remarks[0]
    far = matched((dc, COUPLES[0]), row(driven(50.0, 3.0, 77.0)))
    assert (
        "is a row of kind ac, where 36.9 K, 0 Oe (zfc) of kind dc is next; it is left out" in far.remarks[0]
    )
    assert (found.moments, far.moments) == ((), ())
