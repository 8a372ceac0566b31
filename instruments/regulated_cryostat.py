"""What every controller of a cryostat does with setpoints, however they travel: set, confirm, hold.

An unchanged target is never sent again, as that cycles leads and switch heater. ``is_stable`` of a reading is
the controller's word, not believed while it may still be about the setpoint before.
"""

from abc import abstractmethod
from collections.abc import Callable

from onnes.instruments.errors import InstrumentFault
from onnes.instruments.limits import Limits
from onnes.instruments.link import Link
from onnes.instruments.ppms_regulated import Regulated
from onnes.instruments.ppms_replies import (
    FIELD_APPROACHES,
    FIELD_MODES,
    TEMPERATURE_APPROACHES,
    FieldSetpoint,
    TemperatureSetpoint,
)
from onnes.instruments.ppms_status import (
    FIELD_AT_REST,
    FIELD_FAULTS,
    TEMPERATURE_FAULTS,
    FieldStatus,
    TemperatureStatus,
)
from onnes.instruments.protocols import FieldApproach, FieldMode, Reading, TemperatureApproach

# What the controller keeps of a setpoint: field 0.01 Oe, field rate 0.1 Oe/s; 1 mK and 1 mK/min are assumed.
_FIELD_STEP_OE, _FIELD_RATE_STEP, _TEMPERATURE_STEP_K, _TEMPERATURE_RATE_STEP = 0.01, 0.1, 1e-3, 1e-3

# The status word lags a command by up to 5 s (seen on a Model 6000), so a "stable" that never left is
# believed only when these have passed, s. In persistent mode the leads first run to the magnet's current, for
# up to 30 s and without a code of their own.
LAG_OF_FIELD_S, LAG_OF_LEADS_S, _LAG_OF_TEMPERATURE_S = 5.0, 40.0, 15.0


class RegulatedCryostat:
    """Temperature and field of a controller that tells its setpoints; a driver says how it is asked."""

    link: Link
    name: str
    _temperature: Regulated
    _field: Regulated
    _mode: FieldMode | None  # that was set or read back last
    _rate_k_per_min: float
    _sampled: float  # when the controller was asked last, s of the clock

    @property
    @abstractmethod
    def temperature_limits(self) -> Limits:
        """Return the allowed setpoints, K."""

    @property
    @abstractmethod
    def temperature_rate_limits(self) -> Limits:
        """Return the allowed rates, K/min."""

    @property
    @abstractmethod
    def field_limits(self) -> Limits:
        """Return the allowed setpoints, Oe."""

    @property
    @abstractmethod
    def field_rate_limits(self) -> Limits:
        """Return the allowed rates, Oe/s."""

    @property
    def _tells_mode(self) -> bool:
        """Say whether the state at rest tells in which mode the magnet is."""
        return True

    @abstractmethod
    def temperature(self) -> Reading:
        """Read the temperature, K; raise InstrumentFault in a fault state."""

    @abstractmethod
    def field(self) -> Reading:
        """Read the field as the supply reports it, Oe; raise InstrumentFault in a fault state."""

    @abstractmethod
    def temperature_setpoint_in_full(self) -> TemperatureSetpoint:
        """Read setpoint, rate and approach of the temperature."""

    @abstractmethod
    def field_setpoint_in_full(self) -> FieldSetpoint:
        """Read setpoint, rate, approach and mode of the field."""

    @abstractmethod
    def _command(self, action: str, *numbers: float) -> str:
        """Return the message that sets TEMP (K, K/min, approach) or FIELD (Oe, Oe/s, approach, mode)."""

    @abstractmethod
    def _tell(self, message: str) -> None:
        """Send a setpoint once."""

    # --- temperature

    def temperature_setpoint(self) -> float:
        """Read the temperature setpoint back, K."""
        return self.temperature_setpoint_in_full().kelvin

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
            self._command("TEMP", kelvin, rate_k_per_min, TEMPERATURE_APPROACHES.index(approach)),
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
            write=self._tell,
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

    def field_setpoint(self) -> float:
        """Read the field setpoint back, Oe."""
        return self.field_setpoint_in_full().field_oe

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
        codes = FIELD_APPROACHES.index(approach), FIELD_MODES.index(mode)
        self._mode = mode
        now = self._field.send(
            self.link,
            self._command("FIELD", field_oe, rate, *codes),
            self.field_setpoint_in_full,
            lambda now: (
                abs(now.field_oe - field_oe) <= _FIELD_STEP_OE / 2 + 1e-9
                and abs(now.rate_oe_per_s - rate) <= _FIELD_RATE_STEP / 2 + 1e-9
                and (now.approach, now.mode) == (approach, mode)
            ),
            f"field {field_oe:.9g} Oe at {rate:.9g} Oe/s, {approach}, {mode}",
            was=before,
            came_from=None if before.field_oe == field_oe else before.field_oe,
            lag_s=LAG_OF_LEADS_S if "persistent" in (before.mode, mode) else LAG_OF_FIELD_S,
            write=self._tell,
        )
        self._field.confirmed = now.field_oe

    def confirmed_field(self) -> float | None:
        """Return the setpoint that was set here and read back last, Oe; None where none is to rely on."""
        return self._field.confirmed

    def _field_reading(self, word: int, oersted: float, words: str = "") -> Reading:
        state = FieldStatus.from_packed(word)
        if state in FIELD_FAULTS:
            what = "magnet quenched" if state is FieldStatus.QUENCHING else f"magnet: {state.words}"
            raise InstrumentFault(
                f"{what} at {oersted:.9g} Oe (status word {word:#06x}); "
                "send no field command; look at the magnet before going on"
            )
        rest = FieldStatus.PERSISTENT if self._mode == "persistent" else FieldStatus.DRIVEN
        any_rest = self._mode is None or not self._tells_mode
        stable = state in FIELD_AT_REST if any_rest else state is rest
        return self._reading(
            self._field, oersted, word, words or state.words, rests=state in FIELD_AT_REST, stable=stable
        )

    # --- both

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

    def safe_state(self) -> str:
        """Hold the field where it is and leave the temperature setpoint; raises as :meth:`hold` does."""
        return self.hold()

    def _reading(
        self, known: Regulated, value: float, word: int, words: str, *, rests: bool, stable: bool
    ) -> Reading:
        is_believed = known.is_believed(self.link.clock.now(), rests=rests)
        return Reading(value, self._sampled, words, stable and is_believed, word)
