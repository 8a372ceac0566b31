import re
from decimal import Decimal
from pathlib import Path

import pytest

from onnes.instruments.errors import SequenceError
from onnes.runner.quantity_text import Sweep
from onnes.runner.sequence import (
    Declined,
    ForStep,
    IsothermsStep,
    ResistivityStep,
    SequenceFile,
    SetFieldStep,
    WaitStep,
    load_sequence,
)

HEAD = "sequence: 1\nstation: s\nsample: {film: f}\nfinish: {field: 0 Oe}\n"


def _read(tmp_path: Path, text: str) -> SequenceFile:
    path = tmp_path / "night.yaml"
    path.write_text(text, encoding="utf-8")
    return load_sequence(path).model


def _problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SequenceError) as caught:
        _read(tmp_path, text)
    lines = str(caught.value).splitlines()
    head = f"{tmp_path / 'night.yaml'}:"
    assert all(line.startswith(head) for line in lines)
    return [line.removeprefix(head) for line in lines]


def test_a_whole_night_is_read(tmp_path: Path) -> None:
    model = _read(
        tmp_path,
        HEAD
        + """title: a night
mounting: perpendicular
limits: {temperature: 1.9..305 K, field: -9..9 T, current: 200 uA}
contact_check: {declined: the wire is soldered}
defaults:
  resistivity: {current: 100 uA, settle: {within: 5 mK, for: 30 s}}
  settle: {slope: 20 mK/min, then_wait: 1 min, timeout: 1 h}
  magnet: {rate: 100 Oe/s, approach: no_overshoot, mode: driven, then_wait: 10 s}
steps:
  - name: first
    note: after the cool-down
    resistivity:
      temperature: {sweep: 300 K .. 2 K, rate: 2 K/min, every: 0.2 K}
      both_directions: true
      average: 20
  - enabled: false
    isotherms:
      {temperature: 2..6 K step 0.5 K, field: 0..6 T step 0.25 T, order: as_written, symmetrise: false}
  - for: {field: [0 T, 1 T]}
    do:
      - resistivity: {temperature: [2 K, 4 K]}
  - set_temperature: {to: 10 K, rate: 5 K/min, approach: no_overshoot, settle: {within: 10 mK}, wait: false}
  - set_temperature: 10 K
  - set_field: 1 T
  - wait: 10 min
  - wait: {until: "22:00"}
  - wait: {stable: [temperature, field], timeout: 1 h}
""",
    )
    first, second, third, *_, field, ten_minutes, until, stable = model.steps
    assert isinstance(first, ResistivityStep)
    assert isinstance(first.resistivity.temperature, Sweep)
    assert first.resistivity.both_directions is True
    assert (first.name, first.note, first.enabled) == ("first", "after the cool-down", True)
    assert isinstance(second, IsothermsStep)
    assert second.enabled is False
    assert second.isotherms.symmetrise == "false"
    assert isinstance(second.isotherms.field, tuple)
    assert len(second.isotherms.field) == 25
    assert isinstance(third, ForStep)
    assert isinstance(field, SetFieldStep)
    assert field.set_field.to.number == Decimal(10000)
    assert isinstance(ten_minutes, WaitStep)
    assert ten_minutes.wait.for_ is not None
    assert float(ten_minutes.wait.for_) == 600
    assert isinstance(until, WaitStep)
    assert until.wait.until == "22:00"
    assert isinstance(stable, WaitStep)
    assert stable.wait.stable == ("temperature", "field")
    assert model.contact_check == Declined(declined="the wire is soldered")
    assert model.defaults.settle.slope is not None
    assert float(model.defaults.settle.slope) == 0.02


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (
            "- zcf_fc: {}",
            "6:3: unknown block 'zcf_fc'; expected one of ac_susceptibility, .*; did you mean 'zfc_fc'\\?",
        ),
        ("- resitivity: {}", "6:3: unknown block 'resitivity'; expected .*; did you mean 'resistivity'\\?"),
        ("- {name: x}", "6:3: a step without a block; expected one of ac_susceptibility, "),
        ("- {wait: 1 s, set_field: 1 T}", "6:15: a second block in one step, 'set_field' beside 'wait'"),
        ("- hello", "6:3: 'hello' is no step; expected a table with one block"),
        ("- {wait: 1 s, nmae: x}", "6:15: unknown key 'nmae' in a step; .*; did you mean 'name'\\?"),
        (
            "- resistivity: {feild: 1 T}",
            "6:17: unknown key 'feild' in resistivity; .*; did you mean 'field'\\?",
        ),
        ("- resistivity: {fein: {around: Tc}}", "6:17: unknown key 'fein' in resistivity; expected one of "),
        ("- resistivity: {fine: {around: Tc}}", "6:17: fine without 'width'"),
        (
            "- resistivity: {settle: {witin: 1 K}}",
            "6:26: unknown key 'witin' in settle; .*did you mean 'within'\\?",
        ),
        ("- resistivity: [1]", "6:16: a list is no table of keys"),
        ("- resistivity: {temperature: 10}", "6:30: '10' has no unit; expected a temperature; e.g. '10 K'"),
        ("- resistivity: {temperature: nan K}", "6:30: 'nan K' is not a finite number"),
        ("- resistivity: {temperature: 5 T}", "6:30: '5 T' is a field; expected a temperature in K or mK"),
        ("- resistivity: {temperature: 2..9 K step 0 K}", "6:30: '2..9 K step 0 K' has a step of zero"),
        ("- resistivity: {current: 0 A}", "6:26: '0 A' is not above 0"),
        ("- resistivity: {average: 1.5}", "6:26: '1.5' is no whole number"),
        ("- resistivity: {average: 0}", "6:26: '0' is no whole number from 1"),
        ("- resistivity: {both_directions: yes}", "6:34: 'yes' is neither true nor false"),
        (
            "- resistivity: {both_directions: 'true'}",
            "6:34: 'true' is neither true nor false; .*without quotes",
        ),
        (
            "- isotherms: {order: upward}",
            "6:22: 'upward' is not known here; expected interleaved or as_written",
        ),
        ("- set_field: {to: 1 T, rate: 0 Oe/s}", "6:30: '0 Oe/s' is not above 0"),
        ("- set_field: {rate: 9 Oe/s}", "6:3: set_field without 'to'"),
        ("- set_temperature: 5", "6:20: '5' has no unit"),
        ("- set_temperature: {to: 5 K, rate: 10}", "6:36: '10' has no unit; expected a temperature rate"),
        ("- wait: -5 s", "6:9: '-5 s' is below 0"),
        ("- wait:", "6:3: nothing is given; expected a time"),
        ("- wait: {until: 25:00}", "6:17: '25:00' is no time of day"),
        ("- wait: {for: 1 s, until: '22:00'}", "6:9: wait takes exactly one of for, until and stable"),
        ("- wait: {for: 1 s, timeout: 1 s}", "6:9: timeout belongs to stable"),
        ("- wait: {stable: [temprature]}", "6:19: 'temprature' is not known here; .*'temperature'"),
        ("- wait: {stable: []}", "6:18: an empty list; expected at least one item"),
        ("- wait: {operator: fill helium}", "6:10: 'operator' in wait cannot be built yet; leave it out"),
        ("- {for: {feild: [1 T]}, do: [wait: 1 s]}", "6:10: no block takes the key 'feild' of this for"),
        ("- {for: {field: [1]}, do: [wait: 1 s]}", "6:18: '1' has no unit; expected a field"),
        ("- {for: {field: [1 T], order: [x]}, do: [wait: 1 s]}", "6:9: for takes one key with its values"),
        (
            "- {for: {order: interleaved}, do: [wait: 1 s]}",
            "6:17: the values of 'order' are no list of words",
        ),
        ("- {for: {field: [1 T]}, do: []}", "6:29: an empty list"),
        ("- {for: {field: [1 T]}}", "6:3: a step without 'do'"),
        ("- {repeat: 2}", "6:3: a step without 'do'"),
        ("- {repeat: twice, do: [wait: 1 s]}", "6:12: 'twice' is no whole number"),
        ("- {for: {prepare: [x]}, do: [wait: 1 s]}", "6:10: no block takes the key 'prepare' of this for"),
        ("- {wait: 1 s, on_error: repeat}", "6:25: 'repeat' is not known here; expected skip or safe_stop"),
        ("- {wait: 1 s, time_limit: 0 s}", "6:27: '0 s' is not above 0"),
        ("- resistivity: {history: fre}", "6:26: 'fre' is not known here; .*did you mean 'free'\\?"),
        (
            "- resistivity: {prepare: {residual: {accept: 5 %}}}",
            "6:27: 'residual' in prepare belongs to zfc_fc and magnetization; leave it out",
        ),
        ("- resistivity: {prepare: {degauss_from: -1 T}}", "6:41: '-1 T' is not above 0"),
        ("- resistivity: {prepare: {soak: 5 K}}", "6:33: '5 K' is a temperature; expected a time"),
        ("- isotherms: {reference: {temperature: 40 K}}", "6:15: reference without 'field'"),
        ("- isotherms: {reference: {temperature: 40 K, field: 1 K}}", "6:53: '1 K' is a temperature"),
    ],
)
def test_a_wrong_step_is_refused_at_its_place(tmp_path: Path, step: str, problem: str) -> None:
    (found,) = _problems(tmp_path, f"{HEAD}steps:\n{step}\n")
    assert re.match(problem, found), found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("station: s\n", "1:1: a sequence without 'sequence'; .*e.g. 'sequence: 1'"),
        ("sequence: 2\n", "1:11: '2' is not known here; expected 1"),
        (
            "sequence: 1\nfinnish: {}\n",
            "2:1: unknown key 'finnish' in a sequence; .*did you mean 'finish'\\?",
        ),
        ("sequence: 1\non_error: retry\n", "2:11: 'retry' is not known here; expected skip or safe_stop"),
        (
            "sequence: 1\non_error: {then: stop}\n",
            "2:18: 'stop' is not known here; expected skip or safe_stop",
        ),
        ("sequence: 1\non_error: {retry: 0}\n", "2:19: '0' is no whole number from 1"),
        ("sequence: 1\non_error: {wait: 60}\n", "2:18: '60' has no unit; expected a time"),
        ("sequence: 1\non_error: {retries: 2}\n", "2:12: unknown key 'retries' in on_error; .*'retry'"),
        ("sequence: 1\nend_by: 8\n", "2:9: '8' is no time of day; expected hours and minutes"),
        ("sequence: 1\nnotify: finished\n", "2:9: 'finished' is no list"),
        ("sequence: 1\nnotify: [finnished]\n", "2:10: 'finnished' is not known here; .*'finished'"),
        (
            "sequence: 1\ndefaults: {prepare: {warm: 50 K}}\n",
            "2:22: unknown key 'warm' in prepare; .*'warm_to'",
        ),
        ("sequence: 1\nsteps: []\n", "2:8: an empty list; expected at least one item"),
        ("sequence: 1\nsteps: wait\n", "2:8: 'wait' is no list"),
        ("sequence: 1\nstation: [a]\n", "2:10: expected the name or path of a station file"),
        ("sequence: 1\nsample: {}\n", "2:9: expected a sample, e.g. 'MB215-06'"),
        ("sequence: 1\nfinish: {field: 0}\n", "2:17: '0' has no unit; expected a field; e.g. '0 Oe'"),
        ("sequence: 1\nfinish: {field: 5 K}\n", "2:17: '5 K' is a temperature; expected a field"),
        ("sequence: 1\nfinish: {chamber: seal}\n", "2:19: 'seal' is not known here; expected hold"),
        ("sequence: 1\nlimits: {field: 9 T}\n", "2:17: '9 T' is not a range"),
        ("sequence: 1\nlimits: {field: 9..-9 T}\n", "2:17: '9..-9 T' goes down"),
        ("sequence: 1\nlimits: {current: -1 A}\n", "2:19: '-1 A' is not above 0"),
        ("sequence: 1\ncontact_check: no\n", "2:16: 'no' is neither auto nor declined with a reason"),
        ("sequence: 1\ncontact_check: {declined: }\n", "2:17: nothing is given; expected text"),
        ("sequence: 1\ndefaults: {resistivty: {}}\n", "2:12: unknown key 'resistivty' in defaults"),
        ("- a\n", "1:1: a sequence file is a table"),
        ("a: &x 1\n", "1:4: anchor '&x'"),
        ("a: [\n", "2:1: this is not YAML"),
        ("", "1:1: a sequence without 'finish'"),
    ],
)
def test_a_wrong_head_is_refused_at_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert any(re.match(problem, found) for found in _problems(tmp_path, text)), _problems(tmp_path, text)


def test_all_problems_are_reported_at_once_sorted_by_line(tmp_path: Path) -> None:
    problems = _problems(
        tmp_path,
        """sequence: 1
station: s
sample: f
mounting: &m perpendicular
finish: {field: 0}
steps:
  - resistivity: {temperature: [1, nan K], feild: 1 T}
  - isotherms: {field: 0..9 T step 0 T}
station: s
""",
    )
    places = [tuple(map(int, problem.split(":")[:2])) for problem in problems]
    assert places == [(4, 11), (5, 17), (7, 33), (7, 36), (7, 44), (8, 24), (9, 1)]


def test_a_file_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(SequenceError, match=r"cannot read .*none\.yaml: .*; look at the name of the file"):
        load_sequence(tmp_path / "none.yaml")


def test_a_file_that_is_not_utf_8_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_bytes("title: µ".encode("latin-1"))
    with pytest.raises(SequenceError, match=r"is not UTF-8 .*; save it as UTF-8"):
        load_sequence(path)
