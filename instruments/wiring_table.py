"""The tables ``[wiring.NAME]`` of a station file: which instruments measure a sample, and how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from onnes.instruments import quantities
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.instrument_entry import Capability, InstrumentEntry, capability_problems
from onnes.instruments.toml_file import Place, Problem, one_of

Measures = Literal["resistance", "conductance", "susceptibility"]

_SOURCED = ("leads", "compliance", "ramp")
_COIL = ("series", "field_constant", "pickup_constant", "amplitude", "frequency")


@dataclass(frozen=True, slots=True)
class _Method:
    """What a method needs of source and meter, which keys, and which others it knows.

    ``on_relay`` says whether the meter is heard through the serial line of the source alone.
    """

    source: tuple[Capability, ...]
    meter: Capability
    needed: tuple[str, ...] = _SOURCED
    known: tuple[str, ...] = ("abort_ramp",)
    on_relay: bool = False


_METHODS: Mapping[Measures, Mapping[str, _Method]] = {
    "resistance": {
        "reversal": _Method(("current_source",), "nanovoltmeter"),
        "delta": _Method(("alternating_source",), "nanovoltmeter", on_relay=True),
        "lock_in": _Method(("alternating_source", "lock_in"), "lock_in", known=("abort_ramp", "series")),
    },
    "conductance": {
        "lock_in": _Method(("alternating_source",), "lock_in", known=("abort_ramp", "bias_meter")),
        "differential": _Method(("alternating_source",), "nanovoltmeter", on_relay=True),
    },
    "susceptibility": {"mutual_inductance": _Method(("lock_in",), "lock_in", needed=_COIL, known=())},
}
# Refused by name, so that nobody takes its absence for a typing error.
_METHODS_TO_COME = {("resistance", "bridge")}

_OF_METHODS = (*_SOURCED, "abort_ramp", "bias_meter", *_COIL)


class Leads(BaseModel):
    """Which pin of the puck each lead is on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    i_plus: str
    i_minus: str
    v_plus: str
    v_minus: str


@dataclass(frozen=True, slots=True)
class Drive:
    """How a source drives a sample: largest voltage, V, and ramps, A/s; no abort ramp: to 0 within 1 s."""

    compliance_v: float
    ramp_a_per_s: float
    abort_ramp_a_per_s: float | None


@dataclass(frozen=True, slots=True)
class Coil:
    """A drive coil in series with a resistance, its pick-up, and its record: lowest and highest of each."""

    series_ohm: float
    field_oe_per_a: float
    pickup_v_per_hz_emu: float
    amplitude_oe: tuple[float, float]
    frequency_hz: tuple[float, float]


