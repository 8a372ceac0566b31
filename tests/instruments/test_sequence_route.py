"""Programs handed over and their files followed; the test plays MultiVu and grows the file by hand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError, InstrumentFault, LimitError, StorageError
from onnes.instruments.magnetometer_machines import MPMS3, MPMS_XL
from onnes.instruments.moments import (
    Magnetometer,
    MeasureMoment,
    Moment,
    MomentProgram,
    Scan,
    SetField,
    SetTemperature,
    Step,
    Streamed,
)
from onnes.instruments.mpms import Mpms3, MpmsXl
from onnes.instruments.multivu_files import MultiVuFiles

TEMPLATE = Path(__file__).parents[2] / "examples" / "stations" / "templates" / "mpms3-sim.seq"
COLUMNS = (
    "Comment,Time Stamp (sec),Temperature (K),Magnetic Field (Oe),Moment (emu),M. Std. Err. (emu),"
    "DC Moment Fixed Ctr (emu),DC Moment Err Fixed Ctr (emu),DC Moment Free Ctr (emu),"
    "DC Moment Err Free Ctr (emu),DC Fixed Fit,DC Free Fit,DC Calculated Center (mm)"
)
HEAD = f"[Header]\r\nBYAPP,MPMS3,1.0,1.1\r\n[Data]\r\n{COLUMNS}\r\n"
NAN = math.nan


class Folder:
    """MultiVu's folders; the data file of a program grows as the test says."""

    def __init__(self, files: MultiVuFiles) -> None:
        self.files = files
        self._stamp = 3.9e9

    def row(
        self,
        name: str,
        kelvin: float,
        oersted: float,
        *,
        vsm: float = NAN,
        fixed: float = NAN,
        free: float = NAN,
        fits: tuple[float, float] = (NAN, NAN),
    ) -> None:
        """Append one row, and the header before the first."""
        self._stamp += 60.0
        numbers = (self._stamp, kelvin, oersted, vsm, NAN, fixed, 1e-8, free, 2e-8, *fits, 33.0)
        self.text(name, "," + ",".join("" if math.isnan(n) else repr(n) for n in numbers) + "\r\n")

    def text(self, name: str, text: str) -> None:
        path = self.files.data / f"{name}.dat"
        with path.open("ab") as file:
            file.write(((HEAD if not path.exists() or not path.stat().st_size else "") + text).encode())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    files = MultiVuFiles(tmp_path / "template.seq", tmp_path / "data", tmp_path / "sequences")
    files.data.mkdir()
    files.sequences.mkdir()
    files.template.write_bytes(TEMPLATE.read_bytes())
    return Folder(files)


@pytest.fixture
def mpms(folder: Folder, clock: VirtualClock) -> Mpms3:
    return Mpms3("mpms", folder.files, MPMS3.limits, clock, simulated=True)


def program(name: str = "n_0001_zfc-fc_a1", *steps: Step, scan: Scan = Scan(mode="vsm")) -> MomentProgram:  # noqa: B008
    points = tuple(MeasureMoment(kelvin, 5.0, 1, "zfc", 60.0) for kelvin in (2.0, 3.0, 4.0, 5.0))
    return MomentProgram(name, "ZFC at 5 Oe", (*steps, *points), scan, 20.0)


def temperatures(streamed: Streamed) -> list[float]:
    return [moment.planned.temperature_k for moment in streamed.moments]


# --- handing over


def test_it_is_a_magnetometer_that_only_streams(mpms: Mpms3) -> None:
    assert isinstance(mpms, Magnetometer)
    assert (mpms.flags.modes, mpms.flags.can_set) == (("dc", "vsm"), False)
    assert mpms.point_s(Scan("dc", scans=3)) == 18.0


