"""The keys of the blocks of susceptibility, contacts and V(I): what becomes of each, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from onnes.procedures.measurement import Measurement
from onnes.runner import block_parts, blocks
from onnes.runner.plan import Measure, make_plan
from tests.runner.every_wiring import HEAD, SAMPLE, checked, refused

BLOCKS = {
    "ac_susceptibility": "temperature: 10..40 K step 1 K, amplitude: 1 Oe, frequency: 97 Hz",
    "point_contact": "temperature: 2 K, bias: -10..10 mV step 5 mV, normal_at: 45 K",
    "current_voltage": "temperature: 2 K, current: 0..1 mA points 3",
    "contact_check": "wiring: film, current: 100 uA",
}


def _step(block: str, given: str = "", own: str | None = None) -> str:
    """Return a step of a block with a key beside those it cannot do without, or in their place."""
    kept = BLOCKS[block] if own is None else own
    key = given.partition(":")[0]
    parts = [part for part in kept.split(", ") if not key or not part.startswith(f"{key}:")]
    return f"{block}: {{{', '.join(filter(None, (*parts, given)))}}}"


def _measurements(folder: Path, *steps: str, head: str = HEAD) -> list[Measurement]:
    assert checked(folder, *steps, head=head).errors == ()
    return [
        step.action.measurement
        for step in make_plan(folder / "night.yaml").steps
        if isinstance(step.action, Measure)
    ]


def _taken(folder: Path, step: str, name: str, head: str = HEAD) -> Any:
    """Return a parameter of the one measurement that a step stands for; JSON as what it says."""
    (measurement,) = _measurements(folder, step, head=head)
    value = getattr(measurement, name)
    return json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value


TAKEN = [
    ("ac_susceptibility", "temperature: [5 K, 6 K]", "temperature_program", {"setpoints_k": [5.0, 6.0]}),
    (
        "ac_susceptibility",
        "temperature: {sweep: 45..5 K, rate: 0.5 K/min, every: 10 s}",
        "temperature_program",
        {"sweep_k": [45.0, 5.0], "rate_k_per_min": 0.5, "every_s": 10.0},
    ),
    ("ac_susceptibility", "amplitude: [20 uT, 1 Oe peak, 2 Oe rms]", "amplitudes_oe", [0.2, 1.0, 8**0.5]),
    ("ac_susceptibility", "frequency: [10 Hz, 1 kHz]", "frequencies_hz", [10.0, 1000.0]),
    (
        "ac_susceptibility",
        "frequency: 10 Hz..1 kHz points 3 spaced log",
        "frequencies_hz",
        [10.0, 100.0, 1000.0],
    ),
    ("ac_susceptibility", "dc_field: [0 Oe, 1 T]", "fields_oe", [0.0, 10000.0]),
    ("ac_susceptibility", "heating_check: false", "heating_check", False),
    ("ac_susceptibility", "phase: stored", "phase", {}),
    (
        "ac_susceptibility",
        "phase: {calibrate_at: 8 K}",
        "phase",
        {"calibrate_at_k": 8.0, "background_at_k": 40.0},
    ),
    ("ac_susceptibility", "harmonics: [1, 3]", "harmonics", [1, 3]),
    ("ac_susceptibility", "average: 4", "average", 4),
    ("ac_susceptibility", "settle: {for: 40 s}", "settle", {"for_s": 40.0}),
    (
        "ac_susceptibility",
        "magnet: {approach: no_overshoot}",
        "magnet",
        {"approach": "no_overshoot"},
    ),
    (
        "ac_susceptibility",
        "prepare: {warm_to: 60 K}",
        "prepare",
        {"warm_to_k": 60.0, "cool_rate_k_per_min": 10.0, "degauss_from_oe": 10000.0},
    ),
    ("ac_susceptibility", "wiring: coil", "wiring", "coil"),
    ("point_contact", "temperature: [2 K, 4 K]", "temperatures", [2.0, 4.0]),
    ("point_contact", "bias: [-1 mV, 0 V, 500 uV]", "biases_v", [-1e-3, 0.0, 5e-4]),
    ("point_contact", "field: [0 T, 1 T]", "fields_oe", [0.0, 10000.0]),
    ("point_contact", "modulation: 0.1 mV rms", "modulation_v", 1e-4),
    ("point_contact", "modulation: 0.2 mV peak", "modulation_v", pytest.approx(2e-4 / 2**0.5)),
    ("point_contact", "both_directions: false", "both_directions", False),
    ("point_contact", "normal_at: 50 K", "normal_at_k", 50.0),
    ("point_contact", "settle_tau: 5", "settle_tau", 5.0),
    (
        "point_contact",
        "lockin: {frequency: 1.1 kHz, time_constant: 100 ms, slope: 12 dB, settle: 99.99 %, sync: false}",
        "lockin",
        {"frequency_hz": 1100.0, "time_constant_s": 0.1, "slope_db": 12, "settle": 0.9999, "sync": False},
    ),
    ("current_voltage", "temperature: [2 K, 4 K]", "temperatures", [2.0, 4.0]),
    ("current_voltage", "current: [0 A, 10 uA, 1 mA]", "currents_a", [0.0, 1e-5, 1e-3]),
    ("current_voltage", "field: 1 T", "fields_oe", [10000.0]),
    ("current_voltage", "both_polarities: true", "both_polarities", True),
    ("current_voltage", "pulse: 5 ms", "pulse_s", 0.005),
    ("current_voltage", "criterion: 10 uV/cm", "criterion_v", pytest.approx(2e-6)),  # over 2 mm
    ("current_voltage", "stop_at: 20", "stop_at", 20.0),
    ("current_voltage", "average: 3", "average", 3),
    ("contact_check", "current: 20 uA", "current_a", 2e-5),
    ("contact_check", "wiring: film", "wiring", "film"),
]


@pytest.mark.parametrize(("block", "given", "name", "expected"), TAKEN, ids=[row[1] for row in TAKEN])
def test_a_key_of_a_block_becomes_a_parameter_of_its_measurement(
    tmp_path: Path, block: str, given: str, name: str, expected: Any
) -> None:
    taken = _taken(tmp_path, _step(block, given), name)
    if isinstance(expected, list):
        assert taken == pytest.approx(expected)
    else:
        assert taken == expected


def test_zero_bias_takes_a_sweep_of_temperature_one_way_or_both(tmp_path: Path) -> None:
    own = "temperature: {sweep: 50..2 K, rate: 1 K/min, every: 0.5 K}, zero_bias: true"
    program = _taken(tmp_path, _step("point_contact", own=own), "temperature_program")
    assert program == {"sweep_k": [50.0, 2.0], "rate_k_per_min": 1.0, "every_k": 0.5}
    assert _taken(tmp_path, _step("point_contact", own=own), "both_directions") is False
    assert _taken(tmp_path, _step("point_contact", "both_directions: true", own), "both_directions") is True


def test_what_nobody_gives_is_what_the_block_says(tmp_path: Path) -> None:
    (contact, curve, coil) = _measurements(
        tmp_path, *map(_step, ("point_contact", "current_voltage", "ac_susceptibility"))
    )
    assert (contact.both_directions, contact.modulation_v) == (True, 2e-4)
    assert (curve.both_polarities, curve.pulse_s, curve.stop_at) == (True, 0.0, 10.0)
    assert curve.criterion_v == pytest.approx(2e-7)  # 1 uV/cm over 2 mm
    assert (coil.heating_check, coil.harmonics, coil.fields_oe) == (True, "[1]", "[0.0]")


@pytest.mark.parametrize("block", BLOCKS)
def test_defaults_of_a_block_stand_behind_it(tmp_path: Path, block: str) -> None:
    head = HEAD.replace("steps:", f"defaults: {{{block}: {{{BLOCKS[block]}}}}}\nsteps:")
    (measurement,) = _measurements(tmp_path, f"{block}: {{}}", head=head)
    assert measurement.label() == _measurements(tmp_path, _step(block))[0].label()


def test_lockin_of_the_defaults_is_read_key_by_key(tmp_path: Path) -> None:
    head = HEAD.replace("steps:", "defaults: {lockin: {frequency: 77.7 Hz, slope: 18 dB}}\nsteps:")
    step = _step("point_contact", "lockin: {slope: 12 dB}")
    assert _taken(tmp_path, step, "lockin", head) == {"frequency_hz": 77.7, "slope_db": 12}


# -- loops


LOOPS = [
    ("ac_susceptibility", "amplitude: [0.2 Oe, 1 Oe rms]", "amplitudes_oe", ["[0.2]", f"[{2**0.5}]"]),
    (
        "ac_susceptibility",
        "frequency: 10 Hz..1 kHz points 3 spaced log",
        "frequencies_hz",
        ["[10.0]", "[100.0]", "[1000.0]"],
    ),
    ("ac_susceptibility", "dc_field: [0 Oe, 1 T]", "fields_oe", ["[0.0]", "[10000.0]"]),
    (
        "point_contact",
        "bias: [-5..5 mV step 5 mV, 0..10 mV step 10 mV]",
        "biases_v",
        ["[-0.005,0.0,0.005]", "[0.0,0.01]"],
    ),
    ("point_contact", "modulation: [0.1 mV rms, 0.2 mV rms]", "modulation_v", [1e-4, 2e-4]),
    ("point_contact", "field: [0 T, 1 T]", "fields_oe", ["[0.0]", "[10000.0]"]),
    ("point_contact", "temperature: [2 K, 4 K]", "temperatures", ["[2.0]", "[4.0]"]),
    ("point_contact", "normal_at: [45 K, 50 K]", "normal_at_k", [45.0, 50.0]),
    ("current_voltage", "pulse: [1 ms, 5 ms]", "pulse_s", [0.001, 0.005]),
    ("contact_check", "current: [10 uA, 20 uA]", "current_a", [1e-5, 2e-5]),
]


@pytest.mark.parametrize(("block", "loop", "name", "expected"), LOOPS, ids=[row[1] for row in LOOPS])
def test_a_loop_fills_a_key_in_pass_by_pass(
    tmp_path: Path, block: str, loop: str, name: str, expected: list[Any]
) -> None:
    key = loop.partition(":")[0]
    own = ", ".join(part for part in BLOCKS[block].split(", ") if not part.startswith(f"{key}:"))
    found = _measurements(tmp_path, f"for: {{{loop}}}\n    do: [{block}: {{{own}}}]")
    assert [getattr(measurement, name) for measurement in found] == expected


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ("amplitude: [0 Oe, 1 Oe]", "7:23: '0 Oe' reaches 0 or below; expected a field in "),
        ("frequency: [10 Hz, -1 Hz]", "7:30: '-1 Hz' reaches 0 or below; expected a frequency in "),
        ("current: [0 A]", "7:21: '0 A' reaches 0 or below; expected a current in "),
        ("bias: 1 mV", "7:17: the values of 'bias' are no list of words; expected e.g. "),
        ("modulation: [0 mV rms]", "7:24: '0 mV rms' is not above 0; expected a voltage with the word; "),
        ("phase: [stored]", "7:11: no block takes the key 'phase' of this for; expected one of "),
    ],
)
def test_a_loop_over_what_cannot_be_is_refused_where_it_stands(tmp_path: Path, loop: str, said: str) -> None:
    block = "contact_check" if loop.startswith("current") else "point_contact"
    block = "ac_susceptibility" if loop[0] in "af" else block
    own = ", ".join(part for part in BLOCKS[block].split(", ") if part.split(":")[0] != loop.split(":")[0])
    (found,) = refused(tmp_path, f"for: {{{loop}}}\n    do: [{block}: {{{own}}}]")
    assert found.startswith(said)


# -- what is refused


ONE_WAY = (
    "is one value or turns; expected several that go one way, 'both_directions' takes them back again; e.g. "
    "'-20..20 mV step 0.1 mV'"
)
REFUSED = [
    (
        "ac_susceptibility",
        "amplitude: 0 Oe",
        "'0 Oe' reaches 0 or below; expected a field in Oe, kOe, T, mT, uT or G; e.g. '5 Oe'",
    ),
    (
        "ac_susceptibility",
        "amplitude: 1 V",
        "'1 V' is a voltage; expected a field in Oe, kOe, T, mT, uT or G; e.g. '5 Oe'",
    ),
    (
        "ac_susceptibility",
        "frequency: 97",
        "'97' has no unit; expected a frequency; e.g. '97 Hz'",
    ),
    (
        "ac_susceptibility",
        "frequency: 0..1 kHz step 100 Hz",
        "'0..1 kHz step 100 Hz' reaches 0 or below; expected a frequency in Hz, kHz or mHz; e.g. '17.77 Hz'",
    ),
    (
        "ac_susceptibility",
        "heating_check: no",
        "'no' is neither true nor false; expected true or false, without quotes",
    ),
    ("ac_susceptibility", "harmonics: []", None),
    ("ac_susceptibility", "harmonics: [0]", "'0' is no whole number from 1 to 100000; e.g. 10"),
    ("ac_susceptibility", "phase: measured", None),
    (
        "ac_susceptibility",
        "averaging: 0 s",
        "'0 s' is not above 0; expected a time in s, ms, min or h; e.g. '60 s'",
    ),
    (
        "point_contact",
        "bias: 5 K",
        "'5 K' is a temperature; expected a voltage in V, mV, uV or nV; e.g. '50 mV'",
    ),
    (
        "point_contact",
        "bias: 5 mV",
        f"the bias '5 mV' {ONE_WAY}",
    ),
    (
        "point_contact",
        "bias: [0..5 mV step 1 mV, 4 mV]",
        f"the bias '0..5 mV step 1 mV' {ONE_WAY}",
    ),
    (
        "point_contact",
        "modulation: 0.2 mV",
        "'0.2 mV' does not say rms or peak; expected a voltage with the word; e.g. '0.2 mV rms'",
    ),
    (
        "point_contact",
        "modulation: 0 mV rms",
        "'0 mV rms' is not above 0; expected a voltage with the word; e.g. '0.2 mV rms'",
    ),
    (
        "point_contact",
        "modulation: [0.2 mV rms]",
        "a list is no quantity; expected a voltage with the word; e.g. '0.2 mV rms'",
    ),
    (
        "point_contact",
        "modulation: 1 K rms",
        "'1 K' is a temperature; expected a voltage in V, mV, uV or nV; e.g. '50 mV'",
    ),
    ("point_contact", "settle_tau: 0", "'0' is no whole number from 1 to 100000; e.g. 10"),
    ("point_contact", "method: reversal", None),
    (
        "current_voltage",
        "current: -1..1 mA points 3",
        "'-1..1 mA points 3' goes below 0; expected a current in A, mA, uA or nA; e.g. '100 uA'",
    ),
    (
        "current_voltage",
        "pulse: 0 ms",
        "'0 ms' is not above 0; expected a time in s, ms, min or h; e.g. '60 s'",
    ),
    (
        "current_voltage",
        "criterion: 1 uV",
        "'1 uV' is a voltage; expected an electric field in uV/cm; e.g. '1 uV/cm'",
    ),
    ("current_voltage", "stop_at: 1.5", "'1.5' is no whole number from 1 to 100000; e.g. 10"),
    (
        "current_voltage",
        "both_polarities: 1",
        "'1' is neither true nor false; expected true or false, without quotes",
    ),
    (
        "contact_check",
        "current: 0 A",
        "'0 A' is not above 0; expected a current in A, mA, uA or nA; e.g. '100 uA'",
    ),
    ("contact_check", "pairs: all", None),
]


@pytest.mark.parametrize(("block", "given", "said"), REFUSED, ids=[row[1] for row in REFUSED])
def test_a_wrong_value_is_refused_at_its_place_with_what_is_expected(
    tmp_path: Path, block: str, given: str, said: str | None
) -> None:
    step = _step(block, given)
    (found,) = refused(tmp_path, step)
    place, _, text = found.partition(" ")
    column = 5 + step.index(given) + given.index(": ") + 2
    inside = given[given.index(": ") + 2] == "[" and place != f"7:{column}:"
    assert place == f"7:{column + inside}:"
    assert text == said if said is not None else "expected" in text


@pytest.mark.parametrize(
    ("block", "given"),
    [
        ("point_contact", "average: 10"),
        ("point_contact", "current: 1 uA"),
        ("current_voltage", "both_directions: true"),
        ("current_voltage", "modulation: 1 mV rms"),
        ("contact_check", "magnet: {}"),
        ("contact_check", "prepare: {}"),
        ("contact_check", "settle: {}"),
        ("ac_susceptibility", "history: path"),
        ("ac_susceptibility", "both_directions: true"),
    ],
)
def test_a_key_that_a_block_would_not_use_is_unknown_in_it(tmp_path: Path, block: str, given: str) -> None:
    step = _step(block, given)
    (found,) = refused(tmp_path, step)
    key = given.partition(":")[0]
    assert found.startswith(f"7:{5 + step.index(given)}: unknown key '{key}' in {block}; expected one of ")


@pytest.mark.parametrize("given", ["pairs: operator", "pairs: switch", "max_resistance: 100 ohm"])
def test_pairs_of_contacts_are_refused_before_the_night(tmp_path: Path, given: str) -> None:
    assert refused(tmp_path, _step("contact_check", given)) == [
        f"7:5: '{given.partition(':')[0]}' is of the two-wire resistances of pairs of contacts, which are "
        "still to come; leave it out, and measure them by hand"
    ]


@pytest.mark.parametrize("own", ["temperature: 2 K", f"{BLOCKS['point_contact']}, zero_bias: true"])
def test_a_contact_takes_exactly_one_of_bias_and_zero_bias(tmp_path: Path, own: str) -> None:
    assert refused(tmp_path, _step("point_contact", own=own)) == [
        "7:5: point_contact takes exactly one of bias and zero_bias; e.g. 'bias: -20..20 mV step 0.1 mV' or "
        "'zero_bias: true'"
    ]


def test_a_bias_in_a_sweep_of_temperature_is_refused(tmp_path: Path) -> None:
    swept = _step("point_contact", "temperature: {sweep: 50..2 K, rate: 1 K/min, every: 1 K}")
    assert refused(tmp_path, swept) == [
        "7:5: point_contact with a bias settles at single temperatures; e.g. '[2 K, 5 K]', or "
        "'zero_bias: true' with a sweep"
    ]


@pytest.mark.parametrize(
    ("block", "missing", "example"),
    [
        ("ac_susceptibility", "temperature", "34..40 K step 50 mK"),
        ("ac_susceptibility", "amplitude", "[0.1 Oe, 1 Oe]"),
        ("ac_susceptibility", "frequency", "97 Hz"),
        ("point_contact", "temperature", "[2 K, 5 K, 10 K]"),
        ("current_voltage", "temperature", "[2 K, 4 K]"),
        ("current_voltage", "current", "0..1 mA points 41"),
        ("contact_check", "current", "100 uA"),
    ],
)
def test_what_a_block_cannot_do_without_is_asked_for(
    tmp_path: Path, block: str, missing: str, example: str
) -> None:
    own = ", ".join(part for part in BLOCKS[block].split(", ") if not part.startswith(missing))
    found = refused(tmp_path, _step(block, own=own))
    assert len(found) == 1
    assert found[0].startswith(
        f"7:5: {block} without '{missing}'; expected it here or in defaults; e.g. '{missing}: {example}'"
    )


def test_one_polarity_alone_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert refused(tmp_path, _step("current_voltage", "both_polarities: false")) == [
        "7:5: Both polarities is false, but the voltage is measured by reversal of the current, which takes "
        "thermal EMFs out; leave it true"
    ]


def test_a_criterion_without_a_distance_of_the_contacts_is_refused(tmp_path: Path) -> None:
    sample = SAMPLE.replace(', length = "2 mm"', "")
    assert refused(tmp_path, _step("current_voltage"), sample=sample) == [
        "7:5: current_voltage stops by a criterion of 1 uV/cm, and the sample has no geometry.length, the "
        "distance of its voltage contacts; give it in the sample file"
    ]


def test_every_key_of_these_blocks_is_tried_here() -> None:
    tried = {(row[0], str(row[1]).partition(":")[0]) for row in (*TAKEN, *REFUSED)}
    tried |= {("point_contact", "zero_bias"), ("contact_check", "max_resistance")}
    shared = {"wiring", "settle", "magnet", "prepare", "history"}  # as in every block
    for name in BLOCKS:
        for key in block_parts.keys_of(blocks.BLOCKS[name]):
            assert key in shared or (name, key) in tried, f"{key} of {name}"
