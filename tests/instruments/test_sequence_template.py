"""The user's template, every way to get it wrong, and what becomes of a program in its words."""

from pathlib import Path

import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.moments import (
    MeasureMoment,
    MeasureSusceptibility,
    MomentProgram,
    Remark,
    Scan,
    SetField,
    SetTemperature,
    Step,
    Wait,
)
from onnes.instruments.sequence_compiler import check_program, compile_program, encoded, recorded
from onnes.instruments.sequence_template import load_template, template_problems

SHIPPED = Path(__file__).parents[2] / "examples" / "stations" / "templates"
GOOD = (SHIPPED / "mpms3-sim.seq").read_text(encoding="cp1252")
STEPS: tuple[Step, ...] = (
    SetTemperature(50.0, 10.0),
    Wait(60.0, temperature=True),
    SetField(1e4),
    SetField(-0.0, 100.0, "oscillate"),
    Wait(300.0, field=True),
    Remark("ZFC 5 Oe"),
    SetTemperature(2.0, 1.5, "no_overshoot"),
    MeasureMoment(2.0, 5.0, 1, "zfc", 60.0),
)


def program(*steps: Step, scan: Scan = Scan(), title: str = "ZFC at 5 Oe") -> MomentProgram:  # noqa: B008
    return MomentProgram("night_0001_zfc-fc_a1", title, steps or STEPS, scan, 20.0)


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "template.seq"
    path.write_text(text, encoding="cp1252")
    return path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.seq")), ids=lambda path: path.stem)
def test_the_shipped_templates_are_good(path: Path) -> None:
    assert template_problems(path) == []
    assert load_template(path).measuring == (
        "MES MOMENT {scan_mode} {scan_length_mm} {scans} {frequency} {cycles}",
    )
    assert load_template(path).measuring_ac == ("MES AC {amplitude} {frequency} {averaging}",)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{temperature} {", "5.0 {", "4:14: {temperature_rate} stands without {temperature} in its line"),
        ("TMP TEMP {temperature} {temperature_rate} {temperature_approach}\n", "", "12:1: no line has {temp"),
        ('CDF "{data_file}"\n', "", "no line has {data_file}; record one in MultiVu"),
        (" {wait_field} ", " 1 ", "6:1: the line with {wait} lacks {wait_field}"),
        ("{field_rate}", "{field_rat}", "5:19: unknown placeholder {field_rat}; did you mean 'field_rate'?"),
        ("{field_rate}", "{scans}", "5:19: {scans} does not belong in the line with {field}"),
        ("{cycles}", "{wait}", "{wait} does not belong between `REM onnes measure` and `REM onnes end`"),
        ("CHN {chain}", "CHN {chain} {comment}", "7:13: {chain} and {comment} stand in one line"),
        ("CHN {chain}", "BEP BEEP 1 440", "7:1: 'BEP BEEP 1 440' has no placeholder; put a line that"),
        ("CHN {chain}", "TMP TEMP {temperature}", "7:10: {temperature} stands in line 4 too"),
        ("REM onnes end\n", "", "10:1: `REM onnes measure ac` before the `REM onnes end` of `REM onnes mea"),
        ("{averaging}\nREM onnes end\n", "{averaging}\n", "11:1: `REM onnes measure ac` without `REM onnes"),
        ("MES AC {amplitude} {frequency} {averaging}\n", "", "11:1: no line measures; put the recorded ones"),
        ("{amplitude}", "{scans}", "12:8: {scans} does not belong between `REM onnes measure ac` and `REM"),
        ("{amplitude}", "{amplitud}", "12:8: unknown placeholder {amplitud}; did you mean 'amplitude'?"),
        ("{comment}", "{averaging}", "3:6: {averaging} does not belong outside the measuring lines"),
        ("REM onnes measure\n", "", "`REM onnes end` without `REM onnes measure` before it"),
        ("MES MOMENT", "!MES MOMENT", "no line measures; put the recorded ones between"),
        ("REM onnes end\n", "REM onnes end\nREM onnes measure\nREM onnes end\n", "11:1: a second"),
    ],
)
def test_each_mistake_in_a_template_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = written(tmp_path, (old, new))
    assert any(problem in told and told.startswith(f"{path}:") for told in template_problems(path))


def test_a_template_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    assert "the template cannot be read" in template_problems(tmp_path / "none.seq")[0]
    path = tmp_path / "bad.seq"
    path.write_bytes(b"REM a\r\nREM \x81\r\n")
    assert template_problems(path) == [
        f"{path}:2:1: not the text of a sequence (cp1252); record it in MultiVu"
    ]


def test_a_program_compiles_to_exactly_these_bytes(tmp_path: Path) -> None:
    lines = compile_program(load_template(written(tmp_path)), program(), 700.0, simulated=True)
    assert encoded(lines) == (
        b"REM program night_0001_zfc-fc_a1\r\n"
        b"REM ZFC at 5 Oe\r\n"
        b"REM moments: 1\r\n"
        b"REM SIMULATED: for a virtual machine only\r\n"
        b'CDF "night_0001_zfc-fc_a1.dat"\r\n'
        b"TMP TEMP 50.0 10.0 0\r\n"
        b"WAI WAITFOR 60.0 1 0 0 0 0\r\n"
        b"FLD FIELD 10000.0 700.0 0 1\r\n"
        b"FLD FIELD 0.0 100.0 2 1\r\n"
        b"WAI WAITFOR 300.0 0 1 0 0 0\r\n"
        b'DFC "ZFC 5 Oe"\r\n'
        b"TMP TEMP 2.0 1.5 1\r\n"
        b"MES MOMENT dc 30.0 3 0 0\r\n"
    )