def test_one_start_chains_the_sequences_of_all_programs(mpms: Mpms3, folder: Folder) -> None:
    handed = mpms.hand_over([program(), program("n_0002_loop_a1")])
    sequences = folder.files.sequences
    assert handed.start == sequences / "onnes-start-n_0001_zfc-fc_a1.seq"
    assert handed.start.read_bytes() == (
        b"REM start of n_0001_zfc-fc_a1, n_0002_loop_a1\r\n"
        b"REM SIMULATED: for a virtual machine only\r\n"
        b"CHN n_0001_zfc-fc_a1.seq\r\n"
        b"CHN n_0002_loop_a1.seq\r\n"
    )
    assert b'CDF "n_0002_loop_a1.dat"\r\n' in (sequences / "n_0002_loop_a1.seq").read_bytes()
    assert handed.data == folder.files.data / "n_0001_zfc-fc_a1.dat"
    assert handed.start.name in handed.message
    assert sorted(path.suffix for path in sequences.iterdir()) == [".seq", ".seq", ".seq", ".txt"]


def test_without_a_chain_line_the_start_is_one_long_sequence(folder: Folder, clock: VirtualClock) -> None:
    text = folder.files.template.read_text(encoding="cp1252").replace("CHN {chain}\n", "")
    folder.files.template.write_text(text, encoding="cp1252")
    mpms = Mpms3("mpms", folder.files, MPMS3.limits, clock, simulated=False)
    start = mpms.hand_over([program(), program("n_0002_loop_a1")]).start.read_text(encoding="cp1252")
    assert start.index('CDF "n_0001_zfc-fc_a1.dat"') < start.index('CDF "n_0002_loop_a1.dat"')
    assert len(list(folder.files.sequences.glob("*.seq"))) == 1


def test_the_runbook_says_what_to_look_at_to_start_and_what_is_measured(mpms: Mpms3) -> None:
    handed = mpms.hand_over([program("n_0001_zfc-fc_a1", SetTemperature(50.0, 10.0), SetField(5.0))])
    book = handed.runbook.read_text(encoding="utf-8")
    assert book.startswith("MPMS3: 1 measurement, 4 moments, about 4 min\nSIMULATED")
    for told in (
        str(handed.start),
        "the sample is centred",
        "there is helium",
        "nobody else sets temperature or field",
        "   - temperature to 50 K at 10 K/min\n   - field to 5 Oe, linear\n   - measure 4 moments (zfc)",
        "If it stops:",
    ):
        assert told in book


def test_the_start_file_comes_last(mpms: Mpms3, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    replaced = Path.replace

    def replace_(self: Path, target: Path) -> Path:
        order.append(target.name)
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", replace_)
    mpms.hand_over([program()])
    assert order[-1] == "onnes-start-n_0001_zfc-fc_a1.seq"


def test_what_cannot_be_written_leaves_nothing_behind(
    mpms: Mpms3, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, f"No space left on device for {self} as {target}")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match=r"No space left on device .*; nothing was handed over"):
            mpms.hand_over([program()])
    assert list(folder.files.sequences.iterdir()) == []
    assert mpms.masters == ()


@pytest.mark.parametrize("goes", ["exists", "write_bytes"])
def test_a_share_that_goes_while_it_is_written_is_told_as_that(
    mpms: Mpms3, folder: Folder, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    def gone(self: Path, *_: object, **__: object) -> bool:
        raise OSError(59, f"An unexpected network error occurred at {self.name}")

    with monkeypatch.context() as patched:
        patched.setattr(Path, goes, gone)
        patched.setattr(Path, "unlink", gone)
        with pytest.raises(StorageError, match=r"be written: An unexpected network error .*; nothing was"):
            mpms.hand_over([program()])
    assert list(folder.files.sequences.iterdir()) == []
    assert mpms.masters == ()


@pytest.mark.parametrize("where", ["data/n_0001_zfc-fc_a1.dat", "sequences/n_0001_zfc-fc_a1.seq"])
def test_a_file_that_is_there_already_is_not_written_over(mpms: Mpms3, tmp_path: Path, where: str) -> None:
    (tmp_path / where).write_text("of another program", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigurationError, match="is there already, and is not written over"):
        mpms.hand_over([program()])
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (SetTemperature(401.0, 1.0), "temperature = 401 K is outside"),
        (SetTemperature(10.0, 21.0), "temperature rate = 21 K/min is outside"),
        (SetField(70_001.0), "field = 70001 Oe is outside"),
        (SetField(10.0, 701.0), "field rate = 701 Oe/s is outside"),
    ],
)
def test_a_setpoint_outside_the_limits_is_refused_before_anything_is_written(
    mpms: Mpms3, folder: Folder, step: Step, text: str
) -> None:
    with pytest.raises(LimitError, match=text):
        mpms.hand_over([program(), program("n_0002_loop_a1", step)])
    assert list(folder.files.sequences.iterdir()) == []


