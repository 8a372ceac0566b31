"""Keithley 2450 source meter, strict: a current source within a voltage limit, and its own meter."""

from collections.abc import Mapping
from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument
from pymeasure.instruments.keithley import Keithley2450 as PyMeasureKeithley2450
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from onnes.instruments.clock import Clock
from onnes.instruments.limits import Limits
from onnes.instruments.source_meter import SourceMeterCurrent, full_scale

_CURRENTS = Limits(-1.05, 1.05, "A", "the Keithley 2450")
_VOLTAGES = Limits(-210.0, 210.0, "V", "the Keithley 2450")
_AUTO_OFF = ":{0}:RANG:AUTO 0;:{0}:RANG {{:.9g}}"


class Keithley2450(SourceMeterCurrent, PyMeasureKeithley2450):
    """Keithley 2450 source meter in its SCPI dialect; nothing is clipped, every setpoint is read back.

    Whether the limit decides what flows is told for now only: one that came and went between two looks is not
    seen (k).
    """

    units: ClassVar[Mapping[str, str]] = {
        "compliance_current": "A",
        "compliance_voltage": "V",
        "source_voltage": "V",
        "source_current_delay": "s",
        "source_voltage_delay": "s",
        "current_nplc": "line cycles",
        "voltage_nplc": "line cycles",
        "resistance_nplc": "line cycles",
    }
    current_limits: ClassVar[Limits] = _CURRENTS
    voltage_limits: ClassVar[Limits] = Limits(0.02, 210.0, "V", "the Keithley 2450")  # (k)
    model_name: ClassVar[str] = "2450"
    _LIMIT = "SOUR:CURR:VLIM"
    _RANGES_A = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
    _STEPS = 20_000  # 500 fA of 10 nA (manual)
    # Whether the limit decides, 0 or 1; of its own word there is no register.
    _COMPLIANCE = _COMPLIANCE_NOW = "SOUR:CURR:VLIM:TRIP?"
    _IN_COMPLIANCE = 1

    # PyMeasure gives these no validator, or none that refuses.
    source_enabled = Instrument.control(
        "OUTP?",
        "OUTP %d",
        """Control the output (bool).""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    source_voltage = Instrument.control(
        ":SOUR:VOLT?",
        ":SOUR:VOLT %g",
        """Control the source voltage, V.""",
        validator=strict_range,
        values=(-210.0, 210.0),
    )
    current_nplc = Instrument.control(
        ":SENS:CURR:NPLC?",
        ":SENS:CURR:NPLC %g",
        """Control the integration of a current (float from 0.01 to 10 line cycles).""",
        validator=strict_range,
        values=(0.01, 10.0),
    )
    voltage_nplc = Instrument.control(
        ":SENS:VOLT:NPLC?",
        ":SENS:VOLT:NPLC %g",
        """Control the integration of a voltage (float from 0.01 to 10 line cycles).""",
        validator=strict_range,
        values=(0.01, 10.0),
    )
    resistance_nplc = Instrument.control(
        ":SENS:RES:NPLC?",
        ":SENS:RES:NPLC %g",
        """Control the integration of a resistance (float from 0.01 to 10 line cycles).""",
        validator=strict_range,
        values=(0.01, 10.0),
    )
    current_filter_state = Instrument.control(
        ":SENS:CURR:AVER?",
        ":SENS:CURR:AVER %d",
        """Control the filter of currents (bool).""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    source_current_range = full_scale(
        ":SOUR:CURR:RANG?", _AUTO_OFF.format("SOUR:CURR"), _CURRENTS, "Control the source current range, A."
    )
    source_voltage_range = full_scale(
        ":SOUR:VOLT:RANG?", _AUTO_OFF.format("SOUR:VOLT"), _VOLTAGES, "Control the source voltage range, V."
    )
    current_range = full_scale(
        ":SENS:CURR:RANG?", _AUTO_OFF.format("SENS:CURR"), _CURRENTS, "Control the current range, A."
    )
    voltage_range = full_scale(
        ":SENS:VOLT:RANG?", _AUTO_OFF.format("SENS:VOLT"), _VOLTAGES, "Control the voltage range, V."
    )
    resistance_range = full_scale(
        ":SENS:RES:RANG?",
        _AUTO_OFF.format("SENS:RES"),
        Limits(0.0, 210e6, "ohm", "the Keithley 2450"),
        "Control the resistance range, ohm.",
    )

    def __init__(
        self,
        adapter: Adapter | str,
        name: str = "Keithley 2450",
        clock: Clock | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(adapter, name, clock, **kwargs)

    def measure_once(self) -> float:
        """Measure what is chosen for measuring, V, A or ohm."""
        return self.link.query(":READ?", float)
