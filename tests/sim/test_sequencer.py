"""MultiVu runs a sequence in lab time: rows, waits, its operator, and everything that goes wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import load_lab
from onnes.sim.sequencer import MultiVuFolders

COLD = {"cryostat": {"start_k": 10.0}, "magnet": {"start_mode": "driven"}, "sample": {"model": "metal"}}
MOMENT = "MES MOMENT dc 35 3 0 0"
POINT_S = 18.0  # 2 s to where it begins, three scans of 4 s, 4 s behind
PER_OE = 1e-5


@dataclass
class MultiVu:
    """A lab with a holder whose moment is 1e-5 emu/Oe of the true field, and its folders."""

    lab: VirtualLab
    clock: VirtualClock
    data: Path
    sequences: Path

    def give(self, *lines: str, name: str = "night") -> None:
        """Put a sequence and its start file into the folder."""
        text = "\r\n".join((f'CDF "{name}.dat"', *lines)) + "\r\n"
        (self.sequences / f"{name}.seq").write_bytes(text.encode("cp1252"))
        (self.sequences / f"onnes-start-{name}.seq").write_bytes(f"CHN {name}.seq\r\n".encode())

    def rows(self, name: str = "night") -> list[dict[str, str]]:
        """Return the rows as {column: text}, without what was not measured."""
        lines = self.text(name).partition("[Data]\r\n")[2].splitlines()
        columns = lines[0].split(",")
        return [{c: v for c, v in zip(columns, line.split(","), strict=True) if v} for line in lines[1:]]

    def text(self, name: str = "night") -> str:
        return (self.data / f"{name}.dat").read_bytes().decode("cp1252")

    def times(self) -> list[float]:
        """Return the lab times of the rows, s."""
        opened = 46023.0 * 86400.0  # days from 1899-12-30 to 2026-01-01
        return [round(float(row["Time Stamp (sec)"]) - opened, 3) for row in self.rows()]

    def journal(self) -> list[str]:
        return [entry.command for entry in self.lab.journal if entry.kind == "sequence"]


MakeMultiVu = Callable[..., MultiVu]


@pytest.fixture
def make_multivu(tmp_path: Path) -> MakeMultiVu:
    def make(machine: str = "mpms3", folder: str = "multivu", **under: Any) -> MultiVu:
        data, sequences = tmp_path / folder / "data", tmp_path / folder / "sequences"
        data.mkdir(parents=True)
        sequences.mkdir()
        clock = VirtualClock()
        table = {"machine": machine, "background_emu_per_oe": PER_OE} | under.pop("magnetometer", {})
        under = {**COLD, "magnetometer": table, **under}
        lab = load_lab("default", clock, under=under, multivu=MultiVuFolders(data, sequences))
        return MultiVu(lab, clock, data, sequences)

    return make


@pytest.fixture
def multivu(make_multivu: MakeMultiVu) -> MultiVu:
    return make_multivu()


# --- what a sequence does ---------------------------------------------------------------------------------


def test_rows_come_when_the_machine_has_measured_them_with_nobody_asking(multivu: MultiVu) -> None:
    multivu.give('DFC "MvsH 10 K"', MOMENT, "WAI WAITFOR 100 0 0 0 0 0", MOMENT)
    multivu.clock.sleep(600.0)
    # Seen at 10 s, opened 60 s later.
    assert multivu.times() == [70.0, 70.0 + POINT_S, 70.0 + 2 * POINT_S + 100.0]
    assert multivu.rows()[0] == {"Comment": "MvsH 10 K", "Time Stamp (sec)": "3976387270"}
    assert multivu.journal() == [
        "onnes-start-night.seq begins",
        "night.seq ends",
        "onnes-start-night.seq ends",
    ]


def test_temperature_and_field_are_set_and_waited_for(multivu: MultiVu) -> None:
    multivu.give(
        "TMP TEMP 20 10 0",
        "FLD FIELD 2000 100 0 1",
        "WAI WAITFOR 30 1 1 0 0 0",
        MOMENT,
        "FLD FIELD 0 100 0 1",
    )
    multivu.clock.sleep(3600.0)
    (row,) = multivu.rows()
    assert float(row["Temperature (K)"]) == pytest.approx(20.0, abs=0.01)
    assert float(row["Magnetic Field (Oe)"]) == pytest.approx(2000.0, abs=0.5)
    # The holder sees the flux that the winding has trapped too.
    true = multivu.lab.magnet.settings.remanence_oe * 0.1974 + 2000.0
    assert float(row["DC Moment Fixed Ctr (emu)"]) == pytest.approx(PER_OE * true, rel=1e-3)
    assert (row["Temp. Status (code)"], row["Field Status (code)"]) == ("1", "4")
    assert multivu.times()[0] > 70.0 + 60.0 + 60.0 + 30.0 + POINT_S
    assert multivu.lab.magnet.supply(3600.0) == 0.0


def test_a_wait_is_not_fooled_by_the_status_of_the_setpoint_before(multivu: MultiVu) -> None:
    multivu.give("FLD FIELD 100 10 0 1", "WAI WAITFOR 0 0 1 0 0 0", MOMENT)
    multivu.clock.sleep(600.0)
    assert float(multivu.rows()[0]["Magnetic Field (Oe)"]) == pytest.approx(100.0, abs=0.5)


def test_the_head_says_that_all_of_it_is_simulated(multivu: MultiVu) -> None:
    multivu.give(MOMENT)
    multivu.clock.sleep(200.0)
    head = multivu.text().partition("[Data]")[0]
    assert "TITLE,SIMULATED by the virtual lab default with seed 7\r\n" in head
    assert "BYAPP,MPMS3,1.0,1.1\r\n" in head
    assert "FILEOPENTIME,3976387270,01/01/2026,12:01 am\r\n" in head
    assert "INFO,simulated,BACKEND\r\n" in head


def test_a_vsm_row_fills_its_own_columns(multivu: MultiVu) -> None:
    multivu.give("FLD FIELD 5000 100 0 1", "WAI WAITFOR 0 0 1 0 0 0", "MES MOMENT vsm 10 1 14 28")
    multivu.clock.sleep(600.0)
    (row,) = multivu.rows()
    assert row["Transport Action"] == "1"
    assert float(row["Moment (emu)"]) == pytest.approx(0.05, rel=2e-3)
    assert (row["Averaging Time (sec)"], row["Frequency (Hz)"], row["Peak Amplitude (mm)"]) == (
        "2",
        "14",
        "5",
    )
    assert not any(column.startswith("DC ") for column in row)


def test_a_sample_off_centre_shows_in_the_fixed_fit_alone(make_multivu: MakeMultiVu) -> None:
    multivu = make_multivu(magnetometer={"centre_mm": -1.1})
    multivu.give("FLD FIELD 100 10 0 1", "WAI WAITFOR 0 0 1 0 0 0", MOMENT)
    multivu.clock.sleep(600.0)
    (row,) = multivu.rows()
    fixed, free = float(row["DC Moment Fixed Ctr (emu)"]), float(row["DC Moment Free Ctr (emu)"])
    assert 0.96 < fixed / free < 0.985
    assert float(row["DC Fixed Fit"]) < 0.9 < float(row["DC Free Fit"])
    assert float(row["DC Calculated Center (mm)"]) == pytest.approx(33.4 - 1.1, abs=0.01)


def test_a_moment_beyond_the_range_is_clipped_by_the_squid_and_fits_badly(make_multivu: MakeMultiVu) -> None:
    multivu = make_multivu("mpms5", magnetometer={"background_emu": 4.0})
    multivu.give(MOMENT)
    multivu.clock.sleep(200.0)
    (row,) = multivu.rows()
    assert float(row["Long Reg Fit"]) < 0.9
    assert float(row["Long Moment (emu)"]) < 2.5


def test_the_stamps_of_a_lab_that_goes_on_go_on(tmp_path: Path) -> None:
    clock = VirtualClock()
    under = {**COLD, "magnetometer": {"machine": "mpms3"}}
    lab = load_lab("default", clock, under=under, opened_s=7200.0, multivu=MultiVuFolders(tmp_path, tmp_path))
    multivu = MultiVu(lab, clock, tmp_path, tmp_path)
    multivu.give(MOMENT)
    clock.sleep(200.0)
    assert multivu.times() == [7200.0 + 70.0 + POINT_S]


def test_the_template_for_the_virtual_machine_becomes_a_sequence_that_it_takes(multivu: MultiVu) -> None:
    text = (Path(__file__).parent / "template_mpms3.seq").read_text("cp1252")
    values = {"data_file": "night.dat", "comment": "ZFC 5 Oe", "chain": "onnes.seq"}
    values |= {"temperature": "12", "temperature_rate": "10", "temperature_approach": "1"}
    values |= {"field": "5", "field_rate": "10", "field_approach": "1", "field_mode": "1"}
    values |= {"wait": "60", "wait_temperature": "1", "wait_field": "1"}
    values |= {"scan_mode": "dc", "scan_length_mm": "30", "scans": "3", "frequency": "14", "cycles": "0"}
    values |= {"amplitude": "2", "averaging": "10"}
    lines = text.format(**values).splitlines()
    multivu.give(*(line for line in lines if not line.startswith("CHN")))
    multivu.clock.sleep(3600.0)
    comment, row, alternating = multivu.rows()
    assert comment["Comment"] == "ZFC 5 Oe"
    assert float(row["Temperature (K)"]) == pytest.approx(12.0, abs=0.01)
    assert row["DC Scan Length (mm)"] == "30"
    assert (alternating["AC Drive (Oe)"], alternating["AC Frequency (Hz)"]) == ("2", "14")


@pytest.mark.parametrize(
    ("machine", "line", "width"), [("mpms5", MOMENT, 31), ("mpms_xl", "MES MOMENT rso 30 2 1 5", 38)]
)
def test_an_xl_writes_unix_time_and_a_last_column_without_a_name(
    machine: str, line: str, width: int, make_multivu: MakeMultiVu
) -> None:
    multivu = make_multivu(machine)
    multivu.give('DFC "ZFC; 5 Oe"', "FLD FIELD 100 10 0 1", "WAI WAITFOR 0 0 1 0 0 0", line)
    multivu.clock.sleep(600.0)
    head, _, table = multivu.text().partition("[Data]\r\n")
    lines = table.splitlines()
    assert {len(row.split(",")) for row in lines} == {width}
    assert all(row.endswith(",") for row in lines)
    assert "FILEOPENTIME, 1767225670.000000 1/1/2026, 12:01:10 AM\r\n" in head
    assert "INFO, APPNAME, MPMS Measurement; SIMULATED by the virtual lab default with seed 7\r\n" in head
    comment, row = multivu.rows()
    assert comment == {"Comment": "ZFC; 5 Oe", "Time": "1767225670"}
    assert float(row["Long Moment (emu)"]) == pytest.approx(1e-3, rel=5e-3)
    assert float(row["Long Scan Std Dev"]) > 0.0
    assert float(row["Long Reg Fit"]) > 0.99


def test_a_sequence_that_chains_goes_on_behind_the_chained_one(multivu: MultiVu) -> None:
    multivu.give(MOMENT, name="first")
    multivu.give(MOMENT, name="second")
    (multivu.sequences / "onnes-start-second.seq").unlink()
    (multivu.sequences / "onnes-start-first.seq").write_text("CHN first.seq\nCHN second.seq\n", "utf-8")
    multivu.clock.sleep(600.0)
    assert len(multivu.rows("first")) == len(multivu.rows("second")) == 1


def test_two_runs_give_the_same_bytes_however_often_somebody_asks(make_multivu: MakeMultiVu) -> None:
    texts = []
    for folder, asks in (("once", False), ("twice", True)):
        multivu = make_multivu(folder=folder)
        multivu.give("TMP TEMP 30 5 0", "FLD FIELD 500 50 2 1", "WAI WAITFOR 10 1 1 0 0 0", *[MOMENT] * 5)
        for _ in range(500):
            multivu.clock.sleep(4.0)
            if asks and multivu.lab.magnetometer is not None:
                multivu.lab.magnetometer.moment_emu(multivu.lab.now())
                multivu.lab.cryostat.reading(multivu.lab.now())
        texts.append(multivu.text())
    assert texts[0] == texts[1]
    assert texts[0].count("\r\n") > 15


# --- where it stops ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("LPT SCANT 300 5 2 10 0 0", "unknown line 'LPT SCANT 300 5 2 10 0 0'"),
        ("TMP TEMP 450 5 0", "temperature = 450 K is outside [1.9, 400] K, set by the machine"),
        ("TMP TEMP 5 30 0", "rate = 30 K/min is outside [0.01, 20] K/min, set by the machine"),
        ("FLD FIELD 95000 100 0 1", "field = 95000 Oe is outside [-90000, 90000] Oe, set by the machine"),
        ("FLD FIELD 5 1 0 1", "rate = 1 Oe/s is outside [10, 190] Oe/s, set by the machine"),
        ("MES MOMENT rso 30 1 1 5", "the mpms3 measures dc and vsm, not rso"),
        ("CHN night.seq", "night.seq would be sequence 9 in a chain; MultiVu takes 8"),
        ("CHN none.seq", "No such file or directory"),
    ],
)
def test_a_line_that_it_cannot_obey_stops_the_sequence(line: str, reason: str, multivu: MultiVu) -> None:
    multivu.give(MOMENT, line, MOMENT)
    multivu.clock.sleep(600.0)
    assert reason in multivu.journal()[-1]
    assert "onnes-start-night.seq stops: night.seq:3: " in multivu.journal()[-1]
    assert multivu.lab.sequencer is not None
    assert multivu.lab.sequencer.is_idle


def test_a_quenched_magnet_stops_a_sequence_that_wants_it(multivu: MultiVu) -> None:
    multivu.lab.faults.add("quench", at=5.0)
    multivu.give("FLD FIELD 100 10 0 1")
    multivu.clock.sleep(200.0)
    assert multivu.journal()[-1].endswith("night.seq:2: the magnet has quenched")


def test_measuring_without_a_data_file_stops_the_sequence(multivu: MultiVu) -> None:
    (multivu.sequences / "onnes-start-x.seq").write_text(MOMENT + "\n", "utf-8")
    multivu.clock.sleep(200.0)
    assert multivu.journal()[-1].endswith("no data file is open; a line CDF must come before")


def test_a_data_folder_that_is_gone_stops_the_sequence_and_nobody_else(multivu: MultiVu) -> None:
    multivu.data.rmdir()
    multivu.give(MOMENT)
    multivu.clock.sleep(200.0)
    assert "onnes-start-night.seq stops: night.seq:1: " in multivu.journal()[-1]


# --- the operator -----------------------------------------------------------------------------------------


def test_what_was_in_the_folder_when_the_lab_opened_is_not_started_again(
    multivu: MultiVu,
) -> None:
    multivu.give(MOMENT)
    folders = MultiVuFolders(multivu.data, multivu.sequences)
    clock = VirtualClock()
    under = {**COLD, "magnetometer": {"machine": "mpms3"}}
    lab = load_lab("default", clock, under=under, multivu=folders)
    clock.sleep(600.0)
    assert lab.journal == []


def test_the_next_start_file_waits_until_multivu_is_free(multivu: MultiVu) -> None:
    multivu.give(MOMENT, "WAI WAITFOR 500 0 0 0 0 0", name="a")
    multivu.clock.sleep(100.0)
    multivu.give(MOMENT, name="b")
    multivu.clock.sleep(1000.0)
    begun = [entry.t for entry in multivu.lab.journal if entry.command.endswith("begins")]
    assert begun == [70.0, 650.0]  # free at 588 s, seen at 590 s


@pytest.mark.parametrize(("delay_s", "begun"), [(0.0, [10.0]), (300.0, [310.0]), (-1.0, [])])
def test_the_operator_comes_after_a_while_or_not_at_all(
    delay_s: float, begun: list[float], make_multivu: MakeMultiVu
) -> None:
    multivu = make_multivu(magnetometer={"operator_s": delay_s})
    multivu.give(MOMENT)
    multivu.clock.sleep(3600.0)
    assert [entry.t for entry in multivu.lab.journal if entry.command.endswith("begins")] == begun


def test_an_absent_operator_comes_when_the_fault_is_over(multivu: MultiVu) -> None:
    multivu.lab.faults.add("operator_absent", until=1000.0)
    multivu.give(MOMENT)
    multivu.clock.sleep(900.0)
    assert not (multivu.data / "night.dat").exists()
    multivu.clock.sleep(300.0)
    assert len(multivu.rows()) == 1


# --- faults -----------------------------------------------------------------------------------------------


def test_a_stopped_sequence_writes_no_more_rows(multivu: MultiVu) -> None:
    multivu.lab.faults.add("sequence_stopped", at=100.0)
    multivu.give(*[MOMENT] * 5)
    multivu.clock.sleep(3600.0)
    assert multivu.times() == [70.0 + POINT_S]
    assert multivu.journal()[-1] == "onnes-start-night.seq stops: somebody stopped it"


def test_a_replaced_file_is_smaller_and_the_old_one_keeps_its_rows(multivu: MultiVu) -> None:
    multivu.lab.faults.add("file_replaced", at=130.0)
    multivu.give(*[MOMENT] * 5)
    multivu.clock.sleep(600.0)
    assert len(multivu.rows("night_1")) == 3
    assert len(multivu.rows()) == 2
    assert multivu.text().startswith("[Header]\r\n")


def test_a_truncated_file_has_lost_its_second_half(multivu: MultiVu) -> None:
    multivu.give(*[MOMENT] * 5)
    multivu.clock.sleep(150.0)
    before = multivu.text()
    multivu.lab.faults.add("file_truncated", at=151.0)
    multivu.clock.sleep(20.0)
    after = multivu.text()
    assert after[: len(before) // 2] == before[: len(before) // 2]
    assert len(after) < len(before)
    assert after.endswith("\r\n")


def test_a_row_in_two_pieces_is_whole_after_a_while(multivu: MultiVu) -> None:
    multivu.lab.faults.add("partial_row", at=80.0, seconds=30.0)
    multivu.give(MOMENT, MOMENT)
    multivu.clock.sleep(70.0 + POINT_S + 1.0)
    assert not multivu.text().endswith("\r\n")
    multivu.clock.sleep(30.0)
    assert multivu.text().endswith("\r\n")
    multivu.clock.sleep(100.0)
    assert multivu.times() == [70.0 + POINT_S, 70.0 + 2 * POINT_S + 30.0]


def test_an_unknown_column_stands_in_the_next_file_and_not_in_the_one_after(multivu: MultiVu) -> None:
    multivu.lab.faults.add("unknown_column", at=1.0)
    multivu.give(MOMENT, name="a")
    multivu.clock.sleep(200.0)
    multivu.give(MOMENT, name="b")
    multivu.clock.sleep(200.0)
    assert "Map 16,Cold Head Temp (K)\r\n" in multivu.text("a")
    assert "Map 16\r\n" in multivu.text("b")
    assert len(multivu.rows("a")) == len(multivu.rows("b")) == 1


def test_a_second_head_stands_between_two_rows(multivu: MultiVu) -> None:
    multivu.lab.faults.add("second_header", at=80.0 + POINT_S)
    multivu.give(MOMENT, MOMENT)
    multivu.clock.sleep(200.0)
    assert multivu.text().count("[Header]\r\n") == 2
    assert multivu.text().count("[Data]\r\n") == 2
    assert multivu.text().rfind("[Header]") > multivu.text().find(",6,,,,33.4")


def test_a_lab_without_a_magnetometer_has_no_multivu_to_go_wrong() -> None:
    lab = load_lab("default", VirtualClock())
    assert lab.magnetometer is None
    with pytest.raises(ValueError, match="kind = 'partial_row' can befall nobody in this lab"):
        lab.faults.add("partial_row")


def test_a_wrong_key_of_the_magnetometer_is_refused_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[magnetometer]\nmachine = "mpms3"\ncenter_mm = 1\n', "utf-8")
    with pytest.raises(
        ConfigurationError, match=r"mine.toml:3:1: unknown key 'center_mm' in \[magnetometer\]"
    ):
        load_lab(file, VirtualClock())
