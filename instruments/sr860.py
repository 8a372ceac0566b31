"""Stanford Research SR860 lock-in amplifier, strict."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pymeasure.instruments import Instrument, srs
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from onnes.instruments.limits import Limits
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.strict import confirm

# The input ranges by the largest voltage, V peak, in the order of their numbers.
_INPUT_RANGES = {1.0: "1V", 0.3: "300M", 0.1: "100M", 0.03: "30M", 0.01: "10M"}

_FREQUENCY = (1e-3, 500e3)
_SINE = (0.0, 2.0)
_LEVEL = (-5.0, 5.0)


def _choice(question: str, command: str, text: str, values: list[Any] | dict[Any, Any]) -> Any:
    """Return a property of listed values, mended: PyMeasure has another command or other values for it."""
    return Instrument.control(
        question, command, text, validator=strict_discrete_set, values=values, map_values=True
    )


def _preset(command: str, number: int, allowed: tuple[float, float], text: str) -> Any:
    """Return a preset of the front panel, some of which PyMeasure sends without a blank."""
    return Instrument.control(
        f"{command}? {number}", f"{command} {number}, %g", text, validator=strict_range, values=allowed
    )


class SR860(StanfordLockIn, srs.SR860):
    """Stanford Research SR860; as the SR830, and with the status that PyMeasure's driver does not have.

    Of PyMeasure's properties those are mended that send a wrong command (advanced filter, impedance of the
    reference, presets, strip chart) or a number that the instrument does not have. Full scale and input range
    go together: the range is the smallest that holds the peaks of a full scale.
    """

    model_name: ClassVar[str] = "SR860"
    units: ClassVar[Mapping[str, str]] = {
        "sine_voltage": "V",
        "sine_dc_level": "V",
        "sensitivity": "V",
        "time_constant": "s",
        "filter_slope": "dB",
        "internalfrequency": "Hz",
        **{f"frequencypreset{n}": "Hz" for n in range(1, 5)},
        **{f"sine_amplitudepreset{n}": "V" for n in range(1, 5)},
        **{f"sine_dclevelpreset{n}": "V" for n in range(1, 5)},
        **{f"{name}{n}": "V" for name in ("aux_out_", "dac") for n in range(1, 5)},
    }
    resolutions: ClassVar[Mapping[str, float]] = {
        "sine_dc_level": 1e-4,  # (k)
        "phase": 1e-6,  # (k)
        **{f"{name}{n}": 1e-3 for name in ("aux_out_", "dac") for n in range(1, 5)},  # (k)
    }
    frequency_limits: ClassVar[Limits] = Limits(*_FREQUENCY, "Hz", "the SR860")
    sine_limits: ClassVar[Limits] = Limits(1e-9, 2.0, "V", "the SR860")  # (k)
    sine_step_v: ClassVar[float] = 0.0
    phase_limits: ClassVar[Limits] = Limits(-360.0, 360.0, "deg", "the SR860")
    harmonics: ClassVar[range] = range(1, 100)
    digits: ClassVar[int] = 6  # (k)
    _snap: ClassVar[str] = "SNAP? 0,1"
    _references: ClassVar[dict[str, str]] = {"internal": "INT", "external": "EXT"}
    # (k) LIA status word: scales of channels 1 and 2, input range, synchronous filter; unlock
    _overload: ClassVar[int] = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 6
    _unlock: ClassVar[int] = 1 << 3
    _filter_changed: ClassVar[int] = 0

    harmonic = Instrument.control(
        "HARM?",
        "HARM %d",
        """Control the harmonic that is detected (integer from 1 to 99).""",
        validator=strict_discrete_set,
        values=harmonics,
        cast=int,
    )
    harmonicdual = Instrument.control(
        "HARMDUAL?",
        "HARMDUAL %d",
        """Control the harmonic of the external frequency in dual mode (integer from 1 to 99).""",
        validator=strict_discrete_set,
        values=harmonics,
        cast=int,
    )
    sine_dc_level = Instrument.control(
        "SOFF?",
        "SOFF %g",
        """Control the direct voltage of the sine output, V.""",
        validator=strict_range,
        values=_LEVEL,
    )
    filter_slope = _choice(
        "OFSL?", "OFSL %d", """Control the slope of the filter, dB per octave.""", [6, 12, 18, 24]
    )
    filter_synchronous = _choice(
        "SYNC?", "SYNC %d", """Control the synchronous filter (bool).""", {True: 1, False: 0}
    )
    filter_advanced = _choice(
        "ADVFILT?", "ADVFILT %d", """Control the advanced filter (bool).""", {True: 1, False: 0}
    )
    dcmode = _choice("REFM?", "REFM %d", """Control the direct level of the sine output.""", ["COM", "DIF"])
    input_signal = _choice("IVMD?", "IVMD %d", """Control what the input measures.""", ["VOLT", "CURR"])
    reference_externalinput = _choice(
        "REFZ?",
        "REFZ %d",
        """Control the impedance of the reference input.""",
        srs.SR860.INPUT_REFERENCEEXTERNALINPUT,
    )
    horizontal_time_div = Instrument.control(
        "GSPD?",
        "GSPD %d",
        """Control the time per division of the strip chart (integer from 0 to 16).""",
        validator=strict_discrete_set,
        values=range(17),
        cast=int,
    )
    frequencypreset1, frequencypreset2, frequencypreset3, frequencypreset4 = (
        _preset("PSTF", n, _FREQUENCY, f"Control the frequency of the preset F{n + 1}, Hz.") for n in range(4)
    )
    sine_amplitudepreset1, sine_amplitudepreset2, sine_amplitudepreset3, sine_amplitudepreset4 = (
        _preset("PSTA", n, _SINE, f"Control the amplitude of the preset A{n + 1}, V.") for n in range(4)
    )
    sine_dclevelpreset1, sine_dclevelpreset2, sine_dclevelpreset3, sine_dclevelpreset4 = (
        _preset("PSTL", n, _LEVEL, f"Control the direct level of the preset L{n + 1}, V.") for n in range(4)
    )

    @property
    def sine_voltage(self) -> float:
        """Control the amplitude of the sine output, V rms; it keeps six digits (k)."""
        return self.link.query("SLVL?", float)

    @sine_voltage.setter
    def sine_voltage(self, volts: float) -> None:
        self.sine_limits.check("sine_voltage", volts)
        self.write(f"SLVL {volts:.9g}")
        confirm("sine_voltage", volts, self.sine_voltage, 1e-5 * volts, self.name)

    def safe_state(self) -> str:
        """Take direct level and sine of the output to their minimum and return what was read back."""
        self.sine_dc_level = 0.0
        return super().safe_state()

    def _set_full_scale(self, volts_rms: float) -> None:
        peak = math.sqrt(2.0) * volts_rms
        self.input_range = _INPUT_RANGES[min((r for r in _INPUT_RANGES if r >= peak), default=1.0)]
        super()._set_full_scale(volts_rms)

    def _raw_status(self) -> int:
        """Read the latched status, which that clears, and what overloads or is unlocked now."""
        return super()._raw_status() | self.link.query("CUROVLDSTAT?", int)
