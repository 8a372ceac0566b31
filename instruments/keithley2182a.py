"""Keithley 2182A nanovoltmeter, strict."""

from collections.abc import Mapping
from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument
from pymeasure.instruments.keithley import Keithley2182 as PyMeasureKeithley2182
from pymeasure.instruments.keithley.keithley2182 import Keithley2182Channel
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.strict import StrictChannel, StrictInstrument

# 2182A user's manual: ranges of channel 1, each with 20 % over-range; an overflow reads 9.9E37.
RANGES_V = (0.01, 0.1, 1.0, 10.0, 100.0)
_OVER_RANGE = 1.2
OVERFLOW_V = 1e37


class _Channel1(StrictChannel, Keithley2182Channel):
    units: ClassVar[Mapping[str, str]] = {"voltage_range": "V", "voltage_offset": "V"}


class _Channel2(StrictChannel, Keithley2182Channel):
    units: ClassVar[Mapping[str, str]] = {"voltage_range": "V", "voltage_offset": "V"}


class Keithley2182A(StrictInstrument, PyMeasureKeithley2182):
    """Keithley 2182A nanovoltmeter.

    PyMeasure reads up to a carriage return by default; the instrument ends its replies with a line feed, and
    a reply that ends otherwise was cut off.
    """

    model_name: ClassVar[str] = "2182"
    units: ClassVar[Mapping[str, str]] = {"voltage_nplc": "line cycles", "trigger_delay": "s"}

    ch_1 = Instrument.ChannelCreator(_Channel1, 1)
    ch_2 = Instrument.ChannelCreator(_Channel2, 2)

    digital_filter_enabled = Instrument.control(
        ":SENS:VOLT:DFIL:STAT?",
        ":SENS:VOLT:DFIL:STAT %d",
        """Control the digital filter (bool), which averages over readings.""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    analog_filter_enabled = Instrument.control(
        ":SENS:VOLT:LPAS:STAT?",
        ":SENS:VOLT:LPAS:STAT %d",
        """Control the analog filter (bool), which adds 125 ms to each conversion.""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    front_autozero_enabled = Instrument.control(
        ":SYST:FAZ:STAT?",
        ":SYST:FAZ:STAT %d",
        """Control the autozero of the front amplifier (bool).""",
        validator=strict_discrete_set,
        values={True: 1, False: 0},
        map_values=True,
    )
    sample_count = Instrument.control(
        ":SAMP:COUN?",
        ":SAMP:COUN %d",
        """Control how many readings a trigger gives (integer from 1 to 1024).""",
        validator=strict_range,
        values=(1, 1024),
        cast=int,
    )

    def __init__(
        self,
        adapter: Adapter | str,
        name: str = "Keithley 2182A",
        clock: Clock | None = None,
        **kwargs: object,
    ) -> None:
        # The termination reaches PyMeasure's adapter only where that opens the resource itself.
        super().__init__(adapter, name, clock, **{"read_termination": "\n", **kwargs})

    def prepare_for_reversal(self, nplc: float) -> None:
        """Set up channel 1 for single readings that know nothing of one another, autoranging.

        The digital filter would average over the reversals of the current, so it is off; so is the analog
        one, which is slow.
        """
        self.link.write("*RST")
        self.active_channel = 1
        self.channel_function = "voltage"
        self.voltage_nplc = nplc
        self.digital_filter_enabled = False
        self.analog_filter_enabled = False
        self.auto_zero_enabled = True
        self.front_autozero_enabled = True
        self.trigger_count = 1
        self.sample_count = 1
        self.check_errors()

    def read_voltage(self) -> float:
        """Trigger a reading and return it, V; an overflow reads 9.9e37."""
        return self.link.query(":READ?", float)

    def look(self) -> tuple[float, bool]:
        """Return the voltage, V, and whether it was measured for this question; no setting is changed.

        A meter that measures by itself, as after power-on, tells its latest reading; any other is triggered.

        Raises:
            InstrumentFault: if it does not measure voltage.
            CommunicationError: if it gives no usable answer.
        """
        function = self.channel_function
        if function != "voltage":
            raise InstrumentFault(f"{self.name} measures {function}, not voltage; set it on its front panel")
        if self.link.query(":INIT:CONT?", int):
            return self.link.query(":FETC?", float), False
        return self.read_voltage(), True

    def fix_range(self, volts: float) -> float:
        """Fix the smallest range of channel 1 that holds ``volts`` and return its full scale, V."""
        full = next((full for full in RANGES_V if abs(volts) <= _OVER_RANGE * full), RANGES_V[-1])
        self.ch_1.voltage_range = full
        return full
