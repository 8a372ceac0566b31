"""What is unwise or beyond an instrument in electrical and ac blocks, each rule once said and once silent."""

from pathlib import Path

import pytest

from onnes.runner.check import check_sequence
from onnes.runner.electrical_lint import near_mains, usual_power_w
from tests.runner.every_wiring import HEAD, SAMPLE, STATION, checked, refused, warned, where_and_what

STATIONS = Path(__file__).parents[2] / "examples/stations"
_AC = "ac_susceptibility: {temperature: 10..40 K step 1 K, amplitude: 1 Oe, frequency: 97 Hz}"
_CURVE = "point_contact: {temperature: 2 K, bias: -10..10 mV step 0.1 mV, normal_at: 45 K}"


def _with(block: str, **keys: str) -> str:
    """Return a step with these keys instead of its own, or beside them."""
    name, _, body = block.partition(": {")
    own = dict(part.split(": ", 1) for part in body.removesuffix("}").split(", "))
    return f"{name}: {{{', '.join(f'{key}: {value}' for key, value in (own | keys).items())}}}"


# -- L005: what the station does not have


def test_a_block_without_a_wiring_that_measures_its_quantity_is_refused(tmp_path: Path) -> None:
    head = HEAD.replace(", contact: ./f.toml, coil: ./f.toml", "")
    assert refused(tmp_path, _CURVE, _AC, head=head) == [
        "7:5: L005: no wiring of the station every with a sample measures conductance",
        "8:5: L005: no wiring of the station every with a sample measures susceptibility",
    ]


def test_a_block_on_a_wiring_that_measures_another_quantity_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, _with(_CURVE, wiring="film")) == [
        "7:5: L005: point_contact needs a wiring that measures conductance; 'film' measures resistance"
    ]


def test_a_block_on_a_wiring_without_a_sample_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    assert refused(tmp_path, _with(_CURVE, wiring="contakt")) == [
        "7:5: no sample is on the wiring 'contakt'; expected one of film, contact, coil; did "
        "you mean 'contact'?"
    ]


@pytest.mark.parametrize(
    ("block", "wiring", "own", "other"),
    [
        (_CURVE, "contact", "lock_in", "differential"),
        ("resistivity: {temperature: 10 K, current: 1 mA}", "film", "reversal", "delta"),
    ],
)
def test_another_method_than_the_wiring_has_is_refused_and_its_own_is_not(
    tmp_path: Path, block: str, wiring: str, own: str, other: str
) -> None:
    assert refused(tmp_path, _with(block, method=own)) == []
    assert refused(tmp_path, _with(block, method=other)) == [
        f"7:5: L005: method '{other}' on the wiring '{wiring}', which measures by '{own}'; leave the method "
        "out, or give the station a wiring for it"
    ]


def test_a_time_of_averaging_is_refused_through_a_coil(tmp_path: Path) -> None:
    assert refused(tmp_path, _with(_AC, averaging="3 s")) == [
        "7:5: L005: 'averaging' is for another kind of station; through a coil readings are counted: "
        "'average: 10'"
    ]


# -- L050 to L057: contacts and currents


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (
            "resistivity: {temperature: 10 K, current: 200 mA}",
            "7:47: 200 mA is above 100 mA, the most allowed ({sample}:4 limits.current); lower the current",
        ),
        (
            "resistivity: {temperature: 10 K, current: 200 mA}",
            "7:47: 400 mW, 200 mA through the expected 10 ohm, is above 200 mW, the most allowed "
            "({sample}:4 limits.power); lower the power",
        ),
        (
            "current_voltage: {temperature: 2 K, current: 0..120 mA step 10 mA}",
            "7:50: 120 mA of '0..120 mA step 10 mA' is above 100 mA, the most allowed "
            "({sample}:4 limits.current); lower the current",
        ),
        (
            _with(_CURVE, bias="-3..3 V step 10 mV"),
            "7:45: -3000 mV of '-3..3 V step 10 mV' is below -2000 mV, the least allowed "
            "({sample}:4 limits.voltage); raise the voltage",
        ),
        (
            _with(_CURVE, bias="-1.5..1.5 V step 10 mV"),
            "7:45: 225 mW, 1500 mV over the expected 10 ohm, is above 200 mW, the most allowed "
            "({sample}:4 limits.power); lower the power",
        ),
    ],
)
def test_a_current_a_voltage_or_a_power_beyond_the_sample_is_refused_where_it_was_typed(
    tmp_path: Path, block: str, said: str
) -> None:
    found = refused(tmp_path, block)
    shown = said.format(sample=tmp_path / "f.toml")
    assert shown in found


