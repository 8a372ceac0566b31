"""SCPI: every declared header in every spelling, the path rule, arguments, errors, strict mode."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from onnes.sim.device import Deferred
from onnes.sim.device_k2182a import K2182A
from onnes.sim.device_k6221 import K6221
from onnes.sim.scpi import Param, split
from onnes.sim.scpi_device import ScpiDevice
from onnes.sim.scpi_kinds import ScpiError
from tests.sim.conftest import Bench

DEVICES = {"k6221": K6221, "k2182a": K2182A}
PART = re.compile(r"(\[:?)?([A-Za-z*]+\d?)(\[1\])?(:?\])?")


def declared(device: type[ScpiDevice]) -> Iterator[tuple[str, bool]]:
    """Yield (header as in the manual, is it a query) of all that a class declares."""
    for name in dir(device):
        attribute: Any = getattr(device, name)
        if isinstance(attribute, Param):
            yield attribute.header, False
            yield attribute.header, True
        for entry in getattr(attribute, "scpi_entries", ()):
            yield entry.header, entry.is_query


def forms(header: str) -> set[str]:
    """Return a header with and without each optional part, short, long, as printed, in lower case."""
    found: set[str] = set()
    for style in (str, str.upper, str.lower, lambda word: "".join(c for c in word if not c.islower())):
        parts = [
            ([""] if opened or closed else []) + [style(word)] + ([style(word) + "1"] if number else [])
            for opened, word, number, closed in PART.findall(header)
        ]
        found |= {":".join(word for word in way if word) for way in product(*parts)}
    return found


@pytest.mark.parametrize("model", DEVICES)
def test_every_header_is_understood_in_every_form(model: str, bench: Bench) -> None:
    device = bench.lab.instruments[model]
    assert isinstance(device, ScpiDevice)
    count = 0
    for header, is_query in declared(DEVICES[model]):
        for form in forms(header):
            # One argument too many: the header is known, and nothing happens.
            mark = "?" if is_query else ""
            for message in (f"{form}{mark} 1,1,QQ,QQ", f":{form}{mark} 1,1,QQ,QQ"):
                if form.startswith("*") and message.startswith(":"):
                    continue
                assert device.execute(message, 0.0) is None
                reply = str(device.execute("SYST:ERR?", 0.0))
                assert reply.startswith(("-108", "-104", "-224", "-222")), (message, reply)
                count += 1
    assert count > 1000


@pytest.mark.parametrize("model", DEVICES)
def test_every_setting_reads_back_what_was_set(model: str, strict_bench: Bench) -> None:
    device = strict_bench.lab.instruments[model]
    for param in device._params:  # type: ignore[attr-defined]  # the table of a ScpiDevice
        for form in forms(param.header):
            value = device.execute(f"{form}?", 0.0)
            assert isinstance(value, str), form
            if value != "+9.9E37":
                assert device.execute(f"{form} {value}", 0.0) is None
                assert device.execute(f"{form}?", 0.0) == value
    assert device.execute("SYST:ERR?", 0.0) == '0,"No error"'
    assert strict_bench.lab.journal == []


def replies(device: ScpiDevice, *messages: str) -> list[object]:
    return [device.execute(message, 0.0) for message in messages]


@pytest.fixture
def source(bench: Bench) -> K6221:
    device = bench.lab.instruments["k6221"]
    assert isinstance(device, K6221)
    return device


@pytest.fixture
def strict_source(strict_bench: Bench) -> K6221:
    device = strict_bench.lab.instruments["k6221"]
    assert isinstance(device, K6221)
    return device


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("SOUR:CURR 1e-4 2", -104),
        ("SOUR:CURR one", -104),
        ("SOUR:CURR nan", -104),
        ("SOUR:CURR 1_0", -104),
        ("SOUR:CURR", -109),
        ("SOUR:CURR 1e-4,2", -108),
        ("*IDN? 1", -108),
        ("SOUR:CRR 1", -113),
        ("ESE?", -113),
        ("*IDN", -113),
        ("SOUR:CURR 0.2", -222),
        ("SOUR:CURR -0.2", -222),
        ("SOUR:CURR:COMP 0", -222),
        ("OUTP:ISH LEFT", -224),
        ("SOUR:WAVE:FUNC TRI", -224),
        ("SOUR:DELT:ARM", -241),
        ("SOUR:SWE:ARM", -221),
        ("SOUR:WAVE:INIT", -221),
        ("INIT:IMM", -221),
        ("SENS:DATA?", -221),
        ("TRAC:DATA?", -230),
        ("SOUR::CURR 1", -102),
        ("SOUR:CURR=1", -102),
        ('SYST:BEEP "1', -102),
    ],
)
def test_what_is_wrong_gives_its_code_and_no_reply(message: str, code: int, source: K6221) -> None:
    assert replies(source, message) == [None]
    assert str(source.execute("SYST:ERR?", 0.0)).startswith(f"{code},")
    assert source.execute("STAT:QUE?", 0.0) == '0,"No error"'


def test_after_a_semicolon_the_path_goes_on(source: K6221) -> None:
    assert replies(source, "SOUR:CURR:RANG:AUTO 0;:SOUR:CURR:COMP 2;RANG 1e-3;RANG?") == ["+2.000000E-03"]
    assert replies(source, "*CLS;SYST:ERR?") == ['0,"No error"']
    assert replies(source, ":SOUR:CURR:LEV:IMM:AMPL 1e-4;RANG 1e-3", "SYST:ERR?") == [
        None,
        '-113,"Undefined header"',
    ]


def test_a_common_command_leaves_the_path_alone(strict_source: K6221) -> None:
    assert replies(strict_source, "SOUR:CURR:COMP 3;*IDN?;COMP?", "SYST:ERR?") == [
        f"{K6221.identity};+3.000000E+00",
        '0,"No error"',
    ]


def test_nothing_is_obeyed_after_a_wrong_header_but_all_after_a_wrong_value(source: K6221) -> None:
    replies(source, "NONSENSE;:SOUR:CURR 1e-3")
    assert source.level_a == 0.0
    replies(source, "SOUR:CURR 5;:SOUR:CURR:COMP 7")
    assert (source.level_a, source.compliance_v) == (0.0, 7.0)


def test_limits_and_defaults_can_be_asked_for_and_set(source: K6221) -> None:
    assert replies(source, "SOUR:CURR? MAX;:SOUR:CURR? MIN;:SOUR:CURR:COMP? DEF") == [
        "+1.050000E-01;-1.050000E-01;+1.000000E+01"
    ]
    replies(source, "SOUR:CURR:COMP MAX")
    assert source.compliance_v == 105.0
    replies(source, "SOUR:CURR:COMP DEF", "SOUR:DELT:COUN INF", "SOUR:WAVE:DUR:TIME INFinity")
    assert source.compliance_v == 10.0
    assert replies(source, "SOUR:DELT:COUN?;:SOUR:WAVE:DUR:TIME?") == ["+9.9E37;+9.9E37"]


def test_an_integer_may_come_as_a_float_and_a_switch_as_a_word(strict_source: K6221) -> None:
    replies(strict_source, "TRAC:POIN 12.0", "OUTP ON", "OUTP:LTE 1")
    assert (strict_source.buffer_points, strict_source.output, strict_source.low_to_earth) == (12, True, True)


def test_the_eleventh_error_becomes_an_overflow(source: K6221) -> None:
    replies(source, *["NONSENSE"] * 12)
    queue = [str(source.execute("SYST:ERR?", 0.0)) for _ in range(11)]
    assert queue == ['-113,"Undefined header"'] * 9 + ['-350,"Queue overflow"', '0,"No error"']


def test_the_event_registers_tell_the_kind_of_error(source: K6221) -> None:
    assert replies(source, "*ESR?", "*ESR?") == ["128", "0"]  # power on, and read once
    replies(source, "NONSENSE", "SOUR:CURR 5")
    assert replies(source, "*STB?", "*ESE 48;*SRE 32;*STB?", "*ESR?", "*STB?", "*CLS;*STB?") == [
        "4",
        "100",  # error available, event summary, service request
        "48",
        "4",
        "0",
    ]


def test_reset_keeps_what_the_standard_keeps(source: K6221) -> None:
    replies(source, "*ESE 32;:STAT:OPER:ENAB 128;:SOUR:CURR 1e-3;:OUTP 1", "*RST")
    assert replies(source, "*ESE?;:STAT:OPER:ENAB?;:SOUR:CURR?;:OUTP?") == ["32;128;+0.000000E+00;0"]
    assert replies(source, "STAT:PRES;OPER:ENAB?") == ["0"]


@pytest.mark.parametrize(
    "message",
    [
        ":*CLS",
        ":*RST",
        "status:queue:clear;*RST;:stat:pres;:*CLS;",
        "SOUR:CURR:COMP 3;SOUR:CURR 1e-3",
        "OUTP ?",
    ],
)
def test_habits_of_drivers_pass_unless_the_lab_is_strict(
    message: str, source: K6221, strict_source: K6221
) -> None:
    replies(source, message)
    assert replies(source, "SYST:ERR?") == ['0,"No error"']
    replies(strict_source, message)
    assert str(strict_source.execute("SYST:ERR?", 0.0)).startswith(("-113", "-102"))
    journal = strict_source.lab.journal
    assert [(entry.instrument, entry.command) for entry in journal] == [("k6221", message)]
    assert journal[0].kind in {"refused -113", "refused -102"}


def test_a_message_may_end_with_semicolons_and_hold_several_queries(strict_source: K6221) -> None:
    assert replies(strict_source, "*idn?;", "OUTP?;:SOUR:CURR?;;") == [K6221.identity, "0;+0.000000E+00"]
    assert strict_source.lab.journal == []


def test_replies_that_take_time_add_up(bench: Bench) -> None:
    meter = bench.lab.instruments["k2182a"]
    reply = meter.execute("SENS:VOLT:DFIL 0;:READ?;*IDN?;:READ?", 0.0)
    assert isinstance(reply, Deferred)
    assert reply.dt == pytest.approx(2 * 2 * 5 / 50)
    first, name, second = str(reply.value(reply.dt)).split(";")
    assert name == K2182A.identity
    assert first != second


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a;b", ["a", "b"]),
        ("a 'x;y'; b", ["a 'x;y'", " b"]),
        ('a "it\'s;";b;', ['a "it\'s;"', "b", ""]),
        ("'';", ["''", ""]),
    ],
)
def test_a_separator_in_quotes_does_not_separate(text: str, parts: list[str]) -> None:
    assert split(text, ";") == parts


def test_an_open_quote_is_a_syntax_error() -> None:
    with pytest.raises(ScpiError, match="-102"):
        split("a 'b;c", ";")


def test_two_instruments_of_one_model_share_the_table_and_nothing_else(bench: Bench) -> None:
    other = K6221("second", bench.lab, bench.lab.instruments["k6221"].settings)
    first = bench.lab.instruments["k6221"]
    first.execute("SOUR:CURR 1e-3", 0.0)
    assert other.execute("SOUR:CURR?", 0.0) == "+0.000000E+00"