def test_a_folder_that_is_not_there_is_named_with_its_key(mpms: Mpms3, folder: Folder) -> None:
    folder.files.sequences.rmdir()
    with pytest.raises(ConfigurationError, match="which sequences in the station file names; share it"):
        mpms.check(program())


def test_a_machine_without_a_rate_takes_none(folder: Folder, clock: VirtualClock) -> None:
    xl = MpmsXl("mpms", folder.files, MPMS_XL.limits, clock, simulated=False)
    dc = replace(program("p", SetField(5.0)), scan=Scan("dc"))
    with pytest.raises(ConfigurationError, match=r"has \{field_rate\}, and the MPMS-XL has no rate to"):
        xl.check(dc)
    text = folder.files.template.read_text(encoding="cp1252").replace("{field_rate}", "150.0")
    folder.files.template.write_text(text, encoding="cp1252")
    xl = MpmsXl("mpms", folder.files, MPMS_XL.limits, clock, simulated=False)
    xl.check(dc)
    with pytest.raises(ConfigurationError, match="has none to choose; leave rate out"):
        xl.check(replace(program("p", SetField(5.0, 10.0)), scan=Scan("dc")))


# --- following


def test_rows_come_as_they_are_written_and_each_once(
    mpms: Mpms3, folder: Folder, clock: VirtualClock
) -> None:
    planned = program()
    mpms.follow(planned)
    assert mpms.poll() == Streamed((), (), None, 0)
    folder.row(planned.name, 2.001, 5.02, vsm=1e-5)
    clock.sleep(30.0)
    (moment,) = mpms.poll().moments
    assert isinstance(moment, Moment)
    assert (moment.time, moment.moment_emu, moment.fit_used, moment.flags) == (clock.now(), 1e-5, "vsm", ())
    folder.text(planned.name, ",3900000120,3.0")
    assert mpms.poll().moments == ()
    folder.text(planned.name, "01,5.0,2e-5\r\n")
    assert temperatures(mpms.poll()) == [3.0]


def test_remarks_in_the_file_are_passed_over(mpms: Mpms3, folder: Folder) -> None:
    mpms.follow(program())
    folder.text(program().name, "ZFC 5 Oe" + 12 * "," + "\r\n")
    folder.text(program().name, "ZFC 5 Oe,3900000001.0" + 11 * "," + "\r\n")
    folder.row(program().name, 2.0, 5.0, vsm=1e-5)
    streamed = mpms.poll()
    assert (temperatures(streamed), streamed.remarks) == ([2.0], ())


def test_a_missing_row_is_said_and_the_step_left_out(mpms: Mpms3, folder: Folder) -> None:
    mpms.follow(program())
    folder.row(program().name, 2.0, 5.0, vsm=1e-5)
    folder.row(program().name, 4.0, 5.0, vsm=1e-5)
    streamed = mpms.poll()
    assert temperatures(streamed) == [2.0, 4.0]
    assert [moment.flags for moment in streamed.moments] == [(), ()]
    (remark,) = streamed.remarks
    assert "there is no row of 3 K, 5 Oe (zfc), number 2 of 4" in remark


def test_of_several_missing_rows_the_steps_are_left_out_and_nothing_shifts(
    mpms: Mpms3, folder: Folder
) -> None:
    mpms.follow(program())
    for kelvin in (2.0, 5.0):
        folder.row("n_0001_zfc-fc_a1", kelvin, 5.0, vsm=1e-5)
    streamed = mpms.poll()
    assert temperatures(streamed) == [2.0, 5.0]
    assert [moment.flags for moment in streamed.moments] == [(), ()]
    (told,) = streamed.remarks
    assert told.startswith(
        "there is no row of 3 K, 5 Oe (zfc), number 2, and of the 1 after it of 4: line 6 "
    )
    assert told.endswith("is that of the step after them; the steps are left out")