def test_what_a_sample_stands_is_not_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "resistivity: {temperature: 10 K, current: 100 mA}") == []
    assert refused(tmp_path, _CURVE) == []


def test_a_contact_check_is_refused_where_twice_its_current_is_beyond_the_sample(tmp_path: Path) -> None:
    # L050
    sample = f"({tmp_path / 'f.toml'}:4 limits."
    twice = "L050: 120 mA, twice 60 mA for the check of the contacts,"
    loose = SAMPLE.replace('"200 mW"', '"1 W"')
    assert refused(tmp_path, "contact_check: {wiring: film, current: 60 mA}", sample=loose) == [
        f"7:44: {twice} is above 100 mA, the most allowed {sample}current); lower the current"
    ]
    weak = loose.replace('"1 W"', '"50 mW"')
    assert refused(tmp_path, "contact_check: {wiring: film, current: 50 mA}", sample=weak) == [
        "7:44: L050: 100 mW, 100 mA through the expected 10 ohm, twice 50 mA for the check of the contacts, "
        f"is above 50 mW, the most allowed {sample}power); lower the power"
    ]
    narrow = loose.replace('"2 V"', '"0.9 V"')
    assert refused(tmp_path, "contact_check: {wiring: film, current: 50 mA}", sample=narrow) == [
        "7:44: L050: 1 V, 100 mA through the expected 10 ohm, twice 50 mA for the check of the contacts, is "
        f"above 0.9 V, the most allowed {sample}voltage); lower the voltage"
    ]
    assert refused(tmp_path, "contact_check: {wiring: film, current: 50 mA}", sample=loose) == []


def test_a_power_above_the_usual_at_the_lowest_temperature_is_said(tmp_path: Path) -> None:
    # L051
    assert warned(tmp_path, "resistivity: {temperature: [10 K, 2 K], current: 1 mA}") == [
        "7:5: L051: 1e-05 W at 2 K, 0.001 A through the expected 10 ohm, is above the usual 1e-06 W; take at "
        "most 0.00032 A"
    ]
    assert warned(tmp_path, "resistivity: {temperature: [10 K, 2 K], current: 300 uA}") == []
    assert warned(tmp_path, "resistivity: {temperature: 200 K, current: 1 mA}") == []


@pytest.mark.parametrize(("kelvin", "watt"), [(1.9, 1e-7), (2.0, 1e-6), (24.4949, 1e-5), (400.0, 1e-4)])
def test_the_usual_power_is_interpolated_between_2_and_300_k(kelvin: float, watt: float) -> None:
    assert usual_power_w(kelvin) == pytest.approx(watt, rel=1e-4)


@pytest.mark.parametrize("kelvin", ["4 K", "[4 K, 5 K]", "[4 K, 5 K, 6 K]"])
def test_isotherms_that_allow_no_scaling_are_said(tmp_path: Path, kelvin: str) -> None:
    # L040
    said = warned(tmp_path, f"isotherms: {{temperature: {kelvin}, field: [0 T, 1 T], current: 1 mA}}")
    assert [line for line in said if "allow no scaling: it takes 3 at least over a factor 2" in line]
    enough = warned(tmp_path, "isotherms: {temperature: [2 K, 3 K, 4 K], field: [0 T, 1 T], current: 1 mA}")
    assert not [line for line in enough if "L040" in line]


def test_a_voltage_near_the_compliance_is_said_also_at_twice_the_current_of_a_check(tmp_path: Path) -> None:
    # L053
    assert warned(tmp_path, "resistivity: {temperature: 300 K, current: 90 mA}")[-1] == (
        "7:5: L053: 0.9 V, 0.09 A through the expected 10 ohm, is above 80% of the compliance of 1 V; take "
        "less current"
    )
    assert not [
        line
        for line in warned(tmp_path, "resistivity: {temperature: 300 K, current: 80 mA}")
        if "L053" in line
    ]
    loose = SAMPLE.replace('"200 mW"', '"1 W"')
    (said,) = warned(tmp_path, "contact_check: {wiring: film, current: 45 mA}", sample=loose)
    assert said.startswith("7:5: L053: 0.9 V, 0.09 A through")
    assert warned(tmp_path, "contact_check: {wiring: film, current: 40 mA}", sample=loose) == []