class Wiring(BaseModel):
    """A source and a meter on one sample; which keys there are depends on what it measures, and how.

    ``series`` turns the sine of a lock-in into a current; ``field_constant`` is that of the drive coil,
    ``pickup_constant`` what its pick-up gives, V rms per Hz and emu rms of the first harmonic, ``amplitude``
    (peak) and ``frequency`` its record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    measures: Measures
    method: str
    source: str
    meter: str
    leads: Leads | None = None
    compliance: quantities.Voltage | None = None
    ramp: quantities.CurrentRate | None = None
    abort_ramp: quantities.CurrentRate | None = None
    filters: str = ""
    bias_meter: str | None = None
    series: quantities.ResistanceValue | None = None
    field_constant: quantities.FieldConstant | None = None
    pickup_constant: quantities.PickupConstant | None = None
    amplitude: quantities.FieldRange | None = None
    frequency: quantities.FrequencyRange | None = None

    @property
    def drive(self) -> Drive:
        """Return how the source drives the sample.

        Raises:
            ConfigurationError: if the wiring says nothing about it.
        """
        if self.compliance is None or self.ramp is None:
            raise ConfigurationError(f"a wiring by {self.method!r} has no compliance and no ramp")
        abort = None if self.abort_ramp is None else float(self.abort_ramp)
        return Drive(float(self.compliance), float(self.ramp), abort)

    @property
    def coil(self) -> Coil:
        """Return the coil of a susceptometer.

        Raises:
            ConfigurationError: if the wiring does not say all of it.
        """
        series, field, pickup = self.series, self.field_constant, self.pickup_constant
        if series is None or field is None or pickup is None or not self.amplitude or not self.frequency:
            raise ConfigurationError(f"a wiring by {self.method!r} has no coil")
        (low_oe, high_oe), (low_hz, high_hz) = self.amplitude, self.frequency
        return Coil(
            float(series),
            float(field),
            float(pickup),
            (float(low_oe), float(high_oe)),
            (float(low_hz), float(high_hz)),
        )


def wiring_problems(
    instruments: Mapping[str, InstrumentEntry], name: str, wiring: Wiring
) -> Iterator[Problem]:
    """Yield what is wrong in the table of one wiring."""
    place = ("wiring", name)
    methods = _METHODS[wiring.measures]
    method = methods.get(wiring.method)
    if (wiring.measures, wiring.method) in _METHODS_TO_COME:
        yield Problem(
            (*place, "method"),
            f"method = {wiring.method!r} for {wiring.measures} cannot be built yet{one_of('', methods)}",
        )
    elif method is None:
        yield Problem(
            (*place, "method"),
            f"no method {wiring.method!r} for {wiring.measures}{one_of(wiring.method, methods)}",
        )
    else:
        yield from capability_problems(instruments, (*place, "source"), wiring.source, *method.source)
        yield from capability_problems(instruments, (*place, "meter"), wiring.meter, method.meter)
        yield from _line(instruments, place, wiring, method)
        yield from _lock_in(instruments, place, wiring)
        yield from _keys(place, wiring, method)
    yield from _positive(place, wiring)


def _line(
    instruments: Mapping[str, InstrumentEntry], place: Place, wiring: Wiring, method: _Method
) -> Iterator[Problem]:
    """Yield what is wrong with the line on which the voltage is heard."""
    if method.on_relay:
        entry = instruments.get(wiring.meter)
        if entry is not None and entry.via != wiring.source:
            yield Problem(
                (*place, "meter"),
                f"method = {wiring.method!r} needs {wiring.meter} on the serial line of {wiring.source}, "
                f"which triggers and reads it; expected via = {wiring.source!r} and no resource for it",
            )
        return
    for key, meter in (("meter", wiring.meter), ("bias_meter", wiring.bias_meter)):
        entry = instruments.get(meter or "")
        if entry is not None and entry.via is not None:
            yield Problem(
                (*place, key),
                f"{meter} is heard only through the serial line of {entry.via}: method = {wiring.method!r} "
                "would send each reading over it and hold the source meanwhile; take method = 'delta' for "
                "resistance or 'differential' for conductance, or give the meter's own address as resource",
            )


def _lock_in(instruments: Mapping[str, InstrumentEntry], place: Place, wiring: Wiring) -> Iterator[Problem]:
    """Yield what is wrong where the source is a lock-in, and with the meter of the bias."""
    if wiring.bias_meter is not None:
        yield from capability_problems(
            instruments, (*place, "bias_meter"), wiring.bias_meter, "nanovoltmeter"
        )
    entry = instruments.get(wiring.source)
    if entry is None:
        return
    is_lock_in = "lock_in" in entry.can_be
    if is_lock_in and wiring.source != wiring.meter:
        yield Problem(
            (*place, "source"),
            f"the sine of {wiring.source} is read by {wiring.meter}; expected one lock-in as both",
        )
    if wiring.measures == "resistance" and is_lock_in and wiring.series is None:
        yield Problem(
            place,
            f"{wiring.source} gives a voltage, which a series resistance turns into a current; "
            "expected series = '1 kohm' or the like",
        )
    if wiring.measures == "resistance" and not is_lock_in and wiring.series is not None:
        yield Problem(
            (*place, "series"),
            f"series belongs to the sine of a lock-in; {wiring.source} is a current source; take it out",
        )


def _keys(place: Place, wiring: Wiring, method: _Method) -> Iterator[Problem]:
    for key in _OF_METHODS:
        given = getattr(wiring, key) is not None
        if key in method.needed and not given:
            yield Problem(place, f"the key '{'.'.join(map(str, place))}.{key}' is missing")
        elif given and key not in (*method.needed, *method.known):
            yield Problem(
                (*place, key),
                f"{key} belongs to no {wiring.measures} by {wiring.method!r}; take it out",
            )


def _positive(place: Place, wiring: Wiring) -> Iterator[Problem]:
    for key, value, unit in (
        ("compliance", wiring.compliance, "V"),
        ("ramp", wiring.ramp, "A/s"),
        ("abort_ramp", wiring.abort_ramp, "A/s"),
        ("series", wiring.series, "ohm"),
        ("field_constant", wiring.field_constant, "Oe/A"),
        ("pickup_constant", wiring.pickup_constant, "V/Hz/emu"),
        ("amplitude", wiring.amplitude and wiring.amplitude[0], "Oe"),
        ("frequency", wiring.frequency and wiring.frequency[0], "Hz"),
    ):
        if value is not None and not value > 0:
            yield Problem((*place, key), f"{key} = {value} {unit} must be above zero")
