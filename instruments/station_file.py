"""The station file: which instruments there are and what for, how the sample is wired, what is allowed."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from os.path import normpath
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from onnes.instruments import quantities
from onnes.instruments.instrument_entry import DRIVERS, Capability, InstrumentEntry, instrument_problems
from onnes.instruments.interlock_table import (
    InterlockEntry,
    InterlockLevel,
    interlock_levels,
    interlock_problems,
)
from onnes.instruments.limits import Limits
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.toml_file import Problem, line_of, load_toml, one_of, read_text

# What a wiring needs of source and meter, by method. The others of the specification are refused by name, so
# that nobody takes their absence for a typing error.
_METHODS: Mapping[str, tuple[Capability, Capability]] = {"reversal": ("current_source", "nanovoltmeter")}
_METHODS_TO_COME = ("delta", "lock_in", "bridge", "differential")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class Twin(_Table):
    """The virtual lab that stands in for the station: name or path of a lab file, and its seed."""

    lab: str = "default"
    seed: int | None = None


class Roles(_Table):
    """Which instrument has which capability; a thermostat or a magnetometer there must be."""

    thermostat: str | None = None
    magnet: str | None = None
    chamber: str | None = None
    helium_gauge: str | None = None
    magnetometer: str | None = None


class LimitsTable(_Table):
    """What the station allows; the narrowest of this, the instrument's own and the sample's counts."""

    temperature: quantities.TemperatureRange | None = None
    temperature_rate: quantities.TemperatureRate | None = None
    field: quantities.FieldRange | None = None
    field_rate: quantities.FieldRate | None = None


class Leads(_Table):
    """Which pin of the puck each lead is on."""

    i_plus: str
    i_minus: str
    v_plus: str
    v_minus: str


class Wiring(_Table):
    """A source and a meter on one sample."""

    measures: Literal["resistance", "conductance"]
    method: str
    source: str
    meter: str
    leads: Leads
    compliance: quantities.Voltage
    ramp: quantities.CurrentRate
    abort_ramp: quantities.CurrentRate | None = None
    filters: str = ""


class ResidualField(_Table):
    """What the magnet keeps at zero current; Quantum Design note 1070-207, or a Pd calibration."""

    after_max_field: quantities.Field
    after_oscillate: quantities.Field
    calibration: str | None = None


def _fraction_per_hour(value: object) -> object:
    if not isinstance(value, str) or not value.replace(" ", "").endswith("%/h"):
        raise ValueError(f"{value!r} is no rate of helium use; expected for example '0.4 %/h'")
    return quantities.quantity(value.strip().removesuffix("/h"), "fraction")


UsePerHour = Annotated[float, BeforeValidator(_fraction_per_hour)]


class HeliumUse(_Table):
    """How much of the full dewar goes in an hour."""

    idle: UsePerHour
    ramping: UsePerHour
    driven: UsePerHour


class Helium(_Table):
    """The level at which the interlock trips where ``[interlocks]`` names no other, and what is used.

    Left out on cryogen-free machines.
    """

    minimum: quantities.Fraction
    use: HeliumUse | None = None


class SafeStateEntry(_Table):
    """What an instrument does in the safe state; a source always ramps to 0 first."""

    output: Literal["off"] | None = None
    field: Literal["hold"] | None = None
    temperature: Literal["hold"] | None = None


class SettleDefaults(_Table):
    """When a temperature counts as settled; what is left out has the default of the procedures."""

    within: quantities.Temperature | None = None
    slope: quantities.TemperatureRate | None = None
    for_: Annotated[quantities.Time | None, Field(alias="for")] = None
    then_wait: quantities.Time | None = None
    timeout: quantities.Time | None = None


class Defaults(_Table):
    """What a sequence need not say."""

    settle: SettleDefaults = SettleDefaults()
    poll: quantities.Time | None = None


class StationFile(_Table):
    """A whole station file; :attr:`path` is where it was read from."""

    station: Literal[1]
    name: str
    title: str = ""
    backend: Literal["visa", "simulated"]  # no default: someone has to say it
    runs: str = "runs"
    twin: Twin = Twin()
    instruments: dict[str, InstrumentEntry]
    roles: Roles
    limits: LimitsTable = LimitsTable()
    wiring: dict[str, Wiring] = Field(default_factory=dict)
    residual_field: ResidualField | None = None
    helium: Helium | None = None
    interlock_entries: dict[str, InterlockEntry] = Field(default_factory=dict, alias="interlocks")
    safe_state: dict[str, SafeStateEntry] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    _path: Path = PrivateAttr(default=Path("station.toml"))
    _text: str = PrivateAttr(default="")

    @property
    def path(self) -> Path:
        """Return where the file was read from."""
        return self._path

    @property
    def runs_folder(self) -> Path:
        """Return the folder of the runs, which the file names relative to itself."""
        return self._beside(self.runs)

    def multivu_files(self, name: str | None = None) -> MultiVuFiles | None:
        """Return where the files of a magnetometer's MultiVu are; None where there is no such magnetometer.

        Args:
            name: of the instrument; default the one that ``[roles]`` names.
        """
        entry = self.instruments.get(name or self.roles.magnetometer or "")
        if entry is None or entry.template is None or entry.data is None:
            return None
        return MultiVuFiles(
            template=self._beside(entry.template),
            data=self._beside(entry.data),
            sequences=self._beside(entry.sequences or entry.data),
        )

    def _beside(self, written: str) -> Path:
        """Return a path as people are told it, without a `..`; that of a share stays as it is written."""
        return Path(normpath(self._path.parent.resolve() / written))

    @property
    def lab(self) -> str:
        """Return the virtual lab by name, or by a path that does not depend on the present folder."""
        lab = self.twin.lab
        return str((self._path.parent / lab).resolve()) if "/" in lab or lab.endswith(".toml") else lab

    @property
    def interlocks(self) -> Mapping[str, InterlockLevel]:
        """Return every interlock of the station by name: what the file gives over the defaults."""
        levels = interlock_levels(
            self.interlock_entries,
            self._helium_minimum,
            lambda place: f"{self._path}:{line_of(self._text, place)}",
        )
        watched = self.roles.helium_gauge is not None
        return {name: level for name, level in levels.items() if watched or not name.startswith("helium")}

    @property
    def _helium_minimum(self) -> float | None:
        return None if self.helium is None else float(100 * self.helium.minimum)

    def not_enforced(self) -> tuple[str, ...]:
        """Return ``file:line:column: text`` for each key that is recorded, but that nothing acts on yet."""
        unwatched = None if self.roles.helium_gauge else self.helium
        uncorrected = None if self.roles.magnetometer else self.residual_field
        given = [
            (("helium", "minimum"), unwatched, "name a helium_gauge in [roles], or watch the level yourself"),
            (("residual_field",), uncorrected, "correct fields near zero yourself"),
        ]
        return tuple(
            f"{self._path}:{line_of(self._text, place)}:1: "
            f"{'.'.join(place)} is recorded and not yet enforced; {advice}"
            for place, value, advice in given
            if value is not None
        )

    def narrowed(self, limits: Limits, low: Decimal | None, high: Decimal | None) -> Limits:
        """Return ``limits`` within what this file allows; an end of None allows all."""
        return limits.narrowed(
            Limits(
                limits.low if low is None else float(low),
                limits.high if high is None else float(high),
                limits.unit,
                self._path.name,
            )
        )


def load_station_file(path: Path) -> StationFile:
    """Return what the station file says.

    Raises:
        ConfigurationError: with every problem as ``file:line:column: text``, one a line.
    """
    file = load_toml(path, StationFile, _across_tables)
    file._path, file._text = path, read_text(path)
    return file


def _across_tables(file: StationFile) -> Iterator[Problem]:
    for name in file.instruments:
        yield from instrument_problems(file.instruments, name)
    for role, instrument in file.roles:
        if instrument is not None:
            yield from _can_be(file, ("roles", role), instrument, role)
    if file.roles.thermostat is None and file.roles.magnetometer is None:
        yield Problem(
            ("roles",), "roles names neither a thermostat nor a magnetometer; a station needs one of them"
        )
    for name, wiring in file.wiring.items():
        yield from _wiring(file, ("wiring", name), wiring)
    if file.helium is not None and not 0 < file.helium.minimum < 1:
        yield Problem(
            ("helium", "minimum"), f"minimum = {100 * file.helium.minimum:f} % must be between 0 and 100 %"
        )
    yield from interlock_problems(
        file.interlock_entries,
        file._helium_minimum,
        has_helium_gauge=file.roles.helium_gauge is not None,
    )
    for name in file.safe_state:
        if name not in file.instruments:
            yield Problem(("safe_state", name), f"no instrument {name!r}{one_of(name, file.instruments)}")


def _can_be(file: StationFile, place: tuple[str, ...], instrument: str, needed: str) -> Iterator[Problem]:
    entry = file.instruments.get(instrument)
    if entry is None:
        yield Problem(place, f"no instrument {instrument!r}{one_of(instrument, file.instruments)}")
    elif entry.driver in DRIVERS and needed not in entry.can_be:
        can = ", ".join(sorted(entry.can_be)).replace("_", " ")
        hint = "; give it a host" if needed in DRIVERS[entry.driver] else ""
        yield Problem(
            place,
            f"{instrument} (driver {entry.driver!r}) cannot be a {needed.replace('_', ' ')}; "
            f"it is {can}{hint}",
        )


def _wiring(file: StationFile, place: tuple[str, str], wiring: Wiring) -> Iterator[Problem]:
    if wiring.method in _METHODS_TO_COME or wiring.measures == "conductance":
        yield Problem(
            (*place, "method"),
            f"method = {wiring.method!r} for {wiring.measures} cannot be built yet; "
            "expected method = 'reversal' for resistance",
        )
    elif wiring.method not in _METHODS:
        yield Problem((*place, "method"), f"no method {wiring.method!r}{one_of(wiring.method, _METHODS)}")
    else:
        source, meter = _METHODS[wiring.method]
        yield from _can_be(file, (*place, "source"), wiring.source, source)
        yield from _can_be(file, (*place, "meter"), wiring.meter, meter)
    for key, value, unit in (
        ("compliance", wiring.compliance, "V"),
        ("ramp", wiring.ramp, "A/s"),
        ("abort_ramp", wiring.abort_ramp, "A/s"),
    ):
        if value is not None and not value > 0:
            yield Problem((*place, key), f"{key} = {value} {unit} must be above zero")
