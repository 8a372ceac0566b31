"""Lab files: what lies over what, and each mistake at its line."""

from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_file import lab_key, load_lab
from onnes.sim.lab_layers import SHIPPED
from onnes.sim.toml_lines import toml_lines


def load(path: Path, text: str, **arguments: Any) -> VirtualLab:
    file = path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return load_lab(file, VirtualClock(), **arguments)


def problems(path: Path, text: str, **arguments: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as error:
        load(path, text, **arguments)
    return [line.replace(f"{path}/", "").replace(f"{path}\\", "") for line in str(error.value).splitlines()]


def volts(lab: VirtualLab, kelvin: float, field_oe: float) -> float:
    """Return the voltage of the sample in loop I at 1 mA."""
    loop = lab.wiring._pairs["k2182a.ch1"].loop
    assert loop.sample is not None
    return loop.sample.voltage(1e-3, kelvin, field_oe, 0.0)


# --- layers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_labs_load(name: str) -> None:
    lab = load_lab(name, VirtualClock())
    assert (lab.name, lab.seed, lab.line_hz, lab.strict) == (name, 7, 50.0, False)
    own = {"mpms3": ["multivu"], "dip": ["ls340"]}.get(name, [])
    assert sorted(lab.instruments) == sorted(["k2182a", "k6221", *own, "ppms", "sr830"])
    assert lab.epoch.isoformat() == "2026-01-01T00:00:00+00:00"
    assert len(lab.sha256) == 64


def test_the_demo_has_the_film_of_the_paper() -> None:
    default, demo = load_lab("default", VirtualClock()), load_lab("demo", VirtualClock())
    # rho40 and the geometry 2 x 1 mm, 215 nm
    assert volts(demo, 2.0, 32000.0) == pytest.approx(1e-3 * 1.5e-4 * 0.2 / (0.1 * 2.15e-5))
    assert volts(default, 2.0, 33000.0) == pytest.approx(1e-3 * 9.0e-5 * 0.2 / (0.1 * 2.15e-5))


def test_the_contaminated_lab_departs_from_exact_scaling() -> None:
    clean, dirty = load_lab("demo", VirtualClock()), load_lab("contaminated", VirtualClock())
    sample = dirty.wiring._pairs["k2182a.ch1"].loop.sample
    assert sample is not None
    night_s = 14 * 3600.0
    at_hc = [sample.voltage(1e-3, 4.0, 32000.0, t) for t in (0.0, night_s)]
    assert at_hc[1] / at_hc[0] == pytest.approx(1.002, abs=1e-6)
    assert at_hc[0] / volts(clean, 4.0, 32000.0) == pytest.approx(1 - 1e-3 * 2, abs=2e-4)


def test_a_file_wins_over_what_lies_under_it_and_that_over_the_default(tmp_path: Path) -> None:
    lab = load(
        tmp_path,
        "[cryostat]\ntau_sample_s = 20\n[magnet]\nmax_oe = 50000\n",
        under={"cryostat": {"tau_sample_s": 9.0, "tau_sensor_s": 10.0}, "lab": {"seed": 3}},
    )
    assert (lab.cryostat.settings.tau_sample_s, lab.cryostat.settings.tau_sensor_s) == (20.0, 10.0)
    assert (lab.magnet.settings.max_oe, lab.magnet.settings.max_rate_oe_per_s) == (50000.0, 190.0)
    assert (lab.name, lab.seed) == ("mine", 3)


def test_the_seed_of_the_caller_wins(tmp_path: Path) -> None:
    assert load(tmp_path, "[lab]\nseed = 3\n").seed == 3
    assert load(tmp_path, "[lab]\nseed = 3\n", seed=12).seed == 12
    with pytest.raises(ConfigurationError, match="seed = -1 is negative; give 0 or more"):
        load_lab("default", VirtualClock(), seed=-1)


def test_one_key_of_the_sample_is_overridden_but_another_model_replaces_it(tmp_path: Path) -> None:
    assert volts(load(tmp_path, "[sample]\nrho40_ohm_cm = 1e-4\n"), 2.0, 33000.0) == pytest.approx(
        1e-3 * 1e-4 * 0.2 / (0.1 * 2.15e-5)
    )
    wire = load(tmp_path, '[sample]\nmodel = "metal"\nr300_ohm = 2.5\n')
    assert volts(wire, 300.0, 0.0) == pytest.approx(2.5e-3)


def test_a_list_of_tables_is_replaced_as_a_whole(tmp_path: Path) -> None:
    lab = load(tmp_path, '[[read]]\nport = "k2182a.ch2"\nloop = "I"\n')
    assert "k2182a.ch1" not in lab.wiring.ports
    assert {"k2182a.ch2", "k6221.out"} <= lab.wiring.ports


def test_a_sample_is_mounted_where_its_source_drives() -> None:
    wire = {"model": "metal", "r300_ohm": 4.0}
    for sample in ({"k6221": wire}, wire):
        lab = load_lab("demo", VirtualClock(), sample=sample)
        assert volts(lab, 300.0, 0.0) == pytest.approx(4e-3)
    with pytest.raises(ConfigurationError, match=r"wired to 'sr830', which drives no loop of the lab 'demo'"):
        load_lab("demo", VirtualClock(), sample={"sr830": wire})
    with pytest.raises(ConfigurationError, match=r"sample at k6221: .*r300_ohm"):
        load_lab("demo", VirtualClock(), sample={"k6221": {"model": "metal", "r300_ohm": "4"}})


def test_the_hash_tells_labs_apart_but_not_seeds(tmp_path: Path) -> None:
    default = load_lab("default", VirtualClock()).sha256
    assert load_lab("default", VirtualClock(), seed=8).sha256 == default
    wire = {"k6221": {"model": "metal"}}
    others = [
        load_lab("demo", VirtualClock()).sha256,
        load_lab("default", VirtualClock(), sample=wire).sha256,
        load(tmp_path, "[cryostat]\nnoise_k = 1e-3\n").sha256,
        load(tmp_path, "[magnet]\nstart_direction = 1\n").sha256,
        load(tmp_path, '[[fault]]\nkind = "drop"\n').sha256,
        load(tmp_path, '[[fault]]\nkind = "drop"\nuntil = 3\n').sha256,
    ]
    assert len({default, *others}) == 7


def test_a_lab_that_goes_on_opens_as_it_was_left_and_is_still_the_same_lab() -> None:
    whole = load_lab("default", VirtualClock())
    left = load_lab(
        "default",
        VirtualClock(),
        start={"cryostat": {"start_k": 12.0}, "magnet": {"start_oe": -3000.0, "start_largest_oe": 9000.0}},
    )
    assert left.cryostat.sensor(0.0) == 12.0
    assert left.magnet.supply(0.0) == -3000.0
    assert left.sha256 == whole.sha256


def test_a_state_that_a_lab_cannot_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="start_oe"):
        load_lab("default", VirtualClock(), start={"magnet": {"start_oe": 2e5}})


