"""Lake Shore 336 and 340 temperature controllers: the skin over the cryostat.

The command tables are those of the manuals; (k) is general knowledge to be checked against them, (a) assumed.
There is no error queue: what a controller does not understand or refuses sets a bit of ``*ESR?`` and is
answered with silence. A controller is left with its heater on, as whoever measures finds it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from onnes.sim.device import Device, InstrumentSettings
from onnes.sim.journal import JournalEntry
from onnes.sim.lakeshore_dialect import (
    COMMAND,
    Number,
    Refused,
    Setting,
    Word,
    mask,
    one,
    parsed,
    whole,
)
from onnes.sim.lakeshore_loop import LakeShoreLoop

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_OPERATION_COMPLETE, _POWER_ON = 1, 128  # of the standard event register, IEEE 488.2 11.5
_MESSAGE_AVAILABLE, _EVENT_SUMMARY, _SERVICE_REQUEST = 16, 32, 64
# RDGST?: what is wrong with a reading; both for a sensor whose leads are open (manual).
_TEMPERATURE_OVER, _UNITS_OVER = 32, 128
_INVALID = 1
_CELSIUS: Final = 273.15
_FASTEST_K_PER_MIN: Final = 100.0
_DIODE_V: Final = (1.7, 4.0e-3)  # sensor units: a straight line for a silicon diode, V and V/K (a)


class LakeShoreSettings(InstrumentSettings):
    """The table ``[instrument.NAME]`` of a Lake Shore controller.

    ``inputs`` says what hangs on each input: ``sensor``, the thermometer that the loop controls by,
    ``sample``, the stage behind it, or ``open``, a sensor whose leads are broken. ``heater_w`` is the power
    of the highest range, each lower one has a tenth of it; ``loss_w_per_k`` flows to the bath, which is at
    the cryostat's ``lowest_k`` (both a): a range that is too low does not reach the setpoint.
    """

    inputs: dict[Literal["A", "B", "C", "D"], Literal["sensor", "sample", "open"]] = Field(
        default={"A": "sensor", "B": "sample"}
    )
    heater_w: float = Field(default=25.0, gt=0)
    loss_w_per_k: float = Field(default=0.03, gt=0)


_INPUTS: Final = ("A", "B", "C", "D")
_GAINS: Final = (
    Number(0.1, 1000.0, "+07.1f", 50.0),
    Number(0.0, 1000.0, "+07.1f", 20.0),
    Number(0.0, 200.0, "+07.1f", 0.0),
)
_RAMP: Final = (whole(0, 1, 0), Number(0.0, _FASTEST_K_PER_MIN, "+.3f", 1.0))


class _LakeShore(Device):
    """What 336 and 340 have in common; loop 1 heats the cryostat, the others hang on nothing."""

    settings_model = LakeShoreSettings
    terminator: ClassVar[bytes] = b"\r\n"
    drops_unread: ClassVar[bool] = False
    identity: ClassVar[str]
    highest_range: ClassVar[int]
    outputs: ClassVar[tuple[str, ...]]
    own_settings: ClassVar[Mapping[str, Setting]]
    open_load: ClassVar[int]  # what HTRST? says of a heater whose leads are broken
    range_names_output: ClassVar[bool]  # whether RANGE, HTR? and HTRST? take the number of the output

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        wiring = LakeShoreSettings.model_validate(settings.model_dump())
        self._inputs = wiring.inputs
        self._events = _POWER_ON
        self._event_enable = self._service_enable = 0
        self._settings: dict[str, Setting] = {
            "PID": Setting(self.outputs, _GAINS),
            "RAMP": Setting(self.outputs, _RAMP),
            "MOUT": Setting(self.outputs, (Number(0.0, 100.0, "+.2f", 0.0),)),
            "INNAME": Setting(_INPUTS, (Word(15, ""),)),
            "INCRV": Setting(_INPUTS, (whole(0, 60, 21),)),
            "TLIMIT": Setting(_INPUTS, (Number(0.0, 1500.0, "+.3f", 0.0),)),
            **self.own_settings,
        }
        self._values: dict[tuple[str, str], list[float | str]] = {
            (mnemonic, key): [entry.default for entry in setting.fields]
            for mnemonic, setting in self._settings.items()
            for key in setting.keys
        }
        self._idle_ranges = dict.fromkeys(self.outputs, 0)
        self._idle_setpoints = dict.fromkeys(self.outputs, 0.0)
        self._loop = LakeShoreLoop(lab.cryostat, wiring.heater_w, wiring.loss_w_per_k, self.highest_range)
        self._heed_the_panel(0.0)

    # --- messages -------------------------------------------------------------------------------------

    def execute(self, message: str, t: float) -> str | None:
        """Obey one message, its units joined by ``;``, and return the replies."""
        self._heed_the_panel(t)
        replies: list[str] = []
        for unit in message.split(";"):
            if not unit.strip():
                continue
            try:
                reply = self._obey(unit, t)
            except Refused as refused:
                self._events |= refused.bit
                if self.lab.strict:
                    self.lab.journal.append(JournalEntry(t, self.name, "refused", unit.strip()))
            else:
                if reply is not None:
                    replies.append(reply)
        return ";".join(replies) if replies else None

    def _obey(self, unit: str, t: float) -> str | None:
        word, is_query, args = parsed(unit)
        if word in self._settings:
            if is_query:
                return self._asked(word, args)
            self._tell(word, args, t)
            return None
        action = (_QUERIES if is_query else _COMMANDS).get(word)
        if action is None:
            raise Refused(COMMAND)
        return action(self, args, t)

    def _asked(self, word: str, args: Sequence[str]) -> str:
        key = one(args, self._settings[word].keys)
        return ",".join(
            f"{value:<{entry.longest}}"
            if isinstance(entry, Word)
            else format(int(value) if entry.form == "d" else float(value), entry.form)
            for entry, value in zip(self._settings[word].fields, self._values[word, key], strict=True)
        )

    def _tell(self, word: str, args: Sequence[str], t: float) -> None:
        setting = self._settings[word]
        key = one(args[:1], setting.keys)
        texts = args[1:]
        if not texts or len(texts) > len(setting.fields):
            raise Refused(COMMAND)
        new = [entry.value(text) for entry, text in zip(setting.fields, texts, strict=False) if text]
        if len(new) != len(texts):
            raise Refused(COMMAND)
        self._values[word, key][: len(new)] = new
        if (word, key) == ("RAMP", "1"):
            # A ramp that was on its way goes on from where it is, or jumps if ramping is off now (k).
            self._go(self._loop.target, t)

    def _go(self, target: float, t: float) -> None:
        is_on, rate = self._values["RAMP", "1"]
        self._loop.go(t, target, float(rate) if is_on else 0.0)

    def _heed_the_panel(self, t: float) -> None:
        rate = self._loop.heed_the_panel(t)
        if rate is not None:
            self._values["RAMP", "1"] = [int(self._loop.is_ramping(t)), rate]

    def _kelvin(self, channel: str, t: float) -> float | None:
        """Return what an input reads, K; None where no sensor answers."""
        what = self._inputs.get(channel)  # type: ignore[call-overload]  # any text may have been asked for
        if what == "sensor":
            return self.lab.cryostat.reading(t)
        return self.lab.cryostat.sample(t) if what == "sample" else None

    # --- commands -------------------------------------------------------------------------------------

    def _set_setpoint(self, args: Sequence[str], t: float) -> None:
        if len(args) != 2:
            raise Refused(COMMAND)
        output = one(args[:1], self.outputs)
        kelvin = Number(0.0, 1500.0, "", 0.0).value(args[1])
        if output == "1":
            self._go(kelvin, t)
        else:
            self._idle_setpoints[output] = kelvin

    def _get_setpoint(self, args: Sequence[str], t: float) -> str:
        output = one(args, self.outputs)
        # While it ramps, the setpoint on its way is told, not where it goes (k).
        return f"{self._loop.setpoint(t) if output == '1' else self._idle_setpoints[output]:+08.3f}"

    def _get_ramping(self, args: Sequence[str], t: float) -> str:
        return str(int(one(args, self.outputs) == "1" and self._loop.is_ramping(t)))

    def _set_range(self, args: Sequence[str], t: float) -> None:
        if len(args) != 1 + self.range_names_output:
            raise Refused(COMMAND)
        output = one(args[:1], self.outputs) if self.range_names_output else "1"
        number = int(whole(0, self.highest_range, 0).value(args[-1]))
        if output == "1":
            self._loop.heat(t, number)
        else:
            self._idle_ranges[output] = number

    def _output(self, args: Sequence[str]) -> str:
        if self.range_names_output:
            return one(args, self.outputs)
        if args:
            raise Refused(COMMAND)
        return "1"

    def _get_range(self, args: Sequence[str], t: float) -> str:
        del t
        output = self._output(args)
        return str(self._loop.range if output == "1" else self._idle_ranges[output])

    def _get_output(self, args: Sequence[str], t: float) -> str:
        return f"{self._loop.output_percent(t) if self._output(args) == '1' else 0.0:+06.1f}"

    def _get_heater_status(self, args: Sequence[str], t: float) -> str:
        return str(self.open_load if self._output(args) == "1" and self._loop.is_lost(t) else 0)

    def _get_kelvin(self, args: Sequence[str], t: float) -> str:
        return f"{self._kelvin(one(args, _INPUTS), t) or 0.0:+08.4f}"

    def _get_celsius(self, args: Sequence[str], t: float) -> str:
        kelvin = self._kelvin(one(args, _INPUTS), t)
        return f"{0.0 if kelvin is None else kelvin - _CELSIUS:+08.4f}"

    def _get_units(self, args: Sequence[str], t: float) -> str:
        kelvin = self._kelvin(one(args, _INPUTS), t)
        volts, slope = _DIODE_V
        return f"{0.0 if kelvin is None else volts - slope * kelvin:+08.5f}"

    def _get_reading_status(self, args: Sequence[str], t: float) -> str:
        del t
        what = self._inputs.get(one(args, _INPUTS))  # type: ignore[call-overload]  # as in _kelvin
        if what == "open":
            return f"{_TEMPERATURE_OVER + _UNITS_OVER:03d}"
        return f"{_INVALID if what is None else 0:03d}"

    def _get_curve(self, args: Sequence[str], t: float) -> str:
        del t
        number = int(whole(1, 60, 1).value(args[0])) if len(args) == 1 else 0
        if not number:
            raise Refused(COMMAND)
        return f"{f'User {number}':<15},{f'SIM{number:04d}':<10},2,+325.000,1"

    def _identify(self, args: Sequence[str], t: float) -> str:
        del args, t
        return self.identity

    def _reset(self, args: Sequence[str], t: float) -> None:
        """Return to the power-up settings: every heater off (k)."""
        del args
        self._idle_ranges = dict.fromkeys(self.outputs, 0)
        self._loop.heat(t, 0)

    def _clear_status(self, args: Sequence[str], t: float) -> None:
        del args, t
        self._events = 0

    def _take_events(self, args: Sequence[str], t: float) -> str:
        del args, t
        events, self._events = self._events, 0
        return str(events)

    def _is_complete(self, args: Sequence[str], t: float) -> str:
        del args, t
        return "1"

    def _passed(self, args: Sequence[str], t: float) -> str:
        del args, t
        return "0"

    def _note_completion(self, args: Sequence[str], t: float) -> None:
        del args, t
        self._events |= _OPERATION_COMPLETE

    def _set_event_enable(self, args: Sequence[str], t: float) -> None:
        del t
        self._event_enable = mask(args)

    def _get_event_enable(self, args: Sequence[str], t: float) -> str:
        del args, t
        return str(self._event_enable)

    def _set_service_enable(self, args: Sequence[str], t: float) -> None:
        del t
        self._service_enable = mask(args)

    def _get_service_enable(self, args: Sequence[str], t: float) -> str:
        del args, t
        return str(self._service_enable)

    def _status(self, args: Sequence[str], t: float) -> str:
        del args
        return str(self.status_byte(t, message_available=False))

    def status_byte(self, t: float, message_available: bool) -> int:
        """Return the status byte; bit 5 says that an enabled event happened, bit 6 that service is asked."""
        del t
        byte = _MESSAGE_AVAILABLE if message_available else 0
        byte |= _EVENT_SUMMARY if self._events & self._event_enable else 0
        return byte | _SERVICE_REQUEST if byte & self._service_enable else byte


_Action = Callable[[_LakeShore, Sequence[str], float], str | None]

_QUERIES: Final[Mapping[str, _Action]] = {
    "KRDG": _LakeShore._get_kelvin,
    "CRDG": _LakeShore._get_celsius,
    "SRDG": _LakeShore._get_units,
    "RDGST": _LakeShore._get_reading_status,
    "SETP": _LakeShore._get_setpoint,
    "RAMPST": _LakeShore._get_ramping,
    "RANGE": _LakeShore._get_range,
    "HTR": _LakeShore._get_output,
    "HTRST": _LakeShore._get_heater_status,
    "CRVHDR": _LakeShore._get_curve,
    "*IDN": _LakeShore._identify,
    "*ESR": _LakeShore._take_events,
    "*ESE": _LakeShore._get_event_enable,
    "*SRE": _LakeShore._get_service_enable,
    "*STB": _LakeShore._status,
    "*OPC": _LakeShore._is_complete,
    "*TST": _LakeShore._passed,
}
_COMMANDS: Final[Mapping[str, _Action]] = {
    "SETP": _LakeShore._set_setpoint,
    "RANGE": _LakeShore._set_range,
    "*RST": _LakeShore._reset,
    "*CLS": _LakeShore._clear_status,
    "*ESE": _LakeShore._set_event_enable,
    "*SRE": _LakeShore._set_service_enable,
    "*OPC": _LakeShore._note_completion,
}


class LakeShore336(_LakeShore):
    """The four-loop controller: ``RANGE <output>,<0..3>``, the loop of an output by ``OUTMODE``."""

    model = "lakeshore336"
    identity = "LSCI,MODEL336,SIM0336/#######,2.9"
    highest_range = 3
    open_load = 1
    outputs = ("1", "2", "3", "4")
    range_names_output = True
    own_settings: ClassVar[Mapping[str, Setting]] = {
        # mode 1 closed loop PID, input 1 A, power-up off
        "OUTMODE": Setting(("1", "2", "3", "4"), (whole(0, 5, 1), whole(0, 8, 1), whole(0, 1, 0))),
        # type 25 or 50 ohm, largest current 1 A, user current, shows current
        "HTRSET": Setting(
            ("1", "2"),
            (whole(1, 2, 1), whole(0, 4, 2), Number(0.0, 2.0, "+.3f", 0.0), whole(1, 2, 1)),
        ),
        # sensor type 1 diode, autorange, range, compensation, units 1 kelvin
        "INTYPE": Setting(
            _INPUTS,
            (whole(0, 4, 1), whole(0, 1, 0), whole(0, 8, 0), whole(0, 1, 0), whole(1, 3, 1)),
        ),
    }


class LakeShore340(_LakeShore):
    """The two-loop controller: ``RANGE <0..5>`` without an output, the loop by ``CSET`` and ``CMODE``."""

    model = "lakeshore340"
    identity = "LSCI,MODEL340,SIM0340,061407"
    highest_range = 5
    open_load = 5  # (k)
    outputs = ("1", "2")
    range_names_output = False
    own_settings: ClassVar[Mapping[str, Setting]] = {
        # input, units 1 kelvin, on, power-up off
        "CSET": Setting(("1", "2"), (Word(1, "A"), whole(1, 3, 1), whole(0, 1, 1), whole(0, 1, 0))),
        "CMODE": Setting(("1", "2"), (whole(1, 6, 1),)),
        # sensor type 1 silicon diode, units, coefficient, excitation, range
        "INTYPE": Setting(
            _INPUTS,
            (whole(0, 11, 1), whole(0, 2, 1), whole(1, 2, 1), whole(0, 12, 0), whole(0, 13, 0)),
        ),
    }
