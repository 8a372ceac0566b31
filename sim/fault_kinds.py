"""The catalogue of everything that the virtual lab can do wrong: each kind, its layer, and what it takes.

Sizes without a source are assumptions; a fault sets its own in ``args``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from onnes.sim.scpi_kinds import ERRORS

Layer = Literal["wire", "front end", "wiring", "plant", "server", "multivu"]

WireFault = Literal[
    "timeout", "latency", "garbage", "partial", "stale", "drop", "scpi_error", "wrong_idn", "busy"
]
FrontEndFault = Literal["stuck", "offset", "drift", "range_stuck", "overload"]
WiringFault = Literal["contact_open", "compliance", "lead_noise", "line_spur"]
PlantFault = Literal[
    "quench",
    "switch_heater_stuck",
    "persistent_leak",
    "field_offset",
    "reservoir_fill",
    "heater_lost",
    "overshoot",
    "thermometer_error",
    "standby",
    "helium_low",
    "chamber_leak",
    "foreign_setpoint",
]
ServerFault = Literal[
    "connection_refused",
    "dead_client",
    "late_confirmation",
    "server_version",
    "set_ignored",
    "split_frame",
    "swallowed_request",
]
MultiVuFault = Literal[
    "sequence_stopped",
    "operator_absent",
    "file_replaced",
    "file_truncated",
    "partial_row",
    "unknown_column",
    "second_header",
]
FaultName = Literal[WireFault, FrontEndFault, WiringFault, PlantFault, ServerFault, MultiVuFault]

_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in ``args``, from ``low`` to ``high`` in ``unit``; if ``allowed`` says any, one of those."""

    default: float | None
    low: float
    high: float
    unit: str
    allowed: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A text in ``args``; if ``choices`` says any, one of those."""

    default: str | None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What one kind of fault is.

    ``part`` is who a fault of the plant befalls, as the journal calls it. One that ``lasts`` begins and ends:
    after ``args.seconds``, at ``until``, or never. Of the arguments in ``needs`` a fault gives at least one.
    """

    layer: Layer
    about: str
    args: Mapping[str, Quantity | Words] = field(default_factory=dict)
    part: str = ""
    lasts: bool = False
    needs: tuple[str, ...] = ()


def _wire(about: str, args: Mapping[str, Quantity | Words] | None = None) -> FaultKind:
    return FaultKind("wire", about, args or {})


def _lasting(
    layer: Layer,
    about: str,
    args: Mapping[str, Quantity | Words] | None = None,
    part: str = "",
    seconds: float | None = None,
) -> FaultKind:
    lasts = {"seconds": Quantity(seconds, 1.0, 7 * _DAY_S, "s")}
    return FaultKind(layer, about, {**(args or {}), **lasts}, part, lasts=True)