def test_a_fault_that_was_over_does_not_come_again_and_one_to_come_comes_when_it_should(
    tmp_path: Path,
) -> None:
    text = """
[[fault]]
kind = "timeout"
at = "1h"
[[fault]]
kind = "drop"
at = "1h"
until = "3h"
[[fault]]
kind = "drop"
at = "10 min"
until = "20 min"
[[fault]]
kind = "latency"
at = "30 min"
every = "1h"
[[fault]]
kind = "garbage"
at = "3h"
"""
    lab = load(tmp_path, text, opened_s=7200.0)
    found = [(armed.fault.kind, armed.fault.at, armed.fault.until) for armed in lab.faults.armed]
    assert found == [("drop", 0.0, 3600.0), ("latency", 1800.0, None), ("garbage", 3600.0, None)]


def test_the_key_of_a_lab_is_its_name_or_its_resolved_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert lab_key("demo") == "demo"
    assert lab_key("mine.toml") == lab_key(tmp_path / "mine.toml") == str((tmp_path / "mine.toml").resolve())


# --- mistakes ---------------------------------------------------------------------------------------------


def test_all_problems_come_at_once_each_at_its_line(tmp_path: Path) -> None:
    text = """# a lab
[lab]
nme = "x"
line_hz = 55

[magnet]
max_oe = "big"
max_oee = 3
[sample]
hc_eo = 21000.0
[instrument.foo]
model = "dvm"
resources = ["GPIB0::3::INSTR"]
[instrument.k6221]
resources = ["NOPE", "GPIB0::7::INSTR"]
[[read]]
port = "k2182a.ch1"
loop = "I"
[[read]]
port = "bad"
loop = "I"
emf_nv = nan
[extra]
x = 1
[[fault]]
kind = "quenche"
at = "soon"
[[fault]]
kind = "timeout"
args = { seconds = 3 }
"""
    expected = [
        "3:1: unknown key 'nme' in [lab]; expected one of epoch, line_hz, name, seed, strict; did you mean ",
        "4:1: lab.line_hz = 55: should be 50 or 60",
        "7:1: magnet.max_oe = 'big': should be a valid number",
        "8:1: unknown key 'max_oee' in [magnet]; expected one of ",
        "10:1: the sample model 'bilayer' has no key 'hc_eo'; did you mean 'hc_oe'",
        "12:1: there is no instrument model 'dvm'; there are ppms6000, multivu, k6221, k2182a, sr830, "
        "sr860, k2400, k2450, lakeshore336, lakeshore340",
        "15:1: 'NOPE' is no VISA name; write for example 'GPIB0::15::INSTR'",
        "15:1: GPIB0::7::INSTR is given to both 'k6221' and 'k2182a'",
        "20:1: read.2.port = 'bad': ",
        "22:1: read.2.emf_nv is not a finite number; write the number",
        "23:1: unknown key 'extra'; expected one of coil, cryostat, drive, ",
        "26:1: fault.1.kind = 'quenche': should be 'timeout', 'latency', ",
        "27:1: fault.1.at = 'soon': 'soon' is no time; write for example '2h15m'",
        "28:1: fault.2 = {'kind': 'timeout', 'args': {'seconds': 3}}: args of a fault 'timeout' take nothing",
    ]
    found = problems(tmp_path, text)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(f"mine.toml:{start}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[lab]\nx = \n", "mine.toml:2:5: invalid value; expected TOML"),
        ("[lab]\nseed = 1\nseed = 2\n", "mine.toml:3:9: cannot overwrite a value; expected TOML"),
        ("[lab", "mine.toml:1:1: "),
        ("lab = 3\n", "mine.toml:1:1: lab = 3: should be a table"),
        ("[lab]\nseed = -1\n", "mine.toml:2:1: lab.seed = -1: should be greater than or equal to 0"),
        ("[lab]\nseed = 1.5\n", "mine.toml:2:1: lab.seed = 1.5: should be a valid integer"),
        ("[lab]\nstrict = 1\n", "mine.toml:2:1: lab.strict = 1: should be a valid boolean"),
        ('[lab]\nepoch = "today"\n', "mine.toml:2:1: lab.epoch = 'today': should be a valid datetime"),
        ("[lab]\nspeed = 60\n", "mine.toml:2:1: unknown key 'speed' in [lab]"),
        ("[instrument]\nk6221 = 3\n", "mine.toml:2:1: instrument.k6221 = 3: should be a table"),
        (
            '[instrument.a]\nmodel = "k6221"\n',
            "mine.toml:1:1: [instrument.a] has no 'resources'; it must be given",
        ),
        (
            '[sample]\nmodel = "bilayr"\n',
            "mine.toml:2:1: there is no sample model 'bilayr'; did you mean 'bilayer'",
        ),
        ("[sample]\ngamma_t = 0.2\n", "mine.toml:1:1: the sample of kind sc needs rho40_ohm_cm "),
        (
            '\n[[drive]]\nport = "k9.out"\nloop = "I"\n',
            "mine.toml:3:1: port 'k9.out' belongs to no instrument",
        ),
        (
            '[[read]]\nport = "k2182a.ch3"\nloop = "I"\n',
            "mine.toml:2:1: 'k2182a' has no terminal 'ch3'; it has ch1, ch2",
        ),
        (
            '[[fault]]\nkind = "stuck"\ntarget = "k6221"\n',
            "mine.toml:3:1: fault.1.target = 'k6221' is none of k2182a, sr830, whom 'stuck' befalls",
        ),
        (
            '[[fault]]\nkind = "drop"\nat = "2h"\nuntil = "1h"\n',
            "mine.toml:1:1: fault.1 = {'kind': 'drop', 'at': '2h', 'until': '1h'}: until = 3600 s is",
        ),
        (
            '[[fault]]\nkind = "drop"\np = 1.5\n',
            "mine.toml:3:1: fault.1.p = 1.5: should be less than or equal",
        ),
        (
            '[[fault]]\nkind = "drop"\nevery = 0\n',
            "mine.toml:3:1: fault.1.every = 0: should be greater than 0",
        ),
        (
            '[[fault]]\nkind = "drop"\nwhen = { temperature_k = 4 }\n',
            "mine.toml:3:1: unknown key 'temperature_k' in [fault.1.when]; expected one of field_above_oe, ",
        ),
        (
            '[[fault]]\nkind = "foreign_setpoint"\nargs = { temperature_k = 401 }\n',
            "mine.toml:3:1: fault.1.args.temperature_k = 401 K is outside [1.9, 400] K, set by [cryostat]",
        ),
        ('[[fault]]\nkind = "baud"\n', "mine.toml:2:1: fault.1.kind = 'baud': should be 'timeout', "),
        (
            "[magnet]\nstart_direction = 2\n",
            "mine.toml:2:1: magnet.start_direction = 2: should be -1, 0 or 1",
        ),
        ("[cryostat]\nstart_k = inf\n", "mine.toml:2:1: cryostat.start_k is not a finite number"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, problem: str, tmp_path: Path) -> None:
    found = problems(tmp_path, text)
    assert found[0].startswith(problem)
    assert all("lab_default.toml" not in line for line in found)


