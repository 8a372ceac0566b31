"""Keithley 2400 source meter, strict: a current source within a voltage limit, and its own meter."""

from collections.abc import Mapping
from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments.keithley import Keithley2400 as PyMeasureKeithley2400

from onnes.instruments.clock import Clock
from onnes.instruments.limits import Limits
from onnes.instruments.source_meter import SourceMeterCurrent, full_scale

_CURRENTS = Limits(-1.05, 1.05, "A", "the Keithley 2400")
_VOLTAGES = Limits(-210.0, 210.0, "V", "the Keithley 2400")


class Keithley2400(SourceMeterCurrent, PyMeasureKeithley2400):
    """Keithley 2400 source meter; nothing is clipped, every setpoint is read back.

    PyMeasure sets the format of readings when it opens the instrument; here nothing is set at opening, and
    the format before a reading.
    """

    units: ClassVar[Mapping[str, str]] = {
        "compliance_current": "A",
        "compliance_voltage": "V",
        "source_voltage": "V",
        "source_delay": "s",
        "trigger_delay": "s",
        "arm_timer": "s",
        "current_nplc": "line cycles",
        "voltage_nplc": "line cycles",
        "resistance_nplc": "line cycles",
    }
    current_limits: ClassVar[Limits] = _CURRENTS
    voltage_limits: ClassVar[Limits] = Limits(2e-4, 210.0, "V", "the Keithley 2400")  # 0.1 % of 200 mV (k)
    model_name: ClassVar[str] = "2400"
    _LIMIT = "SENS:VOLT:PROT"
    _RANGES_A = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
    _STEPS = 20_000  # 50 pA of 1 uA (manual)
    _IN_COMPLIANCE = 1 << 14  # 2400 manual: bit 14 of the measurement registers, "compliance" (k)

    source_current_range = full_scale(
        ":SOUR:CURR:RANG?", ":SOUR:CURR:RANG {:.9g}", _CURRENTS, "Control the source current range, A."
    )
    source_voltage_range = full_scale(
        ":SOUR:VOLT:RANG?", ":SOUR:VOLT:RANG {:.9g}", _VOLTAGES, "Control the source voltage range, V."
    )
    current_range = full_scale(
        ":SENS:CURR:RANG?", ":SENS:CURR:RANG {:.9g}", _CURRENTS, "Control the current range, A."
    )
    voltage_range = full_scale(
        ":SENS:VOLT:RANG?", ":SENS:VOLT:RANG {:.9g}", _VOLTAGES, "Control the voltage range, V."
    )
    resistance_range = full_scale(
        ":SENS:RES:RANG?",
        ":SENS:RES:RANG {:.9g}",
        Limits(0.0, 210e6, "ohm", "the Keithley 2400"),
        "Control the resistance range, ohm.",
    )

    def __init__(
        self,
        adapter: Adapter | str,
        name: str = "Keithley 2400",
        clock: Clock | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(adapter, name, clock, **kwargs)

    def reset_data_format(self) -> None:
        """Ask for voltage, current, resistance, time and status with each reading; not at opening."""
        if self._sealed:
            super().reset_data_format()

    def measure(self) -> tuple[float, float]:
        """Measure voltage and current at the terminals, V and A; four-wire the voltage of the sense leads.

        Raises:
            CommunicationError: if no reading comes, as while the output is off.
        """
        self.reset_data_format()
        self.link.write(":SENS:FUNC:CONC 1;:SENS:FUNC 'VOLT','CURR'")
        volts, amps, *_ = self.link.query(":READ?", lambda reply: [float(part) for part in reply.split(",")])
        return volts, amps