@pytest.mark.parametrize("hertz", ["50.4 Hz", "60 Hz", "25 Hz", "16.7 Hz", "20.1 Hz", "2400.3 Hz", "1050 Hz"])
def test_a_lock_in_near_a_multiple_or_a_divisor_of_the_mains_is_said(tmp_path: Path, hertz: str) -> None:
    # L054
    (said,) = warned(tmp_path, _with(_CURVE, lockin=f"{{frequency: {hertz}}}"))
    assert said.startswith(f"7:5: L054: {hertz} is within 0.5 Hz of ")
    assert said.endswith(" Hz; take another, e.g. 17.77 Hz")


@pytest.mark.parametrize("hertz", [17.77, 13.1, 50.6, 77.7, 433.0, 1023.0])
def test_a_lock_in_away_from_the_mains_is_silent(tmp_path: Path, hertz: float) -> None:
    assert near_mains(hertz) == ""
    assert warned(tmp_path, _with(_CURVE, lockin=f"{{frequency: {hertz} Hz}}")) == []


def test_ac_susceptibility_may_be_measured_at_the_mains(tmp_path: Path) -> None:
    assert warned(tmp_path, _with(_AC, frequency="50 Hz", phase="{calibrate_at: 10 K}")) == []


def test_a_modulation_wider_than_half_the_thermal_width_is_said(tmp_path: Path) -> None:
    # L055: 0.5 x 3.53 k x 2 K / e = 0.304 mV
    assert warned(tmp_path, _with(_CURVE, modulation="0.31 mV rms")) == [
        "7:5: L055: a modulation of 0.31 mV rms is above half the thermal width at 2 K, 0.3 mV; take "
        "at most that"
    ]
    assert warned(tmp_path, _with(_CURVE, modulation="0.3 mV rms")) == []
    assert warned(tmp_path, _with(_CURVE, modulation="0.42 mV peak")) == []
    assert "0.311 mV rms" in warned(tmp_path, _with(_CURVE, modulation="0.44 mV peak"))[0]


def test_the_default_modulation_is_judged_too(tmp_path: Path) -> None:
    cold = _with(_CURVE, temperature="1.9 K")
    assert warned(tmp_path, cold) == []  # 0.2 mV of 0.289
    assert warned(tmp_path, _with(cold, modulation="0.29 mV rms")) != []


def test_a_bias_that_ends_before_three_gaps_is_said(tmp_path: Path) -> None:
    # L056
    assert warned(tmp_path, _with(_CURVE, bias="-20..6.8 mV step 0.1 mV")) == [
        "7:5: L056: the bias, -20 .. 6.8 mV, ends before 3 expected gaps, 6.9 mV on either side; a fit needs "
        "what is beyond"
    ]
    assert warned(tmp_path, _with(_CURVE, bias="-6.9..6.9 mV step 0.1 mV")) == []
    without = SAMPLE.replace(', gap = "2.3 mV"', "")
    assert warned(tmp_path, _with(_CURVE, bias="-1..1 mV step 0.1 mV"), sample=without) == []


def test_a_contact_without_a_curve_above_tc_is_said(tmp_path: Path) -> None:
    # L056
    assert warned(tmp_path, "point_contact: {temperature: 2 K, bias: -10..10 mV step 0.1 mV}") == [
        "7:5: L056: no 'normal_at': without a curve above Tc the conductance is normalised at high bias alone"
    ]
    assert warned(tmp_path, _with(_CURVE, normal_at="38 K")) == [
        "7:5: L056: normal_at = 38 K is not above the expected Tc, 38 K; raise it"
    ]
    assert warned(tmp_path, _with(_CURVE, normal_at="38.1 K")) == []


