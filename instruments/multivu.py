"""A Quantum Design machine through its MultiVu server (MultiPyVu 3.8): thermostat, magnet, chamber.

The server offers no measurement. It runs beside MultiVu, of which it moves the setpoints: two masters, so
setpoints are read back and compared.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

import pyvisa
from pymeasure.adapters import Adapter

from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, Found, InstrumentFault, LimitError, OnnesError
from onnes.instruments.limits import Limits
from onnes.instruments.link import Link
from onnes.instruments.multivu_flavors import FLAVORS, Flavor
from onnes.instruments.multivu_frames import decimal
from onnes.instruments.multivu_replies import (
    RAMPING,
    chamber_code,
    field_code,
    field_setpoint,
    reading,
    temperature_code,
    temperature_setpoint,
)
from onnes.instruments.multivu_session import MultiVuSession
from onnes.instruments.ppms_regulated import Regulated
from onnes.instruments.ppms_replies import FIELD_APPROACHES, FIELD_MODES, FieldSetpoint, TemperatureSetpoint
from onnes.instruments.ppms_status import FIELD_AT_REST, FieldStatus, chamber_words
from onnes.instruments.protocols import FieldApproach, FieldMode, Reading
from onnes.instruments.regulated_cryostat import LAG_OF_FIELD_S, LAG_OF_LEADS_S, RegulatedCryostat
from onnes.instruments.visa import open_adapter

_CONNECT_WITHIN_S, _CONNECT_EVERY_S = 2.0, 0.25  # a server refuses just after its start (seen: 8 of 12)

# An MPMS3 does not tell its field setpoint. A ramp shows within twice the time by which the status lags a
# command: the state has changed, or the field has moved by more than twice the noise and the steps of a
# reading, up to 0.4 Oe at 20 kOe (read out of real files).
_LOOK_EVERY_S, _MOVED_OE, _THERE_OE = 0.5, 1.0, 1.0
_REST_WORDS: Final = frozenset(status.words for status in FIELD_AT_REST)


class MultiVu(RegulatedCryostat):
    """A machine behind a MultiVu server; the limits are those of its flavor.

    Each quantity costs a transaction of two replies, about 0.04 s. ``is_stable`` is MultiVu's word, not
    believed while it may still be about the setpoint before; it counts failures as settled, this does not.
    """

    reply_termination: ClassVar[str | None] = None
    hint: ClassVar[str] = "is the MultiVu server running on the MultiVu PC? look at network and address"

    def __init__(self, adapter: Adapter, name: str, clock: Clock) -> None:
        self.name = name
        self.link = Link(adapter, name, clock, hint=self.hint)
        self._session = MultiVuSession(self.link)
        self._temperature = Regulated()
        self._field = Regulated()
        self._mode: FieldMode | None = None
        self._rate_k_per_min = 0.0
        self._sampled = clock.now()
        self._told_field: FieldSetpoint | None = None  # where it cannot be read back

    @classmethod
    def open(
        cls,
        manager: pyvisa.ResourceManager,
        resource: str,
        name: str,
        clock: Clock,
    ) -> "MultiVu":
        """Open ``TCPIP0::HOST::PORT::SOCKET``, for 2 s again where it is refused; nothing is sent.

        Raises:
            ConfigurationError: if ``resource`` is no VISA resource name.
            CommunicationError: if no server is found there.
        """
        until = clock.now() + _CONNECT_WITHIN_S
        opened = partial(
            open_adapter,
            manager,
            resource,
            name=name,
            termination="",
            reply_termination=cls.reply_termination,
            hint=cls.hint,
        )
        while clock.now() < until:
            with suppress(CommunicationError):
                return cls(opened(), name, clock)
            clock.sleep(_CONNECT_EVERY_S)
        return cls(opened(), name, clock)

    def connect(self) -> str:
        """Take the slot of the server and return what is there; nothing is set."""
        self.link.attempt(self._session.begin, "START")
        session = self._session
        return f"Quantum Design {session.flavor}, MultiVu {session.multivu}, MultiPyVu {session.version}"

    @property
    def flavor(self) -> Flavor:
        """Return what the machine has and allows.

        Raises:
            InstrumentFault: if nothing is known of such a machine.
            CommunicationError: if the server does not answer.
        """
        if not self._session.flavor:
            self.link.attempt(self._session.begin, "START")
        name = self._session.flavor
        if name not in FLAVORS:
            raise InstrumentFault(
                f"{self.name} is a {name!r}, whose limits are not known; there are {', '.join(FLAVORS)}"
            )
        return FLAVORS[name]

    @property
    def _tells_mode(self) -> bool:
        return not self.flavor.is_driven_only

    # --- readings

    def temperature(self) -> Reading:
        """Read the temperature, K.

        Raises:
            InstrumentFault: in a fault state, or one without meaning.
            CommunicationError: if no reply fits the question.
        """
        kelvin, words = self._asked("TEMP?", "K")
        return self._temperature_reading(temperature_code(words), kelvin)

    def field(self) -> Reading:
        """Read the field as MultiVu reports it, Oe; raises as :meth:`temperature` does."""
        oersted, words = self._asked("FIELD?", "Oe")
        return self._field_reading(field_code(words), oersted, "ramping" if words == RAMPING else "")

    def snapshot(self) -> tuple[Reading, Reading]:
        """Read temperature and field, one right after the other; raises as :meth:`temperature` does."""
        return self.temperature(), self.field()

    def look(self) -> tuple[Reading | OnnesError, Reading | OnnesError, str | OnnesError]:
        """Read temperature, field and chamber; the fault of one takes only its own place.

        Raises:
            CommunicationError: if no reply fits a question.
        """
        return _or_fault(self.temperature), _or_fault(self.field), _or_fault(self.chamber_state)

    def chamber_state(self) -> str:
        """Read the state of the chamber in words.

        Raises:
            InstrumentFault: in a fault state, or where the machine has no chamber.
        """
        if not self.flavor.has_chamber:
            raise InstrumentFault(
                f"{self.name} is an {self._session.flavor}, which has no chamber; "
                "take the role chamber out of the station file"
            )
        return chamber_words(chamber_code(self._asked("CHAMBER?", "")[1]))

    def answer(self) -> None:
        """Ask a question that changes nothing; raise CommunicationError if the answer does not fit."""
        self.temperature_setpoint_in_full()

    def _asked(self, action: str, unit: str) -> tuple[float, str]:
        asked = self.link.clock.now()
        found = self._session.query(action, partial(reading, unit=unit))
        self._sampled = 0.5 * (asked + self.link.clock.now())
        return found

    # --- limits

    @property
    def temperature_limits(self) -> Limits:
        """Return the allowed temperatures, K."""
        return self.flavor.temperature

    @property
    def temperature_rate_limits(self) -> Limits:
        """Return the allowed rates, K/min."""
        return self.flavor.temperature_rate

    @property
    def field_limits(self) -> Limits:
        """Return the allowed fields, Oe."""
        return self.flavor.field

    @property
    def field_rate_limits(self) -> Limits:
        """Return the allowed rates, Oe/s."""
        return self.flavor.field_rate

    # --- setpoints

    def temperature_setpoint_in_full(self) -> TemperatureSetpoint:
        """Read setpoint, rate and approach of the temperature."""
        found = self._session.query("TEMP_SETPOINTS?", temperature_setpoint)
        self._rate_k_per_min = found.rate_k_per_min
        return found

    def field_setpoint_in_full(self) -> FieldSetpoint:
        """Read setpoint, rate, approach and mode of the field.

        An MPMS3 does not tell them. There it is what was set here as long as the field moves or rests within
        1 Oe of it, and the field itself where that rests elsewhere: somebody else has set that.

        Raises:
            CommunicationError: if it moves, and nothing was set here.
        """
        if self.flavor.reads_field_setpoint:
            return self._session.query("FIELD_SETPOINTS?", field_setpoint)
        now, told = self.field(), self._told_field
        if told is not None and (not now.is_stable or abs(now.value - told.field_oe) <= _THERE_OE):
            return told
        if not now.is_stable:
            raise CommunicationError(
                f"{self.name}: the field is at {now.value:.9g} Oe ({now.state}), and nothing set here says "
                "where to; an MPMS3 does not tell its field setpoint: wait until it rests"
            )
        return FieldSetpoint(now.value, self.field_rate_limits.high, "linear", "driven")

    def set_field(
        self,
        field_oe: float,
        rate_oe_per_s: float,
        approach: FieldApproach = "linear",
        mode: FieldMode = "driven",
    ) -> None:
        """Start a ramp to ``field_oe``; send nothing where that is the setpoint already.

        Raises:
            LimitError: if field or rate is out of range, or the machine lacks approach or mode; nothing was
                sent.
            InstrumentFault: if another setpoint is read back, or an MPMS3 does not begin to ramp.
            CommunicationError: as for ``set_temperature``.
        """
        flavor, name = self.flavor, self._session.flavor
        if approach not in flavor.approaches:
            raise LimitError(
                f"approach = {approach!r} is not among {', '.join(flavor.approaches)}, set by the {name}; "
                "nothing was sent"
            )
        if mode == "persistent" and flavor.is_driven_only:
            raise LimitError(
                f"mode = 'persistent' is not allowed by the MultiVu server of the {name}, which only drives "
                "the magnet; write driven; nothing was sent"
            )
        super().set_field(float(field_oe), float(rate_oe_per_s), approach, mode)

    def forget_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""
        super().forget_setpoints()
        self._told_field = None

    def _send_field(
        self, before: FieldSetpoint, field_oe: float, rate: float, approach: FieldApproach, mode: FieldMode
    ) -> None:
        if self.flavor.reads_field_setpoint:
            super()._send_field(before, field_oe, rate, approach, mode)
            return
        codes = FIELD_APPROACHES.index(approach), FIELD_MODES.index(mode)
        start, known = self.field(), self._field
        known.came_from = known.confirmed = None  # also a message that fails may have got through
        is_persistent = start.state == FieldStatus.PERSISTENT.words
        lag_s = LAG_OF_LEADS_S if is_persistent else LAG_OF_FIELD_S
        known.doubted_until = self.link.clock.now() + lag_s
        self._told_field = FieldSetpoint(field_oe, rate, approach, mode)
        self._tell(self._command("FIELD", field_oe, rate, *codes))
        self._await_ramp(start, field_oe, 2.0 * lag_s)
        known.came_from, known.confirmed = before.field_oe, field_oe

    def _await_ramp(self, start: Reading, field_oe: float, within_s: float) -> None:
        """Wait until the field shows that it obeys: it left its rest, or is on its way or at the target.

        Raises:
            InstrumentFault: if it does not within ``within_s``.
        """
        clock = self.link.clock
        until = clock.now() + within_s
        rested = start.state in _REST_WORDS
        while True:
            now = self.field()
            left_oe = abs(now.value - field_oe)
            if left_oe <= max(_THERE_OE, abs(start.value - field_oe) - _MOVED_OE):
                return
            if rested and now.state not in _REST_WORDS:
                return
            if clock.now() >= until:
                raise InstrumentFault(
                    f"{self.name} was told field {field_oe:.9g} Oe, but {within_s:g} s later is "
                    f"at {now.value:.9g} Oe ({now.state}); it refused, or somebody else sets it: "
                    "look at MultiVu"
                )
            clock.sleep(_LOOK_EVERY_S)

    def _command(self, action: str, *numbers: float) -> str:
        return f"{action} {_numbers(*numbers)}"

    def _tell(self, message: str) -> None:
        action, _, query = message.partition(" ")
        # A reply that is lost says nothing about the setpoint; that is read back next in any case.
        with suppress(CommunicationError):
            self._session.tell(action, query)


def _or_fault(read: Callable[[], Found]) -> Found | InstrumentFault:
    try:
        return read()
    except InstrumentFault as fault:
        return fault


def _numbers(*values: float) -> str:
    return ",".join(str(value) if isinstance(value, int) else decimal(value) for value in values)
