"""Quantum Design PPMS, Model 6000 controller over GPIB: thermostat, magnet, chamber, helium gauge.

Replies end with ``;`` and EOI. The controller owns its board only while MultiVu is closed.
"""

from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault, OnnesError, or_error
from onnes.instruments.limits import Limits
from onnes.instruments.ppms_regulated import Regulated
from onnes.instruments.ppms_replies import (
    FieldSetpoint,
    TemperatureSetpoint,
    data,
    field_setpoint,
    helium_level,
    largest_field,
    temperature_setpoint,
    text,
)
from onnes.instruments.ppms_stamps import Stamps
from onnes.instruments.ppms_status import chamber_words
from onnes.instruments.protocols import FieldMode, HeliumLevel, Reading
from onnes.instruments.regulated_cryostat import RegulatedCryostat
from onnes.instruments.strict import StrictInstrument

_STATUS, _TEMPERATURE, _FIELD = 1 << 0, 1 << 1, 1 << 2

# LEVELON: 0 off, 1 on, which goes off by itself after 60 s, 2 hourly; the numbering is of public drivers and
# not confirmed on hardware. A fresh level takes about 10 s (seen).
_METER_ON, _FRESH_LEVEL_WITHIN_S, _LEVEL_POLL_S = 1, 30.0, 2.0