def test_a_check_of_the_contacts_that_is_declined_is_said_with_the_reason(tmp_path: Path) -> None:
    # L057
    step = "resistivity: {temperature: 10 K, current: 100 uA}"
    (declined,) = checked(tmp_path, step).messages
    where = f"{tmp_path / 'night.yaml'}:5:1:"
    assert declined == f"{where} L057: contact_check is declined: nothing is mounted"
    asked = checked(tmp_path, step, head=HEAD.replace("{declined: nothing is mounted}", "auto"))
    assert asked.messages == ()
    assert asked.plan is not None
    assert [step.name for step in asked.plan.steps] == ["contact_check 100uA", "resistivity 0Oe"]


# -- L060 to L063: ac susceptibility


def test_a_drive_beyond_the_record_of_a_coil_is_refused_where_it_was_typed(tmp_path: Path) -> None:
    # L060
    calibrated = _with(_AC, phase="{calibrate_at: 10 K}")
    then = "; change it, or measure with another option"
    coil = "the range set by the coil of wiring 'coil'"
    sine = f"[0.141421, 5] Oe, {coil} and the sine of the SR830{then}"
    assert refused(tmp_path, _with(calibrated, amplitude="[1 Oe, 10 Oe]")) == [
        f"7:75: L060: amplitude = 10 Oe peak is outside {sine}"
    ]
    assert refused(tmp_path, _with(calibrated, frequency="[97 Hz, 20 kHz]")) == [
        f"7:93: L060: frequency = 20000 Hz is outside [10, 10000] Hz, {coil}{then}"
    ]
    assert refused(tmp_path, _with(calibrated, amplitude="4 Oe rms")) == [
        f"7:68: L060: amplitude = 5.65685 Oe peak is outside {sine}"
    ]
    assert refused(tmp_path, _with(calibrated, amplitude="[1 Oe, 5 Oe peak]", frequency="10 kHz")) == []
    assert refused(tmp_path, _with(calibrated, amplitude="3.5 Oe rms")) == []


def test_each_drive_beyond_the_record_is_refused_once(tmp_path: Path) -> None:
    block = _with(_AC, amplitude="[10 Oe, 1 Oe]", frequency="[1 Hz, 97 Hz]", phase="{calibrate_at: 10 K}")
    found = refused(tmp_path, block)
    assert [line.partition(" is outside")[0] for line in found] == [
        "7:69: L060: amplitude = 10 Oe peak",
        "7:95: L060: frequency = 1 Hz",
    ]


_ONE = (
    "ac_susceptibility: {{temperature: 5..40 K step 1 K, amplitude: {} Oe, frequency: {} Hz, "
    "dc_field: {} Oe}}"
)


@pytest.mark.parametrize(("hertz", "dc"), [(10, 0), (97, 10)])
def test_amplitudes_of_blocks_that_differ_in_frequency_or_dc_field_are_refused(
    tmp_path: Path, hertz: int, dc: int
) -> None:
    # L061
    assert refused(tmp_path, _ONE.format("0.2", 97, 0), _ONE.format(1, hertz, dc)) == [
        f"8:5: L061: 1 Oe peak at {hertz} Hz in {dc} Oe here and 0.2 Oe peak at 97 Hz in 0 Oe in line 7 make "
        "no set of rectangles, which is of one frequency and one dc field; give one block both amplitudes"
    ]


def test_amplitudes_of_blocks_at_one_frequency_and_dc_field_are_allowed(tmp_path: Path) -> None:
    assert refused(tmp_path, _ONE.format("0.2", 97, 0), _ONE.format(1, 97, 0)) == []
    assert refused(tmp_path, _ONE.format(1, 10, 0), _ONE.format(1, 97, 0)) == []
    # what the paper does: a set of its own, and another amplitude for the shift with frequency
    assert (
        refused(tmp_path, _ONE.format("[0.2 Oe, 1]", 97, 10).replace("1] Oe", "1 Oe]"), _ONE.format(2, 10, 0))
        == []
    )


def test_amplitudes_not_from_small_to_large_are_said(tmp_path: Path) -> None:
    # L062
    calibrated = _with(_AC, phase="{calibrate_at: 10 K}")
    assert warned(tmp_path, _with(calibrated, amplitude="[1 Oe, 0.2 Oe]")) == [
        "7:5: L062: the amplitudes are not from small to large; a large one before a small one leaves flux "
        "in the sample and heats it"
    ]
    assert warned(tmp_path, _with(calibrated, amplitude="[0.2 Oe, 1 Oe]")) == []