def test_a_temperature_that_is_where_a_later_step_would_be_costs_some_steps_and_shifts_none(
    mpms: Mpms3, folder: Folder
) -> None:
    points = tuple(MeasureMoment(float(kelvin), 5.0, 1, "zfc", 60.0) for kelvin in range(2, 9))
    mpms.follow(replace(program(), steps=points))
    for kelvin in (2.0, 5.0, 4.0, 5.0, 6.0, 7.0, 8.0):  # at 3 K it went to 5 K
        folder.row("n_0001_zfc-fc_a1", kelvin, 5.0, vsm=1e-5)
    streamed = mpms.poll()
    assert temperatures(streamed) == [2.0, 5.0, 6.0, 7.0, 8.0]
    assert all(moment.temperature_k == moment.planned.temperature_k for moment in streamed.moments)
    assert ["repeats" in told for told in streamed.remarks] == [False, True, True]


def test_a_row_off_its_setpoint_is_flagged_and_shifts_nothing(mpms: Mpms3, folder: Folder) -> None:
    mpms.follow(program())
    for kelvin, oersted in ((2.0, 5.0), (3.4, 5.0), (4.0, 9.0), (5.0, 5.0)):
        folder.row(program().name, kelvin, oersted, vsm=1e-5)
    streamed = mpms.poll()
    assert temperatures(streamed) == [2.0, 3.0, 4.0, 5.0]
    assert [moment.flags for moment in streamed.moments] == [(), ("off_setpoint",), ("off_setpoint",), ()]
    assert streamed.remarks == ()


def test_steps_closer_than_the_tolerance_are_told_apart(mpms: Mpms3, folder: Folder) -> None:
    points = tuple(MeasureMoment(80.0 + 0.1 * n, 5.0, 1, "zfc", 60.0) for n in range(4))
    fine = replace(program(), steps=points)
    mpms.follow(fine)
    for kelvin in (80.0, 80.06, 80.2, 80.31):
        folder.row(fine.name, kelvin, 5.0, vsm=1e-5)
    assert temperatures(mpms.poll()) == [point.temperature_k for point in points]


@pytest.mark.parametrize(
    ("kelvin", "columns", "text"),
    [
        (2.0, {"vsm": 1e-5}, "repeats 2 K, 5 Oe (zfc), where 3 K, 5 Oe (zfc) is next"),
        (3.0, {"fixed": 1e-5}, "is a row of kind dc, and vsm is measured"),
    ],
)
def test_a_row_of_no_step_is_a_remark(
    mpms: Mpms3, folder: Folder, kelvin: float, columns: dict[str, float], text: str
) -> None:
    mpms.follow(program())
    folder.row(program().name, 2.0, 5.0, vsm=1e-5)
    folder.row(program().name, kelvin, 5.0, **columns)  # type: ignore[arg-type]  # names of moments only
    folder.row(program().name, 3.0, 5.0, vsm=1e-5)
    streamed = mpms.poll()
    assert temperatures(streamed) == [2.0, 3.0]
    assert any(text in remark for remark in streamed.remarks)


def test_a_row_after_the_last_is_a_remark(mpms: Mpms3, folder: Folder) -> None:
    mpms.follow(program())
    for kelvin in (2.0, 3.0, 4.0, 5.0, 6.0):
        folder.row(program().name, kelvin, 5.0, vsm=1e-5)
    streamed = mpms.poll()
    assert len(streamed.moments) == 4
    assert "comes after all 4 rows of the program" in streamed.remarks[0]


