"""Lake Shore 336 and 340 temperature controllers: a thermostat without a magnet, as for a dip probe.

PyMeasure's drivers send six digits unchecked, know neither ramps nor the status of a sensor, and name an
output in ``RANGE``, which a 340 has not; nothing of them is kept. Commands are those of the manuals; (k) is
general knowledge, (a) assumed.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from pymeasure.adapters import Adapter

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError, InstrumentFault, LimitError
from onnes.instruments.lakeshore_heater import LOOP, LakeShoreHeater
from onnes.instruments.lakeshore_replies import HeaterLoop, Look, heater_loop, look, numbers, reading_faults
from onnes.instruments.limits import Limits
from onnes.instruments.ppms_regulated import Regulated
from onnes.instruments.ppms_replies import TemperatureSetpoint
from onnes.instruments.protocols import Reading, TemperatureApproach

# What the controller keeps of a setpoint and of a rate, K and K/min (k).
_STEP_K, _RATE_STEP = 1e-3, 1e-3

# The controller has no word for "settled". A temperature counts as stable when the setpoint has stopped and
# the reading was within 10 mK or 0.05 % of it at each look of the last 30 s; looks are not farther apart than
# that. Procedures then ask for a slope (a).
_WITHIN_K, _WITHIN_FRACTION, _STABLE_FOR_S = 0.01, 5e-4, 30.0

# Setpoint and temperature that far apart do not belong together, as after a cool-down that did not keep up.
_APART_K = 2.0

# How long the status of the ramp may be about the setpoint before (a).
_LAG_S = 1.0

_ROOM_FOR_SENSORS_K = (1.4, 325.0)  # the curve of a DT-670 diode (k)
_RAMPING = 1 << 8  # in the status of a reading, above the eight bits of RDGST?


class _LakeShore(LakeShoreHeater):
    """What both controllers have in common: loop 1, its control input, its heater.

    ``SETP?`` tells where a ramping setpoint is, not where it goes (k). While it is on the way that was set
    here, its target counts as read back; a target that the controller did not take shows when the setpoint
    passes it or stops elsewhere.
    """

    temperature_rate_limits: ClassVar[Limits] = Limits(0.1, 100.0, "K/min", "the Lake Shore")
    hint: ClassVar[str] = "look at cable, power, address and the interface that its front panel has chosen"
    _heater_question: ClassVar[str]
    _heater_faults: ClassVar[Mapping[int, str]]

    def __init__(
        self, adapter: Adapter | str, name: str = "", clock: Clock | None = None, **kwargs: object
    ) -> None:
        super().__init__(adapter, name or f"Lake Shore {self.model_name}", clock, includeSCPI=False, **kwargs)
        self._temperature = Regulated()
        self._input = "A"
        self._tlimit_k = 0.0
        self._way: tuple[float, float] | None = None  # of the setpoint as it was set here: from, to
        self._rate_k_per_min = 0.0
        self._inside_since: float | None = None
        self._looked = 0.0

    def connect(self) -> str:
        """Clear the line, learn which input loop 1 controls by, and return the identification; set nothing.

        Raises:
            CommunicationError: if another instrument answers.
            ConfigurationError: if loop 1 does not regulate in kelvin.
        """
        identity = super().connect()
        loop = self._control()
        if not loop.is_closed or not loop.in_kelvin:
            raise ConfigurationError(
                f"{self.name}: loop {LOOP} does not regulate a temperature in kelvin; set it to closed loop "
                "PID with setpoints in kelvin on the front panel"
            )
        self._input = loop.channel
        (self._tlimit_k,) = self.link.query(f"TLIMIT? {self._input}", lambda reply: numbers(reply, 1))
        return f"{identity}, loop {LOOP} by input {self._input}"

    @abstractmethod
    def _control(self) -> HeaterLoop:
        """Read how loop 1 is set up."""

    @property
    def temperature_limits(self) -> Limits:
        """Return the allowed setpoints, K; above its temperature limit the controller switches itself off."""
        low, high = _ROOM_FOR_SENSORS_K
        set_by = f"the {self.name}"
        if self._tlimit_k and self._tlimit_k < high:
            high, set_by = self._tlimit_k, f"TLIMIT {self._input} of the {self.name}"
        return Limits(low, high, "K", set_by)

    # --- reading

    def temperature(self) -> Reading:
        """Read the temperature of the control input, K.

        Raises:
            InstrumentFault: if the sensor does not read, the heater has failed, or it is off though a
                setpoint was set here.
            CommunicationError: if no reply fits the question.
        """
        asked = self.link.clock.now()
        found = self._look()
        time = 0.5 * (asked + self.link.clock.now())
        faults = reading_faults(found.reading_status)
        if faults:
            raise InstrumentFault(
                f"input {self._input} of {self.name}: {faults} (RDGST {found.reading_status}); "
                "look at the sensor and its leads before going on"
            )
        if found.heater_status:
            what = self._heater_faults.get(found.heater_status, "an error without a name")
            raise InstrumentFault(
                f"heater of {self.name}: {what} (HTRST {found.heater_status}) at {found.kelvin:.9g} K; "
                "look at the heater and its leads before going on"
            )
        if not found.range and self._temperature.confirmed is not None:
            raise InstrumentFault(
                f"the heater of {self.name} is off at {found.kelvin:.9g} K, though its setpoint is "
                f"{found.setpoint:.9g} K; switch its range on again and look why it went off"
            )
        return self._reading(found, time)

    def _look(self) -> Look:
        question = (
            f"KRDG? {self._input};RDGST? {self._input};SETP? {LOOP};RAMPST? {LOOP};"
            f"{self._range_question};{self._heater_question}"
        )
        return self.link.query(question, look)

    def _reading(self, found: Look, time: float) -> Reading:
        within = max(_WITHIN_K, _WITHIN_FRACTION * found.setpoint)
        is_inside = not found.is_ramping and abs(found.kelvin - found.setpoint) <= within
        if not is_inside or not found.range:
            self._inside_since = None
        elif self._inside_since is None or time - self._looked > _STABLE_FOR_S:
            self._inside_since = time
        self._looked = time
        since = self._inside_since
        is_stable = since is not None and time - since >= _STABLE_FOR_S
        if not found.range:
            state = "heater off"
        else:
            state = "ramping" if found.is_ramping else "stable" if is_stable else "settling"
        status = found.reading_status | (_RAMPING if found.is_ramping else 0)
        is_believed = self._temperature.is_believed(self.link.clock.now(), rests=is_stable)
        return Reading(found.kelvin, time, state, is_stable and is_believed, status)

    # --- setpoint

    def temperature_setpoint_in_full(self) -> TemperatureSetpoint:
        """Read setpoint and rate; a rate of 0 where the controller does not ramp."""
        question = f"SETP? {LOOP};RAMPST? {LOOP};RAMP? {LOOP}"

        setpoint, is_ramping, ramps, rate = self.link.query(
            question, lambda reply: numbers(reply.replace(";", ","), 4)
        )
        self._rate_k_per_min = rate if ramps else 0.0
        return TemperatureSetpoint(
            self._goes_to(setpoint, is_ramping=bool(is_ramping)), self._rate_k_per_min, "fast_settle"
        )

    def _goes_to(self, setpoint: float, *, is_ramping: bool) -> float:
        """Return where the setpoint goes, as far as it is known here; else where it is."""
        if self._way is None:
            return setpoint
        start, target = self._way
        has_arrived = abs(setpoint - target) <= _STEP_K
        is_on_way = is_ramping and min(start, target) - _STEP_K <= setpoint <= max(start, target) + _STEP_K
        return target if has_arrived or is_on_way else setpoint

    def temperature_setpoint(self) -> float:
        """Read the setpoint back, K: its target while it is on the way that was set here."""
        return self.temperature_setpoint_in_full().kelvin

    def commanded_rate_k_per_min(self) -> float:
        """Return the rate that was read back with the setpoint last, K/min; 0 before there was one."""
        return self._rate_k_per_min

    def confirmed_temperature(self) -> float | None:
        """Return the setpoint that was set here and read back last, K; None where none is to rely on."""
        return self._temperature.confirmed

    def forget_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""
        self._temperature.confirmed = None
        self._way = None

    def set_temperature(
        self, kelvin: float, rate_k_per_min: float, approach: TemperatureApproach = "fast_settle"
    ) -> None:
        """Start a ramp to ``kelvin``; send nothing where that is the setpoint already.

        Raises:
            LimitError: if temperature or rate is out of range, or another approach than the ramp itself is
                asked for; nothing was sent.
            InstrumentFault: if the heater is off, or another setpoint is read back.
            CommunicationError: if it cannot be sent or read back. Whether it arrived is not known then; the
                next call reads back before it sends.
        """
        self.temperature_limits.check("temperature", kelvin)
        self.temperature_rate_limits.check("temperature rate", rate_k_per_min)
        if approach != "fast_settle":
            raise LimitError(
                f"approach = {approach!r} is not known to the {self.name}, which only ramps; "
                "ask for a slower rate; nothing was sent"
            )
        before = self.temperature_setpoint_in_full()
        now = self._look()
        if not now.range:
            raise InstrumentFault(
                f"the heater of {self.name} is off and cannot bring it to {kelvin:.9g} K; switch its range "
                f"on, at the front panel or as heater_range (1 to {self.range_limits.high:.0f}); "
                "nothing was sent"
            )
        same_target = abs(before.kelvin - kelvin) <= _STEP_K / 10
        if same_target and (
            abs(before.rate_k_per_min - rate_k_per_min) <= _RATE_STEP
            or (not now.is_ramping and self._inside_since is not None)
        ):
            self._temperature.confirmed = before.kelvin
            return
        self._send(before, now, kelvin, rate_k_per_min, same_target=same_target)

    def _send(
        self, before: TemperatureSetpoint, now: Look, kelvin: float, rate: float, *, same_target: bool
    ) -> None:
        start = _here(now)
        message = f"RAMP {LOOP},1,{rate:.9g};SETP {LOOP},{kelvin:.9g}"
        if now.is_ramping or start != now.setpoint:  # one that goes on meanwhile would begin elsewhere
            message = f"RAMP {LOOP},0,{rate:.9g};SETP {LOOP},{start:.3f};{message}"
        self._way = (start, kelvin)
        self._inside_since = None
        got = self._temperature.send(
            self.link,
            message,
            self.temperature_setpoint_in_full,
            lambda now: abs(now.kelvin - kelvin) <= _STEP_K and abs(now.rate_k_per_min - rate) <= _RATE_STEP,
            f"temperature {kelvin:.9g} K at {rate:.9g} K/min",
            was=before,
            came_from=None if same_target else before.kelvin,
            lag_s=_LAG_S,
            write=self.link.write,
        )
        self._temperature.confirmed = got.kelvin

    def hold_temperature(self) -> None:
        """Stop a ramp where it is, also of a probe that is far behind; at rest and unheated send nothing."""
        now = self._look()
        here = _here(now)
        if now.range and (now.is_ramping or here != now.setpoint):
            before = self.temperature_setpoint_in_full()
            rate = before.rate_k_per_min or self.temperature_rate_limits.high  # it does not ramp
            self._send(before, now, here, rate, same_target=False)

    # --- safe state

    def hold(self, *, temperature: bool = False) -> str:
        """Leave the setpoint, or with ``temperature`` stop a ramp where it is; return what was read back.

        A part in a fault state gets no command: leaving it alone is its safe state, and a person must look.

        Raises:
            InstrumentFault: if the controller does not take the order to hold.
            CommunicationError: if the controller does not answer.
        """
        try:
            self.temperature()
        except InstrumentFault as fault:
            return f"nothing was sent: {fault}"
        if temperature:
            self.hold_temperature()
        done = "held" if temperature else "setpoint left"
        return (
            f"temperature {done} at {self.temperature_setpoint():.9g} K, heater range {self.heater_range}, "
            f"output {self.heater_output:.3g} %"
        )

    def safe_state(self) -> str:
        """Leave setpoint and heater as they are and say what they are; raises as :meth:`hold` does.

        Switched off, the heater would let the probe fall to the bath, and water into a sample that is warm.
        """
        return self.hold()


def _here(now: Look) -> float:
    """Return where a ramp begins or is held, K: at the setpoint, or at a probe that is far from it."""
    return round(now.kelvin if abs(now.kelvin - now.setpoint) > _APART_K else now.setpoint, 3)


class LakeShore336(_LakeShore):
    """Lake Shore 336; loop 1 is its output 1, 100 W at most."""

    model_name: ClassVar[str] = "336"
    _range_question = "RANGE? 1"
    _range_command = "RANGE 1,{}"
    _heater_question = "HTRST? 1"
    _output_question = "HTR? 1"
    _heater_faults: ClassVar[Mapping[int, str]] = {1: "open load", 2: "short circuit"}
    range_limits = Limits(0, 3, "", "the Lake Shore 336")

    def _control(self) -> HeaterLoop:
        mode, number, _ = self.link.query("OUTMODE? 1", lambda reply: numbers(reply, 3))
        channel = "ABCD"[int(number) - 1] if 1 <= number <= 4 else ""
        if not channel:
            return HeaterLoop(channel, is_closed=False, in_kelvin=False)
        units = self.link.query(f"INTYPE? {channel}", lambda reply: numbers(reply, 5))[4]
        return HeaterLoop(channel, is_closed=mode in (1, 2), in_kelvin=units == 1)


class LakeShore340(_LakeShore):
    """Lake Shore 340; ``RANGE``, ``HTR?`` and ``HTRST?`` name no output: only loop 1 has a heater."""

    model_name: ClassVar[str] = "340"
    _range_question = "RANGE?"
    _range_command = "RANGE {}"
    _heater_question = "HTRST?"
    _output_question = "HTR?"
    _heater_faults: ClassVar[Mapping[int, str]] = {  # (k)
        1: "power supply over voltage",
        2: "power supply under voltage",
        3: "output converter error",
        4: "current limit converter error",
        5: "open load",
        6: "load below 10 ohm",
    }
    range_limits = Limits(0, 5, "", "the Lake Shore 340")

    def _control(self) -> HeaterLoop:
        return self.link.query(f"CSET? {LOOP}", heater_loop)