def test_the_sequence_of_a_real_machine_is_not_called_simulated(tmp_path: Path) -> None:
    lines = compile_program(load_template(written(tmp_path)), program(), 700.0, simulated=False)
    assert not any("SIMULATED" in line for line in lines)


@pytest.mark.parametrize(
    ("scan", "line"),
    [
        (Scan("rso", 0.7, 2, 1.0, 10), "MES MOMENT rso 7.0 2 1.0 10"),
        (Scan("vsm"), "MES MOMENT vsm 30.0 3 14.0 28"),
        (Scan("vsm", 1.0, 1, 7.0, 4), "MES MOMENT vsm 10.0 1 7.0 4"),
    ],
)
def test_the_measuring_line_says_how_it_scans(tmp_path: Path, scan: Scan, line: str) -> None:
    lines = compile_program(load_template(written(tmp_path)), program(scan=scan), 700.0, simulated=False)
    assert lines[-1] == line


def test_numbers_have_no_exponent(tmp_path: Path) -> None:
    small = program(SetField(1e-7, 1e-5), SetTemperature(1e2, 1e-3))
    lines = compile_program(load_template(written(tmp_path)), small, 700.0, simulated=False)
    assert lines[-2:] == ["FLD FIELD 0.0000001 0.00001 0 1", "TMP TEMP 100.0 0.001 0"]


def test_what_a_template_does_not_say_must_be_one_value(tmp_path: Path) -> None:
    template = load_template(written(tmp_path, ("{field_approach}", "0")))
    with pytest.raises(ConfigurationError, match=r"no \{field_approach\}, .* linear, oscillate; put"):
        check_program(template, program())
    alone = program(SetField(5.0), Wait(1.0))
    check_program(template, alone)
    assert recorded(template, alone) == ["field_approach: linear"]


def test_without_a_comment_line_a_remark_writes_nothing(tmp_path: Path) -> None:
    template = load_template(written(tmp_path, ('DFC "{comment}"\n', "")))
    lines = compile_program(template, program(), 700.0, simulated=False)
    assert not any("ZFC 5 Oe" in line for line in lines)


def test_an_oscillating_scan_without_frequency_is_refused(tmp_path: Path) -> None:
    template = load_template(written(tmp_path))
    with pytest.raises(ConfigurationError, match="a scan in mode rso needs frequency and cycles"):
        check_program(template, program(scan=Scan("rso")))


@pytest.mark.parametrize("text", ['5" disk', "ZFC, 5 Oe", "5 Oe\n", "\N{GREEK SMALL LETTER CHI}(T)", "{x}"])
def test_a_text_that_would_break_the_sequence_or_its_file_is_refused(tmp_path: Path, text: str) -> None:
    template = load_template(written(tmp_path))
    with pytest.raises(ConfigurationError, match="does not fit into a sequence of MultiVu"):
        check_program(template, program(Remark(text)))


# --- alternating moments


def driven(amplitude_oe: float = 0.1, frequency_hz: float = 10.0) -> MeasureSusceptibility:
    return MeasureSusceptibility(37.0, 0.0, amplitude_oe, frequency_hz, 10.0, 1, "curve", 60.0)


def test_an_alternating_moment_compiles_to_the_lines_recorded_for_it(tmp_path: Path) -> None:
    lines = compile_program(
        load_template(written(tmp_path)),
        program(driven(), driven(10.0, 1000.0), STEPS[-1]),
        700.0,
        simulated=False,
    )
    assert lines[2] == "REM moments: 3"
    assert lines[-3:] == ["MES AC 0.1 10.0 10.0", "MES AC 10.0 1000.0 10.0", "MES MOMENT dc 30.0 3 0 0"]


def test_a_template_without_lines_for_it_is_refused_with_what_to_record(tmp_path: Path) -> None:
    whole = "REM onnes measure ac\nMES AC {amplitude} {frequency} {averaging}\nREM onnes end\n"
    template = load_template(written(tmp_path, (whole, "")))
    check_program(template, program())
    with pytest.raises(
        ConfigurationError, match=r"no lines that measure a susceptibility, and night_0001"
    ) as e:
        check_program(template, program(driven()))
    assert "between `REM onnes measure ac` and `REM onnes end`, and put {amplitude}, {frequency}" in str(
        e.value
    )


def test_what_the_lines_for_it_do_not_say_must_be_one_value(tmp_path: Path) -> None:
    template = load_template(written(tmp_path, ("{amplitude}", "1.0")))
    with pytest.raises(ConfigurationError, match=r"no \{amplitude\}, .* one value of it: 0.1, 10.0; put"):
        check_program(template, program(driven(), driven(10.0)))
    alone = program(driven(1.0), driven(1.0, 100.0))
    check_program(template, alone)
    assert recorded(template, alone) == ["amplitude: 1.0"]


def test_a_scan_is_not_looked_at_where_no_moment_is_scanned(tmp_path: Path) -> None:
    check_program(load_template(written(tmp_path)), program(driven(), scan=Scan("rso")))


def test_a_template_may_have_the_lines_of_a_susceptibility_alone(tmp_path: Path) -> None:
    start = GOOD.index("REM onnes measure\n")
    template = load_template(written(tmp_path, (GOOD[start : GOOD.index("REM onnes measure ac")], "")))
    check_program(template, program(driven()))
    with pytest.raises(ConfigurationError, match=r"no lines that measure a moment, and night_0001") as e:
        check_program(template, program())
    assert "between `REM onnes measure` and `REM onnes end`, and put {scans} and the like" in str(e.value)