def test_neither_a_phase_calibration_nor_a_cold_point_is_said(tmp_path: Path) -> None:
    # L063: half of 38 K
    warm = _with(_AC, temperature="19..40 K step 1 K")
    assert warned(tmp_path, warm) == [
        "7:5: L063: no phase calibration, and no point below half the expected Tc, 19 K; 0.5 deg leaks 0.9 % "
        "of the screening into the loss; say 'phase: {calibrate_at: 10 K}'"
    ]
    assert warned(tmp_path, _with(warm, phase="{calibrate_at: 10 K}")) == []
    assert warned(tmp_path, _with(_AC, temperature="18..40 K step 1 K")) == []
    unknown = SAMPLE.replace('tc = "38 K", ', "")
    assert warned(tmp_path, _with(warm, prepare="{warm_to: 50 K}"), sample=unknown) == []


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    answer = checked(tmp_path, _with(_AC, amplitude="10 Oe"), _with(_CURVE, method="differential"))
    assert [line.split(": ")[1] for line in where_and_what(tmp_path, answer.errors)] == ["L060", "L005"]


@pytest.mark.parametrize(
    ("station", "amplitude", "frequency", "what"),
    [
        ("mpms-xl-sim", "10 Oe", "10 Hz", "amplitude = 10 Oe peak"),
        ("mpms3-sim", "1 Oe", "2 kHz", "frequency = 2000 Hz"),
        ("mpms3-sim", "10 Oe", "1 kHz", ""),
    ],
)
def test_a_drive_beyond_the_option_of_a_magnetometer_is_refused(
    tmp_path: Path, station: str, amplitude: str, frequency: str, what: str
) -> None:
    # L060
    night = _magnetometer_night(tmp_path, f"amplitude: {amplitude}, frequency: {frequency}")
    errors = check_sequence(night, station=str(STATIONS / f"{station}.toml"), sample=None).errors
    assert [line for line in errors if "L060" in line] == [line for line in errors if what and what in line]
    assert len([line for line in errors if "L060" in line]) == bool(what)


@pytest.mark.parametrize("given", ["average: 3", "settle: {for: 60 s}", "wiring: coil"])
def test_what_a_magnetometer_does_by_itself_is_refused(tmp_path: Path, given: str) -> None:
    night = _magnetometer_night(tmp_path, f"amplitude: 1 Oe, frequency: 10 Hz, {given}")
    (found,) = check_sequence(night, station=str(STATIONS / "mpms3-sim.toml"), sample=None).errors
    key = given.partition(":")[0]
    assert found == f"{night}:6:5: L005: '{key}' is for another kind of station; mpms measures by itself"


def _magnetometer_night(folder: Path, given: str) -> Path:
    night = folder / "night.yaml"
    sample = STATIONS.parent / "samples" / "NC-01.toml"
    night.write_text(
        f"sequence: 1\nsample: {sample}\nmounting: long_axis\nfinish: {{field: 0 Oe}}\nsteps:\n"
        f"  - ac_susceptibility: {{temperature: 10..40 K step 1 K, {given}}}\n",
        encoding="utf-8",
    )
    return night


# -- what a lock-in, or a wiring, cannot do


@pytest.mark.parametrize(
    ("lockin", "said"),
    [
        (
            "{frequency: 200 kHz}",
            "lockin.frequency = 200000 Hz is outside [0.001, 102000] Hz, the range set by the SR830; "
            "take another, e.g. 17.77 Hz",
        ),
        (
            "{frequency: 101 kHz}",
            "lockin.frequency = 101000 Hz is outside [0.001, 100000] Hz, the range set by the Keithley 6221; "
            "take another, e.g. 17.77 Hz",
        ),
        (
            "{time_constant: 250 ms}",
            "lockin.time_constant = 0.25 s is not one that the SR830 has; take 0.1 s or 0.3 s",
        ),
        (
            "{frequency: 977 Hz, sync: true}",
            "lockin.sync at 977 Hz is outside [0, 200] Hz, where the SR830 has it; leave it out",
        ),
    ],
)
def test_what_the_lock_in_of_a_wiring_does_not_have_is_refused_before_the_night(
    tmp_path: Path, lockin: str, said: str
) -> None:
    assert refused(tmp_path, _with(_CURVE, lockin=lockin)) == [f"7:5: {said}"]


