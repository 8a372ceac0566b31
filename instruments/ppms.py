"""Quantum Design PPMS, Model 6000 controller over GPIB: thermostat, magnet, chamber, helium gauge.

Replies end with ``;`` and EOI. The controller owns its board only while MultiVu is closed.
"""

from collections.abc import Callable
from typing import ClassVar

from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault, OnnesError, or_error
from onnes.instruments.limits import Limits
from onnes.instruments.ppms_regulated import Regulated
from onnes.instruments.ppms_replies import (
    FIELD_APPROACHES,
    FIELD_MODES,
    TEMPERATURE_APPROACHES,
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
from onnes.instruments.ppms_status import (
    FIELD_AT_REST,
    FIELD_FAULTS,
    TEMPERATURE_FAULTS,
    FieldStatus,
    TemperatureStatus,
    chamber_words,
)
from onnes.instruments.protocols import FieldApproach, FieldMode, HeliumLevel, Reading, TemperatureApproach
from onnes.instruments.strict import StrictInstrument

_STATUS, _TEMPERATURE, _FIELD = 1 << 0, 1 << 1, 1 << 2

# What the controller keeps of a setpoint: field 0.01 Oe, field rate 0.1 Oe/s; 1 mK and 1 mK/min are assumed.
_FIELD_STEP_OE, _FIELD_RATE_STEP, _TEMPERATURE_STEP_K, _TEMPERATURE_RATE_STEP = 0.01, 0.1, 1e-3, 1e-3

# The status word lags a command by up to 5 s (seen on a Model 6000), so a "stable" that never left is
# believed only when these have passed, s. In persistent mode the leads first run to the magnet's current, for
# up to 30 s and without a code of their own.
_LAG_OF_TEMPERATURE_S, _LAG_OF_FIELD_S, _LAG_OF_LEADS_S = 15.0, 5.0, 40.0

# LEVELON: 0 off, 1 on, which goes off by itself after 60 s, 2 hourly; the numbering is of public drivers and
# not confirmed on hardware. A fresh level takes about 10 s (seen).
_METER_ON, _FRESH_LEVEL_WITHIN_S, _LEVEL_POLL_S = 1, 30.0, 2.0


class PPMS(StrictInstrument, Instrument):
    """Quantum Design PPMS with a Model 6000 controller.

    Setpoints leave in full and are read back; an unchanged target is never sent again, as that cycles leads
    and switch heater. ``is_stable`` of a reading is the controller's word, not believed while it may still be
    about the setpoint before; whether the value has settled is for procedures to judge.
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

    def temperature_setpoint(self) -> float:
        """Read the temperature setpoint back, K."""
        return self.temperature_setpoint_in_full().kelvin

    def temperature_setpoint_in_full(self) -> TemperatureSetpoint:
        """Read setpoint, rate and approach of the temperature."""
        found = self.link.query("TEMP?", temperature_setpoint)
        self._rate_k_per_min = found.rate_k_per_min
        return found

    def commanded_rate_k_per_min(self) -> float:
        """Return the rate that was read back with the setpoint last, K/min; 0 before there was one."""
        return self._rate_k_per_min

    def set_temperature(
        self, kelvin: float, rate_k_per_min: float, approach: TemperatureApproach = "fast_settle"
    ) -> None:
        """Start a ramp to ``kelvin``; send nothing where that is the setpoint already.

        Raises:
            LimitError: if temperature or rate is out of range; nothing was sent.
            InstrumentFault: if another setpoint is read back.
            CommunicationError: if it cannot be sent or read back. Whether it arrived is not known then; the
                next call reads back before it sends.
        """
        self.temperature_limits.check("temperature", kelvin)
        self.temperature_rate_limits.check("temperature rate", rate_k_per_min)
        before = self.temperature_setpoint_in_full()
        same_target = abs(before.kelvin - kelvin) <= _TEMPERATURE_STEP_K / 10  # finer than it may keep
        rate_change = abs(before.rate_k_per_min - rate_k_per_min)
        same_ramp = before.approach == approach and rate_change <= _TEMPERATURE_RATE_STEP
        if same_target and (same_ramp or self.temperature().is_stable):
            self._temperature.confirmed = before.kelvin
            return
        now = self._temperature.send(
            self.link,
            f"TEMP {kelvin:.9g} {rate_k_per_min:.9g} {TEMPERATURE_APPROACHES.index(approach)}",
            self.temperature_setpoint_in_full,
            lambda now: (
                abs(now.kelvin - kelvin) <= _TEMPERATURE_STEP_K
                and abs(now.rate_k_per_min - rate_k_per_min) <= _TEMPERATURE_RATE_STEP
                and now.approach == approach
            ),
            f"temperature {kelvin:.9g} K at {rate_k_per_min:.9g} K/min, {approach}",
            was=before,
            came_from=None if same_target else before.kelvin,
            lag_s=_LAG_OF_TEMPERATURE_S,
        )
        self._temperature.confirmed = now.kelvin

    def confirmed_temperature(self) -> float | None:
        """Return the setpoint that was set here and read back last, K; None where none is to rely on."""
        return self._temperature.confirmed

    def hold_temperature(self) -> None:
        """Stop a ramp where it is; at rest send nothing."""
        self._hold_temperature(self.temperature())

    def _hold_temperature(self, reading: Reading) -> None:
        if reading.is_stable:
            return
        target = self.temperature_setpoint_in_full()
        here = self._temperature.between(reading.value, target.kelvin)
        self.set_temperature(round(here, 3), target.rate_k_per_min, target.approach)

    def _temperature_reading(self, word: int, kelvin: float) -> Reading:
        state = TemperatureStatus.from_packed(word)
        if state in TEMPERATURE_FAULTS:
            raise InstrumentFault(
                f"temperature control: {state.words} at {kelvin:.9g} K (status word {word:#06x}); "
                "look at the cryostat before going on"
            )
        stable = state is TemperatureStatus.STABLE
        return self._reading(self._temperature, kelvin, word, state.words, rests=stable, stable=stable)

    # --- field

    @property
    def field_limits(self) -> Limits:
        """Return the allowed fields, Oe, as the controller knows its magnet."""
        if self._field_limits is None:
            largest = self.link.query("MAGCNF?", largest_field)
            self._field_limits = Limits(-largest, largest, "Oe", "the magnet of the PPMS")
        return self._field_limits

    def field_setpoint(self) -> float:
        """Read the field setpoint back, Oe."""
        return self.field_setpoint_in_full().field_oe

    def field_setpoint_in_full(self) -> FieldSetpoint:
        """Read setpoint, rate, approach and mode of the field."""
        return self.link.query("FIELD?", field_setpoint)

    def set_field(
        self,
        field_oe: float,
        rate_oe_per_s: float,
        approach: FieldApproach = "linear",
        mode: FieldMode = "driven",
    ) -> None:
        """Start a ramp to ``field_oe``; send nothing where that is the setpoint already.

        At rest a change of rate, approach or mode alone is not sent either.

        Raises:
            LimitError: if field or rate is out of range; nothing was sent.
            InstrumentFault: if another setpoint is read back.
            CommunicationError: as :meth:`set_temperature`.
        """
        self.field_limits.check("field", field_oe)
        self.field_rate_limits.check("field rate", rate_oe_per_s)
        before = self.field_setpoint_in_full()
        self._mode = before.mode
        same_target = abs(before.field_oe - field_oe) <= _FIELD_STEP_OE / 2
        same_ramp = (
            before.approach == approach
            and before.mode == mode
            and abs(before.rate_oe_per_s - rate_oe_per_s) <= _FIELD_RATE_STEP
        )
        if same_target and (same_ramp or self.field().is_stable):
            self._field.confirmed = before.field_oe
            return
        self._send_field(before, field_oe, rate_oe_per_s, approach, mode)

    def hold_field(self) -> None:
        """Stop a ramp where it is; at rest send nothing.

        The new target is the reading, but never beyond the old target or the one before: a noisy or remanent
        reading must not drive the magnet further.
        """
        self._hold_field(self.field())

    def _hold_field(self, reading: Reading) -> None:
        if reading.is_stable or reading.state == FieldStatus.SWITCH_COOLING.words:
            return
        target = self.field_setpoint_in_full()
        here = self._field.between(reading.value, target.field_oe)
        self._send_field(target, round(here, 2), target.rate_oe_per_s, "linear", target.mode)

    def _send_field(
        self, before: FieldSetpoint, field_oe: float, rate: float, approach: FieldApproach, mode: FieldMode
    ) -> None:
        codes = f"{FIELD_APPROACHES.index(approach)} {FIELD_MODES.index(mode)}"
        self._mode = mode
        now = self._field.send(
            self.link,
            f"FIELD {field_oe:.9g} {rate:.9g} {codes}",
            self.field_setpoint_in_full,
            lambda now: (
                abs(now.field_oe - field_oe) <= _FIELD_STEP_OE / 2 + 1e-9
                and abs(now.rate_oe_per_s - rate) <= _FIELD_RATE_STEP / 2 + 1e-9
                and (now.approach, now.mode) == (approach, mode)
            ),
            f"field {field_oe:.9g} Oe at {rate:.9g} Oe/s, {approach}, {mode}",
            was=before,
            came_from=None if before.field_oe == field_oe else before.field_oe,
            lag_s=_LAG_OF_LEADS_S if "persistent" in (before.mode, mode) else _LAG_OF_FIELD_S,
        )
        self._field.confirmed = now.field_oe

    def confirmed_field(self) -> float | None:
        """Return the setpoint that was set here and read back last, Oe; None where none is to rely on."""
        return self._field.confirmed

    def _field_reading(self, word: int, oersted: float) -> Reading:
        state = FieldStatus.from_packed(word)
        if state in FIELD_FAULTS:
            what = "magnet quenched" if state is FieldStatus.QUENCHING else f"magnet: {state.words}"
            raise InstrumentFault(
                f"{what} at {oersted:.9g} Oe (status word {word:#06x}); "
                "send no field command; look at the magnet before going on"
            )
        rest = FieldStatus.PERSISTENT if self._mode == "persistent" else FieldStatus.DRIVEN
        stable = state in FIELD_AT_REST if self._mode is None else state is rest
        return self._reading(
            self._field, oersted, word, state.words, rests=state in FIELD_AT_REST, stable=stable
        )

    # --- shared

    def forget_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""
        self._temperature.confirmed = self._field.confirmed = None

    def hold(self, *, temperature: bool = False) -> str:
        """Hold the field where it is, with ``temperature`` also that; return what was read back.

        A part in a fault state gets no command: leaving it alone is its safe state, and a person must look.

        Raises:
            InstrumentFault: if the controller does not take the order to hold.
            CommunicationError: if the controller does not answer.
        """
        fault = self._hold_unless_fault(self.field, self._hold_field)
        done = fault or f"field held at {self.field_setpoint():.9g} Oe"
        if temperature:
            fault = self._hold_unless_fault(self.temperature, self._hold_temperature)
            return f"{done}, " + (fault or f"temperature held at {self.temperature_setpoint():.9g} K")
        return fault or f"{done}, temperature setpoint left at {self.temperature_setpoint():.9g} K"

    def _hold_unless_fault(self, read: Callable[[], Reading], hold: Callable[[Reading], None]) -> str:
        try:
            reading = read()
        except InstrumentFault as fault:
            return f"nothing was sent: {fault}"
        hold(reading)
        return ""

    def accept_restart(self) -> None:
        """Take the time of the controller as it counts now: a person has looked after it was restarted."""
        self._stamps = Stamps()

    def safe_state(self) -> str:
        """Hold the field where it is and leave the temperature setpoint; raises as :meth:`hold` does."""
        return self.hold()

    def _reading(
        self, known: Regulated, value: float, word: int, words: str, *, rests: bool, stable: bool
    ) -> Reading:
        is_believed = known.is_believed(self.link.clock.now(), rests=rests)
        return Reading(value, self._sampled, words, stable and is_believed, word)

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