class PPMS(RegulatedCryostat, StrictInstrument, Instrument):
    """Quantum Design PPMS with a Model 6000 controller.

    Setpoints leave in full and are read back; whether a value has settled is for procedures to judge.
    """

    reply_end: ClassVar[str] = ";"
    reply_termination: ClassVar[str | None] = None
    reply_delay_s: ClassVar[float] = 0.1  # between question and reading, as scripts for the Model 6000 do
    hint: ClassVar[str] = (
        "is MultiVu running? it owns the GPIB board: close it, or look at cable, power and address"
    )

    # Quantum Design gives 1.9 to 400 K and at most 20 K/min; a rate of 0 would never arrive.
    temperature_limits: ClassVar[Limits] = Limits(1.9, 400.0, "K", "the PPMS")
    temperature_rate_limits: ClassVar[Limits] = Limits(0.01, 20.0, "K/min", "the PPMS")
    # From 10 to about 190 Oe/s for 9 T; larger magnets are slower, which the station file says.
    field_rate_limits: ClassVar[Limits] = Limits(10.0, 190.0, "Oe/s", "the PPMS")

    def __init__(
        self, adapter: Adapter | str, name: str = "PPMS", clock: Clock | None = None, **kwargs: object
    ) -> None:
        super().__init__(adapter, name, clock, includeSCPI=False, **kwargs)
        self._temperature = Regulated()
        self._field = Regulated()
        self._stamps = Stamps()
        self._sampled = self.link.clock.now()
        self._mode: FieldMode | None = None
        self._field_limits: Limits | None = None
        self._rate_k_per_min = 0.0

    def connect(self) -> str:
        """Clear the line, learn magnet and mode, and return what the controller is; nothing is set."""
        self.link.clear()  # the first read may otherwise give the reply to somebody else's last question
        revision = self.link.query("REV?", text)
        self._mode = self.field_setpoint_in_full().mode
        return f"Quantum Design Model 6000, revision {revision}, magnet {self.field_limits.high:.9g} Oe"

    # --- readings

    def temperature(self) -> Reading:
        """Read the temperature, K.

        Raises:
            InstrumentFault: in a fault state, or one without meaning, or after a restart of the controller.
            CommunicationError: if no reply fits the question.
        """
        word, kelvin = self._data(_STATUS | _TEMPERATURE)
        return self._temperature_reading(int(word), kelvin)

    def field(self) -> Reading:
        """Read the field as the supply reports it, Oe; raises as :meth:`temperature` does."""
        word, oersted = self._data(_STATUS | _FIELD)
        return self._field_reading(int(word), oersted)

    def snapshot(self) -> tuple[Reading, Reading]:
        """Read temperature and field of one instant; raises as :meth:`temperature` does."""
        word, kelvin, oersted = self._data(_STATUS | _TEMPERATURE | _FIELD)
        status = int(word)
        return self._temperature_reading(status, kelvin), self._field_reading(status, oersted)

    def look(self) -> tuple[Reading | OnnesError, Reading | OnnesError, str | OnnesError]:
        """Read temperature, field and chamber of one instant; the fault of one takes only its own place.

        Raises:
            InstrumentFault: after a restart of the controller.
            CommunicationError: if no reply fits the question.
        """
        word, kelvin, oersted = self._data(_STATUS | _TEMPERATURE | _FIELD)
        status = int(word)
        return (
            or_error(lambda: self._temperature_reading(status, kelvin)),
            or_error(lambda: self._field_reading(status, oersted)),
            or_error(lambda: chamber_words(status)),
        )

    def answer(self) -> None:
        """Ask a question that changes nothing; raise CommunicationError if the answer does not fit."""
        self.temperature_setpoint_in_full()

    def chamber_state(self) -> str:
        """Read the state of the chamber in words.

        Raises:
            InstrumentFault: in a fault state.
        """
        return chamber_words(int(self._data(_STATUS)[0]))

    def helium_level(self) -> HeliumLevel:
        """Read the helium level that the controller holds; start no measurement."""
        return self.link.query("LEVEL?", helium_level)

    def refresh_helium_level(self) -> HeliumLevel:
        """Start the meter and return a level measured now; it takes about 10 s.

        The meter goes off again by itself, as a level that is measured all the time costs helium.

        Raises:
            InstrumentFault: if the level is not measured within 30 s.
        """
        self.link.write(f"LEVELON {_METER_ON}")
        clock = self.link.clock
        until = clock.now() + _FRESH_LEVEL_WITHIN_S
        while (level := self.helium_level()).age != "continuous":
            if clock.now() >= until:
                raise InstrumentFault(
                    f"{self.name} shows no fresh helium level {_FRESH_LEVEL_WITHIN_S:.9g} s after its meter "
                    f"was started, but {level.percent:.9g} % of age {level.age!r}; look at the meter"
                )
            clock.sleep(_LEVEL_POLL_S)
        return level

    def bridge_readout(self, channel: int) -> tuple[float, float]:
        """Read resistance (ohm) and current (A) of a bridge channel, 1 to 4.

        Raises:
            InstrumentFault: if the controller has no such bridge board.
        """
        self._bridge_channels.check("bridge channel", channel)
        ohms, microamps = self._data(0b11 << (2 + 2 * channel))
        return ohms, 1e-6 * microamps

    _bridge_channels: ClassVar[Limits] = Limits(1, 4, "", "the PPMS")

    # --- temperature

    def temperature_setpoint_in_full(self) -> TemperatureSetpoint:
        """Read setpoint, rate and approach of the temperature."""
        found = self.link.query("TEMP?", temperature_setpoint)
        self._rate_k_per_min = found.rate_k_per_min
        return found

    # --- field

    @property
    def field_limits(self) -> Limits:
        """Return the allowed fields, Oe, as the controller knows its magnet."""
        if self._field_limits is None:
            largest = self.link.query("MAGCNF?", largest_field)
            self._field_limits = Limits(-largest, largest, "Oe", "the magnet of the PPMS")
        return self._field_limits

    def field_setpoint_in_full(self) -> FieldSetpoint:
        """Read setpoint, rate, approach and mode of the field."""
        return self.link.query("FIELD?", field_setpoint)

    # --- shared

    def _command(self, action: str, *numbers: float) -> str:
        return f"{action} {' '.join(f'{number:.9g}' for number in numbers)}"

    def _tell(self, message: str) -> None:
        self.link.write(message)

    def accept_restart(self) -> None:
        """Take the time of the controller as it counts now: a person has looked after it was restarted."""
        self._stamps = Stamps()

    def _data(self, mask: int) -> list[float]:
        """Return the values of ``GETDAT?`` in ascending order of the bits in ``mask``."""

        def parse(reply: str) -> list[float]:
            stamp, values = data(reply, mask)
            self._stamps.check(stamp, self.link.clock.now(), reply)
            return values

        asked = self.link.clock.now()
        values = self.link.query(f"GETDAT? {mask}", parse)
        # When the controller looked, between question and reply, it does not tell: the middle is nearest.
        self._sampled = 0.5 * (asked + self.link.clock.now())
        return values