@pytest.mark.parametrize("lockin", ["{frequency: 77.7 Hz, time_constant: 1 s}", "{sync: true}"])
def test_what_the_lock_in_of_a_wiring_has_is_not_refused(tmp_path: Path, lockin: str) -> None:
    assert refused(tmp_path, _with(_CURVE, lockin=lockin)) == []


def test_lockin_in_a_block_on_a_wiring_without_a_lock_in_is_refused_and_in_defaults_it_is_for_others(
    tmp_path: Path,
) -> None:
    block = "resistivity: {temperature: 10 K, current: 1 mA}"
    assert refused(tmp_path, _with(block, lockin="{slope: 12 dB}")) == [
        "7:5: L005: 'lockin' is how a lock-in listens, and the wiring 'film' measures by 'reversal'; leave "
        "it out, or put it in defaults"
    ]
    head = HEAD.replace("steps:", "defaults: {lockin: {slope: 12 dB}}\nsteps:")
    assert refused(tmp_path, block, head=head) == []


def test_a_current_voltage_curve_on_a_wiring_by_delta_is_refused(tmp_path: Path) -> None:
    station = STATION.replace('method = "reversal"', 'method = "delta"').replace(
        'driver = "keithley2182a"\nresource = "GPIB0::7::INSTR"', 'driver = "keithley2182a"\nvia = "k6221"'
    )
    station = station.replace('bias_meter = "k2182a"\n', "")
    block = "current_voltage: {temperature: 2 K, current: 0..1 mA points 3}"
    assert refused(tmp_path, block, station=station) == [
        "7:5: L005: V(I) is measured by 'reversal', and the wiring 'film' measures by 'delta'; give the "
        "station a wiring for it"
    ]
    assert refused(tmp_path, block) == []


def test_biases_in_unequal_steps_are_refused_where_a_staircase_measures_and_not_by_lock_in(
    tmp_path: Path,
) -> None:
    staircase = (
        STATION.replace('meter = "sr830"\nbias_meter = "k2182a"\n', 'meter = "k2182a"\n')
        .replace(
            'measures = "conductance"\nmethod = "lock_in"',
            'measures = "conductance"\nmethod = "differential"',
        )
        .replace('measures = "resistance"\nmethod = "reversal"', 'measures = "resistance"\nmethod = "delta"')
        .replace(
            'driver = "keithley2182a"\nresource = "GPIB0::7::INSTR"',
            'driver = "keithley2182a"\nvia = "k6221"',
        )
    )
    uneven = _with(_CURVE, bias="[-10 mV, 0 mV, 5 mV]")
    assert refused(tmp_path, uneven) == []
    (said,) = refused(tmp_path, uneven, station=staircase)
    assert "the biases from '-10 mV' on have unequal steps, and wiring 'contact' measures by" in said
    assert refused(tmp_path, _with(_CURVE, bias="-10..10 mV step 5 mV"), station=staircase) == []


# -- slips of the pen


def test_currents_that_fall_are_refused_by_what_was_typed(tmp_path: Path) -> None:
    assert refused(tmp_path, "current_voltage: {temperature: 2 K, current: 1..0 mA step 10 uA}") == [
        "7:50: the currents of '1..0 mA step 10 uA' do not rise; list them from 0 upward: the curve ends "
        "where the voltage is too large; e.g. '0..1 mA points 41'"
    ]


@pytest.mark.parametrize("word", ["rms", "peak", "pp"])
def test_a_word_of_alternating_quantities_at_a_current_is_named(tmp_path: Path, word: str) -> None:
    (said,) = refused(tmp_path, f"resistivity: {{temperature: 10 K, current: 1 mA {word}}}")
    assert said == (
        f"7:47: '1 mA {word}' says {word}, which is not said here: a current is direct, and rms where a "
        "lock-in measures; expected a current in A, mA, uA or nA; e.g. '100 uA'"
    )


@pytest.mark.parametrize("given", ["declined", "false", "[no]"])
def test_a_check_declined_without_a_reason_is_refused_with_how_to_say_it(tmp_path: Path, given: str) -> None:
    head = HEAD.replace("{declined: nothing is mounted}", given)
    (said,) = refused(tmp_path, _CURVE, head=head)
    assert said.endswith("is neither auto nor declined with a reason; e.g. '{declined: wired today}'")