def test_a_mistake_in_what_lies_under_the_file_says_so(tmp_path: Path) -> None:
    found = problems(tmp_path, "", under={"magnet": {"max_oe": "big"}})
    assert found == ["the lab under mine.toml: magnet.max_oe = 'big': should be a valid number"]


def test_an_unknown_name_and_a_missing_file_say_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"no lab 'defualt'; the shipped ones are default, .*, .*; did you mean 'default'$",
    ):
        load_lab("defualt", VirtualClock())
    with pytest.raises(
        ConfigurationError, match=r"cannot read the lab file .*none\.toml: .*look at the path"
    ):
        load_lab(tmp_path / "none.toml", VirtualClock())
    with pytest.raises(ConfigurationError, match="cannot read the lab file"):
        load_lab(f"{tmp_path}/", VirtualClock())


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(b'[lab]\nname = "\xb5"\n')
    with pytest.raises(ConfigurationError, match=r"mine\.toml:1:1: is not UTF-8 text; save it as UTF-8"):
        load_lab(file, VirtualClock())


def test_lines_are_found_in_every_shape_of_toml() -> None:
    text = """title = "a [lab] = b"   # [not a table]
[instrument.ppms] # here
resources = [
  "x = 1",
  "[y]",
]
model.name = "z"
[[read]]
  port = "a"
[[read]]
"quoted key" = { inner = 1 }
"""
    assert toml_lines(text) == {
        ("title",): 1,
        ("instrument", "ppms"): 2,
        ("instrument", "ppms", "resources"): 3,
        ("instrument", "ppms", "model"): 7,
        ("instrument", "ppms", "model", "name"): 7,
        ("read",): 8,
        ("read", 0): 8,
        ("read", 0, "port"): 9,
        ("read", 1): 10,
        ("read", 1, "quoted key"): 11,
    }