FAULT_KINDS: Final[Mapping[str, FaultKind]] = {
    # --- wire: one message or its reply
    "timeout": _wire("the reply never comes"),
    "latency": _wire("the reply comes later", {"seconds": Quantity(3.0, 0.0, _DAY_S, "s")}),
    "garbage": _wire(
        "every second character of the reply is '?', or the reply is text", {"text": Words(None)}
    ),
    "partial": _wire(
        "the reply ends early, after half of it or some bytes, without its terminator",
        {"bytes": Quantity(None, 0.0, 1e6, "")},
    ),
    "stale": _wire("the reply before comes first, then the right one"),
    "drop": _wire(
        "the message never reaches the instrument, question or command; for a pulled cable give until"
    ),
    "scpi_error": _wire(
        "a SCPI instrument does not obey the message and queues an error",
        {"code": Quantity(-102.0, -499.0, -100.0, "", tuple(float(code) for code in ERRORS if code < 0))},
    ),
    "wrong_idn": _wire(
        "another instrument answers *IDN?",
        {"text": Words("KEITHLEY INSTRUMENTS INC.,MODEL 2000,SIM0009,A01")},
    ),
    "busy": _lasting("wire", "the instrument obeys but answers nothing until it ends", seconds=60.0),
    # --- front end: what a meter makes of its input
    "stuck": _lasting("front end", "every reading repeats the last one"),
    "offset": _lasting("front end", "a voltage is added", {"volts": Quantity(1e-6, -10.0, 10.0, "V")}),
    "drift": _lasting(
        "front end",
        "a voltage is added that grows from the beginning on",
        {"volts_per_s": Quantity(1e-9, -1e-3, 1e-3, "V/s")},
    ),
    "range_stuck": _lasting(
        "front end",
        "it stays in one range, beyond which it overflows",
        {"volts": Quantity(0.01, 0.01, 100.0, "V")},
    ),
    "overload": _lasting("front end", "every reading is over range, 9.9E37"),
    # --- wiring: what happens to the leads of a loop
    "contact_open": _lasting(
        "wiring",
        "current: the source is in compliance; voltage: the meter sees noise and drift of an open input",
        {"contacts": Words("current", ("current", "voltage")), "volts": Quantity(1e-3, 0.0, 10.0, "V")},
    ),
    "compliance": _lasting(
        "wiring",
        "a current contact gets a resistance, which the source may be unable to drive",
        {"ohm": Quantity(1e6, 0.0, 1e12, "ohm")},
    ),
    "lead_noise": _lasting(
        "wiring", "white noise on the voltage leads, rms in 20 ms", {"volts": Quantity(1e-6, 0.0, 10.0, "V")}
    ),
    "line_spur": _lasting(
        "wiring",
        "a sine on the voltage leads; mains are never quite at their frequency",
        {"volts": Quantity(1e-4, 0.0, 10.0, "V"), "hz": Quantity(50.05, 0.1, 1e5, "Hz")},
    ),
    # --- plant: agenda events
    "quench": _lasting(
        "plant",
        "the field dies away with 1.5 s, status 11, and heats the sample; a person clears it",
        {"kick_k": Quantity(4.0, 0.0, 100.0, "K"), "helium_percent": Quantity(15.0, 0.0, 100.0, "%")},
        "magnet",
    ),
    "switch_heater_stuck": _lasting(
        "plant", "the persistent switch neither opens nor closes until it ends", part="magnet"
    ),
    "persistent_leak": _lasting(
        "plant",
        "the persistent current decays, which the reported field does not show",
        {"percent_per_h": Quantity(0.5, 0.0, 100.0, "%/h")},
        "magnet",
    ),
    "field_offset": _lasting(
        "plant",
        "the sample sees more field than is reported",
        {"oe": Quantity(20.0, -1e4, 1e4, "Oe")},
        "magnet",
    ),
    "reservoir_fill": _lasting(
        "plant",
        "temperature status 7, and the ramp stands still until it ends",
        part="cryostat",
        seconds=900.0,
    ),
    "heater_lost": _lasting(
        "plant",
        "control is off: the temperature falls, status 13 or 14, and setpoints are only noted",
        {
            "k_per_min": Quantity(2.0, 0.0, 20.0, "K/min"),
            "code": Quantity(13.0, 13.0, 14.0, "", (13.0, 14.0)),
        },
        "cryostat",
    ),
    "overshoot": FaultKind(
        "plant",
        "the temperature swings, first up, and comes back by itself",
        {"kelvin": Quantity(1.0, -20.0, 20.0, "K")},
        "cryostat",
    ),
    "thermometer_error": _lasting(
        "plant",
        "the thermometer reads too much; the controller takes the sample that much lower",
        {"kelvin": Quantity(0.1, -10.0, 10.0, "K")},
        "cryostat",
    ),
    "standby": _lasting(
        "plant",
        "the controller restarts: its timestamp begins anew, temperature status 10 until a TEMP or the end",
        {"k_per_min": Quantity(0.1, 0.0, 20.0, "K/min")},
        "cryostat",
    ),
    "helium_low": _lasting(
        "plant",
        "the helium level falls to percent; at the end it is refilled",
        {"percent": Quantity(30.0, 0, 100, "%")},
        "helium",
    ),
    "chamber_leak": _lasting(
        "plant",
        "air leaks into the sample space, chamber status 15, or 14 at high vacuum",
        {"tau_s": Quantity(3600.0, 1.0, 1e7, "s")},
        "chamber",
    ),
    "foreign_setpoint": FaultKind(
        "plant",
        "someone types another setpoint at MultiVu; befalls cryostat or magnet",
        {
            "temperature_k": Quantity(None, 1.7, 402.0, "K"),
            "field_oe": Quantity(None, -160_000.0, 160_000.0, "Oe"),
        },
        needs=("temperature_k", "field_oe"),
    ),
}

# Only a lab with MultiVu has these, so they are no faults that a campaign may draw for any night.
MULTIVU_FAULT_KINDS: Final[Mapping[str, FaultKind]] = {
    # --- what was seen of its server 3.8.0
    "connection_refused": _lasting("server", "it takes no new connection", seconds=1.0),
    "dead_client": _lasting(
        "server", "a client that dies without CLOSE keeps its slot, and no START is answered after that"
    ),
    "late_confirmation": _lasting(
        "server", "a reply that is not confirmed within 3 s kills it: silence until the fault ends"
    ),
    "server_version": _lasting("server", "START tells another version", {"text": Words("3.7.1")}),
    "set_ignored": _lasting(
        "server",
        "it says something to a setpoint, which MultiVu does not take",
        {"says": Words("unconfirmed", ("unconfirmed", "nothing", "received"))},
    ),
    "split_frame": _lasting(
        "server", "a frame that comes in two pieces kills it: silence until the fault ends"
    ),
    "swallowed_request": _lasting("server", "a request within 5 ms of a confirmation is never looked at"),
    # --- its sequence, its operator, its data file
    "sequence_stopped": FaultKind("multivu", "somebody stops the sequence that runs, so no more rows come"),
    "operator_absent": _lasting("multivu", "nobody comes to start a sequence"),
    "file_replaced": FaultKind(
        "multivu", "before the next row the data file is renamed, and a new one begins under its name"
    ),
    "file_truncated": FaultKind("multivu", "before the next row the data file loses its second half"),
    "partial_row": FaultKind(
        "multivu",
        "the next row is written in two pieces, so long apart",
        {"seconds": Quantity(20.0, 0.0, 3600.0, "s")},
    ),
    "unknown_column": FaultKind("multivu", "the next data file has a column that no manual names"),
    "second_header": FaultKind("multivu", "before the next row the head of the file is written again"),
}
