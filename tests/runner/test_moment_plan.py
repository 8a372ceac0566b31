"""What the blocks of magnetometry stand for, and what is refused of them before the night."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnes.instruments.errors import ConfigurationError, SequenceError
from onnes.procedures.residual_field import Residual
from onnes.runner.plan import Measure, Plan, make_plan

STATIONS = Path(__file__).parents[2] / "examples" / "stations"
CALIBRATED = (STATIONS / "mpms3-sim.toml").read_text(encoding="utf-8")
MPMS3 = CALIBRATED.replace('calibration = "calibrations/mpms3-sim.toml"\n', "")
ALONE = re.sub(r"^(host|thermostat|magnet|chamber) = .*\n", "", MPMS3, flags=re.MULTILINE)
PPMS = (STATIONS / "ppms9-sim.toml").read_text(encoding="utf-8")
TEMPLATE = (STATIONS / "templates" / "mpms3-sim.seq").read_text(encoding="utf-8")
BAR = """sample = 1
id = "f"
geometry = { shape = "bar" }
limits = { temperature = "1.8..310 K", temperature_rate = "5 K/min" }
expected = { tc = "38 K" }
"""
CALIBRATION = """calibration = 1
[[entry]]
after = "oscillate"
degauss_from = "1 T"
residual = "-2 Oe"
uncertainty = "0.1 Oe"
measured = 2026-01-12
method = "pd"
"""
HEAD = "sequence: 1\nstation: s\nsample: f\nfinish: {field: 0 Oe, approach: oscillate, temperature: 10 K}\n"

ZFC = "zfc_fc: {field: 200 Oe, temperature: 5..40 K step 5 K}"
VIRGIN = "magnetization: {curve: virgin, temperature: [5 K, 10 K], field: 0..1000 Oe step 200 Oe}"

Planner = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planner:
    monkeypatch.chdir(tmp_path)
    for folder in ("stations/templates", "samples"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "stations/templates/mpms3-sim.seq").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "stations/pd.toml").write_text(CALIBRATION, encoding="utf-8")

    def plan(
        steps: str, more: str = "", *, station: str = MPMS3, sample: str = BAR, head: str = HEAD
    ) -> Plan:
        (tmp_path / "stations/s.toml").write_text(station, encoding="utf-8")
        (tmp_path / "samples/f.toml").write_text(sample, encoding="utf-8")
        path = Path("night.yaml")
        path.write_text(f"{head}{more}steps:\n{steps}\n", encoding="utf-8")
        return make_plan(path)

    return plan


def _refused(planned: Planner, steps: str, more: str = "", **files: str) -> list[str]:
    with pytest.raises(SequenceError) as caught:
        planned(steps, more, **files)
    return str(caught.value).splitlines()


def test_a_station_without_a_wiring_hears_nothing_of_contacts(planned: Planner) -> None:
    assert not [text for text in planned(f"  - {ZFC}").messages if "contact_check" in text]


def _measurements(plan: Plan) -> list[Any]:
    return [step.action.measurement for step in plan.steps if isinstance(step.action, Measure)]


def test_a_zfc_fc_block_is_one_run_of_all_its_fields_and_curves(planned: Planner) -> None:
    plan = planned(
        "  - zfc_fc: {field: [200 Oe, 500 Oe], temperature: 5..40 K step 5 K, curves: [zfc, fcc, fcw]}"
    )
    (measurement,) = _measurements(plan)
    assert measurement.kind == "zfc-fc"
    assert measurement.magnetometer == "mpms"
    assert json.loads(measurement.fields_oe) == [200.0, 500.0]
    assert len(measurement.setpoints()) == 2 * 3 * 8
    assert list(plan.samples) == ["mpms"]


def test_a_loop_over_fields_is_one_run_a_field(planned: Planner) -> None:
    plan = planned("  - for: {field: [200 Oe, -200 Oe]}\n    do: [zfc_fc: {temperature: 5..40 K step 5 K}]")
    assert [json.loads(one.fields_oe) for one in _measurements(plan)] == [[200.0], [-200.0]]


def test_a_virgin_curve_and_a_loop_come_from_the_same_block(planned: Planner) -> None:
    loop = (
        "magnetization: {curve: loop, temperature: 5 K, field: 0..5 T step 1 kOe, quadrants: 3, wait: 10 s}"
    )
    virgin, around = _measurements(planned(f"  - {VIRGIN}\n  - {loop}"))
    assert (virgin.kind, around.kind) == ("magnetization-virgin", "magnetization-loop")
    assert len(virgin.setpoints()) == 2 * 6
    assert (around.quadrants, around.wait_s) == (3, 10.0)


def test_the_preparation_is_that_of_the_block_over_the_defaults(planned: Planner) -> None:
    more = "defaults: {prepare: {warm_to: 60 K, relax: 10 min}, zfc_fc: {prepare: {relax: 1 min}}}\n"
    (measurement,) = _measurements(planned(f"  - {ZFC}", more))
    prepare = json.loads(measurement.prepare)
    assert (prepare["warm_to_k"], prepare["relax_s"]) == (60.0, 60.0)
    assert prepare["cool_rate_k_per_min"] == 5.0  # what the sample stands
    assert measurement.path_below_k == 38.0


def test_the_scan_is_that_of_the_block_over_the_defaults(planned: Planner) -> None:
    more = "defaults: {scan: {mode: vsm, length: 5 mm}}\n"
    steps = "  - zfc_fc: {field: 200 Oe, temperature: 5..40 K step 5 K, scan: {length: 3 mm}}"
    (measurement,) = _measurements(planned(steps, more))
    assert json.loads(measurement.scan) == {"mode": "vsm", "length_cm": 0.3}


def test_a_calibrated_residual_field_is_corrected(planned: Planner) -> None:
    station = MPMS3.rstrip() + '\ncalibration = "pd.toml"\n'
    steps = "  - zfc_fc: {field: 5 Oe, temperature: 5..40 K step 5 K}"
    (measurement,) = _measurements(planned(steps, station=station))
    residual = Residual.from_json(measurement.residual)
    assert (residual.value_oe, residual.sigma_oe, residual.is_corrected) == (-2.0, 0.1, True)
    assert residual.setpoint_oe(5.0) == 7.0
    assert "pd.toml:2, measured 2026-01-12" in residual.known


def test_a_field_that_the_residual_field_spoils_is_refused_at_its_place(planned: Planner) -> None:
    (found,) = _refused(planned, "  - zfc_fc: {field: [5 Oe, 200 Oe], temperature: 5..40 K step 5 K}")
    assert found.startswith("night.yaml:6:22: L031: residual field at most 5 Oe (")
    assert "of the measuring field 5 Oe" in found


def test_a_virgin_curve_is_judged_by_its_first_field_above_zero(planned: Planner) -> None:
    steps = "  - magnetization: {curve: virgin, temperature: 5 K, field: 0..100 Oe step 10 Oe}"
    (found,) = _refused(planned, steps)
    assert found.startswith("night.yaml:6:61: L031: residual field")


def test_without_a_calibration_an_estimate_counts_and_more_may_be_accepted(planned: Planner) -> None:
    steps = "  - zfc_fc: {field: 20 Oe, temperature: 5..40 K step 5 K, prepare: {residual: {accept: 30 %}}}"
    (measurement,) = _measurements(planned(steps))
    residual = Residual.from_json(measurement.residual)
    assert (residual.source, residual.bound_oe, residual.accept) == ("estimate", 5.0, 0.3)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("zfc_fc: {field: 200 Oe}", "6:5: zfc_fc without 'temperature'; expected it here or in defaults"),
        ("zfc_fc: {temperature: [5 K, 9 K]}", "6:5: zfc_fc without 'field'"),
        ("magnetization: {temperature: 5 K, field: 0..1 T step 1 kOe}", "6:5: magnetization without 'curve'"),
        (
            "zfc_fc: {field: 200 Oe, temperature: {sweep: 2..40 K, rate: 1 K/min, every: 1 K}}",
            "6:5: zfc_fc with a sweep; MultiVu's sequence measures a moment at a setpoint",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], curves: [zfc, fcw]}",
            "6:5: L032: curves has fcw without fcc",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], curves: [fcc, zfc]}",
            "6:5: Curves is .*expected some of zfc, fcc, fcw, each once, in this order|6:5: curves is .*",
        ),
        ("zfc_fc: {field: 200 Oe, temperature: [9 K, 5 K]}", "6:5: temperatures has 5 K after 9 K"),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], prepare: {warm_to: 30 K}}",
            r"6:\d+: L030: warm_to, 30 K, is not above the expected Tc, 38 K",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 350 K]}",
            r"6:\d+: 350 K is above 310 K; allowed 1.8 K .. 310 K \(samples/f.toml:4 limits.temperature\)",
        ),
        (
            "zfc_fc: {field: 8 T, temperature: [5 K, 9 K]}",
            r"6:21: 8 T is above 7 T; allowed -7 T .. 7 T \(the MPMS3\)",
        ),
        (
            "magnetization: {curve: virgin, temperature: 5 K, field: [0 Oe, 1..8 T points 5 spaced log]}",
            r"6:\d+: 8 T of '1..8 T points 5 spaced log' is above 7 T; .*\(the MPMS3\)",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], scan: {mode: rso}}",
            "6:5: L005: mpms cannot scan in the mode rso; expected dc or vsm",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], prepare: {residual: {from: pd}}}",
            "6:5: residual from pd, and stations/s.toml names no calibration",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], prepare: {residual: {correct: true}}}",
            "6:5: residual.correct is true, but an estimate is a bound without a sign",
        ),
        (
            "magnetization: {curve: virgin, temperature: 5 K, field: 100..500 Oe step 100 Oe}",
            "6:5: fields_oe",
        ),
        (
            "magnetization: {curve: virgin, temperature: 5 K, field: 0..1 T step 1 kOe, quadrants: 2}",
            "6:5: quadrants belong to a loop",
        ),
        (
            "zfc_fc: {field: [200 Oe, 0 Oe], temperature: [5 K, 9 K]}",
            "6:30: zfc_fc in a measuring field of 0 Oe: there is nothing to screen or to trap; expected",
        ),
        (
            "zfc_fc: {field: 200 Oe, temperature: [5 K, 9 K], prepare: {residual: {accept: 120 %}}}",
            "6:83: accept = 120 % would take a residual field as large as the measuring field; expected less",
        ),
        ("zfc_fc: {wiring: film}", "6:14: unknown key 'wiring' in zfc_fc"),
        ("zfc_fc: {scan: {mod: dc}}", "6:21: unknown key 'mod' in scan; .*did you mean 'mode'"),
        ("zfc_fc: {prepare: {residual: {form: pd}}}", "6:35: unknown key 'form' in residual; .*'from'"),
        ("zfc_fc: {curves: [zfc, fc]}", "6:28: 'fc' is not known here; expected one of zfc, fcc, fcw"),
        ("magnetization: {curve: virgn}", "6:28: 'virgn' is not known here; .*did you mean 'virgin'"),
        (
            "resistivity: {temperature: 5 K, current: 1 mA}",
            "6:5: resistivity needs a wiring, and the station mpms3-sim has none; it measures moments",
        ),
    ],
)
def test_a_block_that_cannot_be_measured_is_refused_before_the_night(
    planned: Planner, step: str, problem: str
) -> None:
    found = _refused(planned, f"  - {step}")
    assert any(re.match(f"night.yaml:({problem})", line) for line in found), found


@pytest.mark.parametrize("step", ["set_temperature: 10 K", "set_field: 1 T", "wait: {stable: [temperature]}"])
def test_a_machine_that_is_set_by_its_sequence_alone_refuses_blocks_that_set(
    planned: Planner, step: str
) -> None:
    found = _refused(planned, f"  - {step}\n  - {ZFC}", station=ALONE)
    name = step.partition(":")[0]
    assert found[0].startswith(
        f"night.yaml:6:5: {name} on the station mpms3-sim: MultiVu's sequence prepares each block; this"
    )
    assert len(planned(f"  - {step}\n  - {ZFC}").steps) == 2  # with its server it can be set


def test_a_wait_for_some_time_needs_no_machine(planned: Planner) -> None:
    assert len(planned(f"  - wait: 10 min\n  - {ZFC}", station=ALONE).steps) == 2


def test_a_station_with_leads_refuses_magnetometry_with_the_reason(planned: Planner) -> None:
    (found,) = _refused(planned, f"  - {ZFC}", station=PPMS)
    assert found == (
        "night.yaml:6:5: zfc_fc needs a magnetometer, and the station ppms9-sim has none; with leads on the "
        "sample, measure resistivity or isotherms"
    )


def test_a_finish_without_a_field_is_refused_where_the_magnetometer_has_the_magnet(planned: Planner) -> None:
    head = HEAD.replace("{field: 0 Oe, approach: oscillate, temperature: 10 K}", "{temperature: 10 K}")
    (found,) = _refused(planned, f"  - {ZFC}", head=head)
    assert found.startswith("night.yaml:4:1: finish without 'field', and the station has a magnet")


def test_a_template_that_lacks_a_placeholder_is_refused_before_the_night(
    planned: Planner, tmp_path: Path
) -> None:
    broken = TEMPLATE.replace("{data_file}", "data.dat")
    (tmp_path / "stations/templates/mpms3-sim.seq").write_text(broken, encoding="utf-8")
    with pytest.raises((ConfigurationError, SequenceError), match=r"data_file.*\(L074\)"):
        planned(f"  - {ZFC}")


def test_a_night_of_a_real_machine_is_checked_where_its_template_is_not(
    planned: Planner, tmp_path: Path
) -> None:
    head, _, rest = MPMS3.replace('backend = "simulated"', 'backend = "visa"').partition("[twin]")
    station = head + rest.partition("lab file")[2]
    (tmp_path / "stations/templates/mpms3-sim.seq").unlink()
    assert planned(f"  - {ZFC}", station=station).steps


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("scan: {mode: rso}", "a scan in mode rso needs frequency and cycles; give them in the group scan"),
        (
            "magnet: {rate: 10 Oe/s}",
            "a field rate of 10.0 Oe/s is asked for, and the MPMS-XL has none to choose",
        ),
    ],
)
def test_what_machine_and_template_will_not_take_is_refused_before_the_night(
    planned: Planner, tmp_path: Path, more: str, says: str
) -> None:
    template = (STATIONS / "templates" / "mpms-xl-sim.seq").read_bytes()
    (tmp_path / "stations/templates/mpms-xl-sim.seq").write_bytes(template)
    station = (STATIONS / "mpms-xl-sim.toml").read_text(encoding="utf-8")
    station = re.sub(r"^calibration = .*\n", "", station, flags=re.MULTILINE)
    (found,) = _refused(planned, f"  - {ZFC[:-1]}, {more}}}", station=station)
    assert found.startswith("night.yaml:6:5: ")
    assert says in found
    assert not (tmp_path / "multivu").exists()  # a look makes no folders


def test_a_film_without_an_axis_is_warned_of(planned: Planner) -> None:
    film = BAR.replace('"bar"', '"film"')
    plan = planned(f"  - {ZFC}", sample=film)
    assert any("L081: the film f is mounted without an axis" in text for text in plan.messages)
    axis = film + '[mounting.flat]\nfield_along = "film normal"\naxis = "thickness"\n'
    plan = planned(f"  - {ZFC}", sample=axis)
    assert not any("L081" in text for text in plan.messages)


def test_a_sample_that_lacks_what_the_morning_needs_is_warned_of_once(planned: Planner) -> None:
    sized = BAR.replace('shape = "bar"', 'shape = "bar", length = "5 mm", width = "1 mm", thickness = "1 mm"')
    mounted = sized + '[mounting.long]\nfield_along = "long axis"\naxis = "length"\n'
    for sample, lacks in (
        (BAR, "the sample file has no geometry.length"),
        (sized, "the mounting has no axis"),
        (mounted, None),
    ):
        texts = [
            text for text in planned(f"  - {ZFC}\n  - {VIRGIN}", sample=sample).messages if "L082" in text
        ]
        assert len(texts) == (lacks is not None)
        assert all(
            f"L082: f will have moments and no Hc1 or susceptibility inside: {lacks}" in text
            for text in texts
        )


def test_a_mounting_that_the_twin_does_not_know_is_warned_of(planned: Planner) -> None:
    for axis, warned in (("length", False), ("thickness", True)):
        mounting = f'[mounting.so]\nfield_along = "x"\naxis = "{axis}"\n'
        sample = BAR + mounting + '[virtual]\nmodel = "nanocomposite"\n'
        texts = planned(f"  - {ZFC}", sample=sample).messages
        assert (
            any("L085: the virtual nanocomposite has the field along its length" in t for t in texts)
            is warned
        )


def test_an_approach_that_overshoots_and_a_short_wait_are_warned_of(planned: Planner) -> None:
    steps = "  - zfc_fc: {field: 1 T, temperature: [5 K, 9 K], magnet: {approach: linear, then_wait: 60 s}}"
    texts = " ".join(planned(steps).messages)
    assert "L034: the field is approached linear" in texts
    assert "L035: 60 s after a change to 10000 Oe" in texts


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("calibration = 1\n[[entry]\n", "pd.toml:2:8: expected .*expected TOML"),
        (
            "calibration = 1\nentry = []\n",
            r"pd.toml:2:1: there is no \[\[entry\]\]; expected one for each way",
        ),
        (CALIBRATION.replace('"0.1 Oe"', '"0 Oe"'), "pd.toml:6:1: uncertainty = 0 Oe is not above zero"),
    ],
)
def test_a_broken_calibration_is_refused_with_its_line_and_that_of_the_station(
    planned: Planner, tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "stations/pd.toml").write_text(content, encoding="utf-8")
    found = _refused(planned, f"  - {ZFC}", station=MPMS3 + 'calibration = "pd.toml"\n')
    assert found[0].startswith("night.yaml:6:5: stations/s.toml:33:1: the calibration cannot be used: ")
    assert re.search(says, found[0]), found


def test_of_two_magnetometers_that_of_the_roles_has_the_sample(planned: Planner) -> None:
    squid = """[instruments.squid]