@pytest.mark.parametrize(
    ("fits", "used", "flags"),
    [
        ((0.97, 0.98), "fixed", ()),
        ((0.71, 0.97), "free", ()),
        ((0.80, 0.70), "fixed", ("poor_fit",)),
        ((0.71, 0.85), "free", ("poor_fit",)),
    ],
)
def test_the_free_fit_is_used_where_the_fixed_is_poor_and_it_is_better(
    mpms: Mpms3, folder: Folder, fits: tuple[float, float], used: str, flags: tuple[str, ...]
) -> None:
    planned = program(scan=Scan("dc"))
    mpms.follow(planned)
    folder.row(planned.name, 2.0, 5.0, fixed=1e-5, free=2e-5, fits=fits)
    (moment,) = mpms.poll().moments
    assert isinstance(moment, Moment)
    assert (moment.fit_used, moment.flags) == (used, flags)
    assert moment.moment_emu == {"fixed": 1e-5, "free": 2e-5}[used]
    assert (moment.moment_fixed_emu, moment.moment_free_emu) == (1e-5, 2e-5)
    assert moment.moment_error_emu == {"fixed": 1e-8, "free": 2e-8}[used]
    assert moment.centre_cm == pytest.approx(3.3)


def test_a_moment_at_the_end_of_the_range_is_flagged(mpms: Mpms3, folder: Folder) -> None:
    mpms.follow(program())
    folder.row(program().name, 2.0, 5.0, vsm=-10.0)
    assert mpms.poll().moments[0].flags == ("range",)


def test_a_start_that_nobody_has_used_is_withdrawn_with_its_night(mpms: Mpms3, folder: Folder) -> None:
    start = mpms.hand_over([program()]).start
    mpms.follow(program())
    mpms.let_go(ended=False)
    assert not start.exists()
    assert start.with_suffix(".withdrawn").exists()
    assert mpms.masters == ("n_0001_zfc-fc_a1.seq",)  # somebody may have loaded it all the same
    again = mpms.hand_over([program("n_0001_zfc-fc_a2")]).start
    folder.row("n_0001_zfc-fc_a2", 2.0, 5.0, vsm=1e-5)
    mpms.follow(program("n_0001_zfc-fc_a2"))
    mpms.let_go(ended=False)
    assert again.exists()


def test_the_start_of_a_chain_that_runs_is_not_withdrawn_between_two_of_its_programs(
    mpms: Mpms3, folder: Folder
) -> None:
    start = mpms.hand_over([program("a"), program("b")]).start
    folder.row("a", 2.0, 5.0, vsm=1e-5)
    mpms.follow(program("a"))
    mpms.let_go(ended=True)
    mpms.follow(program("b"))
    mpms.let_go(ended=False)
    assert start.exists()


@pytest.mark.parametrize("is_begun", [False, True])
def test_what_an_earlier_process_left_behind_may_be_running(
    mpms: Mpms3, folder: Folder, clock: VirtualClock, is_begun: bool
) -> None:
    start = mpms.hand_over([program("a"), program("b")]).start
    if is_begun:
        folder.row("a", 2.0, 5.0, vsm=1e-5)
    again = Mpms3("mpms", folder.files, MPMS3.limits, clock, simulated=True)
    masters = [again.masters]
    again.left_behind([program("a"), program("b")])
    masters.append(again.masters)
    assert start.exists() is is_begun
    assert start.with_suffix(".withdrawn").exists() is not is_begun
    again.hand_over([program("c")])
    masters.append(again.masters)
    again.accept_stopped()
    masters.append(again.masters)
    assert masters == [(), ("a.seq", "b.seq"), ("c.seq",), ()]


# --- one master


def test_it_is_not_safe_while_a_sequence_may_go_on(mpms: Mpms3) -> None:
    assert mpms.safe_state().startswith("nothing to make safe")
    mpms.hand_over([program("a", SetTemperature(50.0, 7.0)), program("b")])
    mpms.follow(program("a"))
    assert mpms.commanded_rate_k_per_min() == 7.0
    mpms.let_go(ended=True)
    with pytest.raises(InstrumentFault, match=r"MultiVu may go on with its sequence b\.seq; stop it there"):
        mpms.safe_state()
    mpms.follow(program("b"))
    mpms.let_go(ended=False)
    with pytest.raises(InstrumentFault, match=r"sequence b\.seq; stop it there"):
        mpms.hold(temperature=True)
    mpms.follow(program("b"))
    mpms.let_go(ended=True)
    assert mpms.hold() == mpms.safe_state()
    assert mpms.commanded_rate_k_per_min() == 0.0
