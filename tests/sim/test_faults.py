"""The plan of what goes wrong: when and how often a fault strikes, on the wire first, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import VirtualClock
from onnes.sim.fault_kinds import FAULT_KINDS, MULTIVU_FAULT_KINDS, FaultName, Quantity, Words
from onnes.sim.fault_settings import FaultSettings
from onnes.sim.lab_file import load_lab
from tests.sim.conftest import METER, PPMS, SOURCE, Bench, MakeBench

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "lab-file.md").read_text(encoding="utf-8")


def journal(bench: Bench) -> list[tuple[str, str, str]]:
    return [(entry.instrument, entry.kind, entry.command) for entry in bench.lab.journal]


def pass_time(bench: Bench, seconds: float) -> None:
    bench.clock.sleep(seconds)
    with bench.lab.lock:
        bench.lab.tick()


# --- the catalogue ----------------------------------------------------------------------------------------


def test_the_catalogue_has_every_kind_with_defaults_inside_their_ranges() -> None:
    kinds = {**FAULT_KINDS, **MULTIVU_FAULT_KINDS}
    assert set(kinds) == set(get_args(FaultName))
    for kind, about in kinds.items():
        assert about.about
        assert (about.layer == "plant") == bool(about.part or about.needs), kind
        for argument in about.args.values():
            if isinstance(argument, Words):
                assert (
                    argument.default is None or argument.default in argument.choices or not argument.choices
                )
            elif argument.default is not None:
                assert argument.low <= argument.default <= argument.high
                assert not argument.allowed or argument.default in argument.allowed


def test_the_page_about_lab_files_says_what_the_catalogue_says() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if " | `" in line]
    said = {row[1].strip("`"): (row[0].removeprefix("| "), row[2], row[3]) for row in rows if len(row) == 4}
    kinds = {**FAULT_KINDS, **MULTIVU_FAULT_KINDS}
    assert list(said) == list(kinds)
    for kind, about in kinds.items():
        layer, what, args = said[kind]
        assert layer == ", ".join(filter(None, (about.layer, about.part)))
        assert what == about.about
        assert re.findall("`([a-z_]+)`", args) == list(about.args)
        for argument in about.args.values():
            if isinstance(argument, Quantity) and argument.default is not None:
                assert f"({argument.default:g}" in args


def test_the_lab_files_of_that_page_make_labs(tmp_path: Path) -> None:
    blocks = re.findall(r'^```toml title="labs/(.+?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks] == [
        "other-film.toml",
        "own-sine.toml",
        "cracked-paint.toml",
        "goes-on.toml",
        "off-centre.toml",
        "coil.toml",
        "other-baud.toml",
        "weak-heater.toml",
        "source-meter.toml",
        "bad-night.toml",
    ]
    for name, body in blocks:
        (tmp_path / name).write_text(body, encoding="utf-8")
        assert load_lab(tmp_path / name, VirtualClock()).name in name


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_a_fault_of_every_kind_with_drawn_arguments_can_be_planned(kind: Any, make_bench: MakeBench) -> None:
    bench = make_bench()
    args: dict[str, Any] = {}
    for name, argument in FAULT_KINDS[kind].args.items():
        if isinstance(argument, Quantity):
            args[name] = argument.allowed[0] if argument.allowed else min(argument.high, 50.0)
        else:
            args[name] = argument.choices[0] if argument.choices else "words"
    bench.lab.faults.add(kind, at=5.0, **args)
    pass_time(bench, 400.0)
    if FAULT_KINDS[kind].layer == "wire":
        assert [armed.fault.kind for armed in bench.lab.faults.armed] == [kind]
    else:
        assert bench.lab.journal[0].kind == kind
        assert bench.open(PPMS).query("GETDAT? 524295").startswith("524295,")


# --- on the wire ------------------------------------------------------------------------------------------


def test_a_dropped_command_never_reaches_the_instrument_and_a_dropped_question_times_out(
    bench: Bench,
) -> None:
    source = bench.open(SOURCE, timeout=500)
    bench.lab.faults.add("drop", "k6221", at=10.0, until=20.0)
    pass_time(bench, 10.0)
    source.write("SOUR:CURR 1e-3")
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        source.query("*IDN?")
    pass_time(bench, 10.0)
    assert float(source.query("SOUR:CURR?")) == 0.0
    assert journal(bench) == [("k6221", "drop", "SOUR:CURR 1e-3"), ("k6221", "drop", "*IDN?")]


def test_a_scpi_instrument_does_not_obey_and_queues_the_error(bench: Bench) -> None:
    source, ppms = bench.open(SOURCE), bench.open(PPMS)
    bench.lab.faults.add("scpi_error", match="*CURR*", code=-222)
    assert ppms.query("TEMP?") == "300,20,0;"
    source.write("SOUR:CURR 1e-3")
    assert float(source.query("SOUR:CURR?")) == 0.0
    assert source.query("SYST:ERR?") == '-222,"Parameter data out of range"\n'
    assert journal(bench) == [("k6221", "scpi_error", "SOUR:CURR 1e-3")]


def test_another_instrument_answers_the_question_who_is_there(bench: Bench) -> None:
    source = bench.open(SOURCE)
    bench.lab.faults.add("wrong_idn", "k6221", text="ACME,MODEL 1,2,3")
    assert source.query("OUTP?") == "0\n"
    assert source.query("*IDN?") == "ACME,MODEL 1,2,3\n"
    assert "6221" in source.query("*IDN?")


def test_a_busy_instrument_obeys_and_answers_when_it_ends(bench: Bench) -> None:
    source = bench.open(SOURCE, timeout=2000)
    bench.lab.faults.add("busy", "k6221", "[*]OPC?", seconds=30)
    begin = bench.lab.now()
    with pytest.raises(VisaIOError, match="VI_ERROR_TMO"):
        source.query("*OPC?")
    source.write("SOUR:CURR 1e-3")
    source.timeout = 60_000
    assert float(source.query("SOUR:CURR?")) == 1e-3
    assert bench.lab.now() - begin == pytest.approx(30.0, abs=0.01)
    assert journal(bench) == [("k6221", "busy", "*OPC?"), ("k6221", "busy", "ends")]
    begin = bench.lab.now()
    assert source.query("*OPC?") == "1\n"
    assert bench.lab.now() - begin < 0.1


def test_with_every_a_fault_strikes_once_in_each_interval_until_its_end(bench: Bench) -> None:
    source = bench.open(SOURCE)
    bench.lab.faults.add("garbage", "k6221", at=10.0, every=60.0, until=170.0, text="?")
    struck = []
    for k in range(30):
        pass_time(bench, 10.0 * k + 5.0 - bench.lab.now())
        if source.query("OUTP?") == "?\n":
            struck.append(10 * k + 5)
    assert struck == [15, 75, 135]
    assert bench.lab.faults.armed == []


def test_a_coin_decides_on_lab_time_and_not_on_who_else_asks(make_bench: MakeBench) -> None:
    struck = []
    for others, seed in ((False, 7), (True, 7), (False, 8)):
        bench = make_bench(seed)
        bench.lab.faults.add("garbage", "k6221", p=0.3, text="?")
        source, ppms = bench.open(SOURCE), bench.open(PPMS)
        replies = []
        for k in range(200):
            bench.clock.sleep_until(bench.lab.origin + 1.0 * k)
            replies.append(source.query("OUTP?"))
            if others:
                ppms.query("GETDAT? 7")
        struck.append([k for k, reply in enumerate(replies) if reply == "?\n"])
    assert struck[0] == struck[1] != struck[2]
    assert 60 - 4 * 6.5 < len(struck[0]) < 60 + 4 * 6.5


def test_a_condition_opens_and_closes_the_way_for_a_fault_of_the_wire(bench: Bench) -> None:
    source, ppms = bench.open(SOURCE), bench.open(PPMS)
    bench.lab.faults.add("garbage", "k6221", p=0.999999, when={"temperature_below_k": 290.0}, text="?")
    assert source.query("OUTP?") == "0\n"
    ppms.write("TEMP 280 20 0")
    pass_time(bench, 600.0)
    assert source.query("OUTP?") == "?\n"
    ppms.write("TEMP 300 20 0")
    pass_time(bench, 600.0)
    assert source.query("OUTP?") == "0\n"


# --- on the agenda ----------------------------------------------------------------------------------------


def test_a_fault_begins_and_ends_at_its_times_though_nobody_asks(bench: Bench) -> None:
    bench.lab.faults.add("field_offset", at="1h", until="2h")
    pass_time(bench, 3 * 3600.0)
    assert bench.lab.journal == [
        (3600.0, "magnet", "field_offset", "begins"),
        (7200.0, "magnet", "field_offset", "ends"),
    ]


def test_a_lasting_fault_comes_back_as_often_as_told(bench: Bench) -> None:
    bench.lab.faults.add("lead_noise", at=100.0, every="10m", count=2, seconds=30)
    pass_time(bench, 3600.0)
    assert [(entry.t, entry.instrument, entry.command) for entry in bench.lab.journal] == [
        (100.0, "I", "begins"),
        (130.0, "I", "ends"),
        (700.0, "I", "begins"),
        (730.0, "I", "ends"),
    ]


def test_a_coin_skips_some_of_the_returns(bench: Bench) -> None:
    bench.lab.faults.add("overshoot", every=60.0, p=0.5, kelvin=1e-6)
    pass_time(bench, 200 * 60.0)
    assert 100 - 4 * 7.1 < len(bench.lab.journal) < 100 + 4 * 7.1


@pytest.mark.parametrize(
    ("when", "message", "earliest"),
    [
        ({"temperature_below_k": 290.0}, "TEMP 200 10 0", 60.0),
        ({"temperature_above_k": 310.0}, "TEMP 350 10 0", 60.0),
        ({"field_above_oe": 5000.0, "field_below_oe": 6000.0}, "FIELD -20000 100 0 1", 50.0),
        ({"helium_below_percent": 91.9}, "CHAMBER 0", 1000.0),
    ],
)
def test_a_fault_of_the_plant_waits_for_its_condition(
    when: dict[str, float], message: str, earliest: float, bench: Bench
) -> None:
    bench.lab.faults.add("overshoot", at=5.0, when=when)
    bench.open(PPMS).write(message)
    pass_time(bench, 3600.0)
    (entry,) = bench.lab.journal
    assert entry.t > earliest
    assert (entry.t - 5.0) % 10.0 == 0.0  # looked at on the agenda, whoever asks what meanwhile


def test_a_fault_that_is_planned_too_late_begins_now(bench: Bench) -> None:
    pass_time(bench, 50.0)
    bench.lab.faults.add("field_offset")
    pass_time(bench, 1.0)
    assert bench.lab.journal == [(50.0, "magnet", "field_offset", "begins")]


# --- determinism ------------------------------------------------------------------------------------------


def night(bench: Bench, *, polls: bool) -> tuple[list[str], list[Any]]:
    """Return what a night of two hours reads, and its journal."""
    ppms, source, meter = (bench.open(name, timeout=5000) for name in (PPMS, SOURCE, METER))
    watcher = bench.open(PPMS, timeout=5000)
    source.write("SOUR:CURR 1e-4;:OUTP ON")
    meter.write("SENS:VOLT:DFIL 0;NPLC 1")
    ppms.write("TEMP 20 10 0")
    ppms.write("FIELD 30000 100 0 0")
    readings = []

    def ask(instrument: MessageBasedResource, question: str) -> str:
        try:
            return instrument.query(question)
        except VisaIOError:
            return "-"

    for k in range(1, 120):
        bench.clock.sleep_until(bench.lab.origin + 60.0 * k)
        readings.append(ask(meter, "READ?"))
        bench.clock.sleep_until(bench.lab.origin + 60.0 * k + 10.0)
        readings.append(ask(ppms, "GETDAT? 524295"))
        for second in range(12, 60, 3) if polls else ():
            bench.clock.sleep_until(bench.lab.origin + 60.0 * k + second)
            watcher.query("GETDAT? 7")
    return readings, list(bench.lab.journal)


PLAN: list[dict[str, Any]] = [
    {"kind": "garbage", "target": "k2182a", "p": 0.05},
    {"kind": "drop", "target": "k2182a", "at": "30m", "until": "33m"},
    {"kind": "stuck", "at": "20m", "every": "40m", "p": 0.7, "args": {"seconds": 300}},
    {"kind": "contact_open", "when": {"temperature_below_k": 100}, "args": {"seconds": 200}},
    {"kind": "lead_noise", "at": "50m"},
    {"kind": "reservoir_fill", "when": {"temperature_below_k": 40}},
    {"kind": "thermometer_error", "at": "70m", "args": {"seconds": 600}},
    {"kind": "quench", "at": "90m", "when": {"field_above_oe": 10000}},
    {"kind": "helium_low", "at": "100m"},
]


def test_the_same_seed_gives_the_same_night_and_polling_changes_nothing(make_bench: MakeBench) -> None:
    first = night(make_bench(under={"fault": PLAN}), polls=False)
    assert {entry.kind for entry in first[1]} == {fault["kind"] for fault in PLAN}
    assert night(make_bench(under={"fault": PLAN}), polls=False) == first
    assert night(make_bench(under={"fault": PLAN}), polls=True) == first
    assert night(make_bench(8, under={"fault": PLAN}), polls=False)[0] != first[0]


def test_the_bad_day_strikes_in_every_layer_and_heals(make_bench: MakeBench) -> None:
    bench = make_bench(lab="bad_day")
    ppms, meter = bench.open(PPMS), bench.open(METER, timeout=5000)
    ppms.write("TEMP 5 10 0")
    for _ in range(10 * 60):
        for instrument, question in ((ppms, "GETDAT? 7"), (meter, "READ?")):
            try:
                instrument.query(question)
            except VisaIOError:
                meter.clear()
        pass_time(bench, 60.0)
    struck = bench.lab.journal
    assert {FAULT_KINDS[entry.kind].layer for entry in struck} == {"wire", "wiring", "plant"}
    begun = [entry[1:3] for entry in struck if entry.command == "begins"]
    assert sorted(begun) == sorted(
        entry[1:3] for entry in struck if entry.command == "ends" and entry.kind != "busy"
    )
    assert ppms.query("GETDAT? 1").rstrip(";").split(",")[2] == "4369"


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"kind": "baud"}, "Input should be"),
        ({"kind": "unlock"}, "Input should be"),
        ({"kind": "drop", "at": 60, "until": 50}, "until = 50 s is not after at = 60 s"),
        ({"kind": "drop", "p": 0.0}, "greater than 0"),
        ({"kind": "drop", "p": 1.1}, "less than or equal to 1"),
        ({"kind": "drop", "every": 0}, "greater than 0"),
        ({"kind": "drop", "every": "now"}, "'now' is no time"),
        ({"kind": "drop", "when": {}}, "when says no condition; there are temperature_below_k, "),
        ({"kind": "drop", "when": {"temperature": 3}}, "Extra inputs are not permitted"),
        ({"kind": "drop", "when": "T < 40"}, "valid dictionary"),
        ({"kind": "quench", "match": "FIELD*"}, "match = 'FIELD.*' is for faults of the wire"),
        ({"kind": "quench", "count": 2}, "count = 2 needs every, for nothing else brings 'quench' back"),
        ({"kind": "stuck", "every": 60}, "every = 60 s needs args.seconds of at most that"),
        ({"kind": "stuck", "every": 60, "args": {"seconds": 61}}, "needs args.seconds of at most that"),
        ({"kind": "quench", "args": {"kick_k": 1000}}, r"kick_k = 1000 K is outside \[0, 100\] K, the range"),
        ({"kind": "heater_lost", "args": {"code": 13.5}}, "args.code = 13.5 is none of 13, 14"),
        ({"kind": "scpi_error", "args": {"code": -111}}, "args.code = -111 is none of -102, "),
        ({"kind": "contact_open", "args": {"contacts": "both"}}, "'both' is none of current, voltage"),
        ({"kind": "foreign_setpoint"}, "args of a fault 'foreign_setpoint' need temperature_k or field_oe"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(table: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        FaultSettings.model_validate(table)


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (
            lambda f: f.add("timeout", "k2400"),
            "target = 'k2400' is none of ppms, k6221, k2182a, sr830, whom 'timeout'",
        ),
        (lambda f: f.add("scpi_error", "ppms"), "target = 'ppms' is none of k6221, k2182a"),
        (lambda f: f.add("stuck", "k6221"), "target = 'k6221' is none of k2182a, sr830"),
        (lambda f: f.add("lead_noise", "k2182a"), "target = 'k2182a' is none of I, whom"),
        (lambda f: f.add("quench", "cryostat"), "target = 'cryostat' is none of magnet"),
        (
            lambda f: f.add("foreign_setpoint", temperature_k=401.0),
            r"= 401 K is outside \[1.9, 400\] K, set by",
        ),
        (
            lambda f: f.add("foreign_setpoint", field_oe=-9.1e4),
            r"= -91000 Oe is outside \[-90000, 90000\] Oe, set",
        ),
    ],
)
def test_a_fault_that_this_lab_cannot_have_is_refused(
    plan: Callable[[Any], None], text: str, bench: Bench
) -> None:
    with pytest.raises(ValueError, match=text):
        plan(bench.lab.faults)


def test_a_fault_that_nobody_can_have_is_refused(make_bench: MakeBench) -> None:
    bench = make_bench(under={"drive": [], "read": []})
    with pytest.raises(ValueError, match="kind = 'lead_noise' can befall nobody in this lab"):
        bench.lab.faults.add("lead_noise")