driver = "mpms_xl"
route = "multivu_sequence"
template = "templates/mpms3-sim.seq"
data = "../multivu/squid"

[roles]"""
    station = MPMS3.replace("[roles]", squid)
    assert [one.magnetometer for one in _measurements(planned(f"  - {ZFC}", station=station))] == ["mpms"]
    head = HEAD.replace("sample: f", "sample: {squid: f}")
    assert _refused(planned, f"  - {ZFC}", station=station, head=head)[0] == (
        "night.yaml:3:10: 'squid' is no wiring of the station, nor its magnetometer; expected mpms"
    )


def test_a_moment_beyond_the_range_is_warned_of_where_all_of_the_field_is_screened(planned: Planner) -> None:
    bar = BAR.replace(
        '"bar" }', '"bar", length = "8 mm", width = "4 mm", thickness = "4 mm", demagnetisation = 0.2 }'
    )
    step = "  - zfc_fc: {field: [200 Oe, 1 T], temperature: [5 K, 9 K]}"
    # 1e4 Oe on 0.128 cm3 with N = 0.2: 1e4 x 0.128 / (4 pi x 0.8) = 127.3 emu
    (found,) = [text for text in planned(step, sample=bar).messages if "emu" in text]
    assert found == (
        "night.yaml:6:30: f would have a moment of 127 emu if it screened all of 10000 Oe, beyond 10 emu, "
        "the range of the MPMS3; take a smaller field or a smaller piece"
    )
    for harmless in ({"sample": BAR}, {"sample": bar.replace('"8 mm"', '"0.1 mm"')}):
        assert not any("emu" in text for text in planned(step, **harmless).messages)
    loop = "  - magnetization: {curve: loop, temperature: 5 K, field: 0..1 T step 1 kOe}"
    assert not any("emu" in text for text in planned(loop, sample=bar).messages)
