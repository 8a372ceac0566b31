"""The station file: which instruments there are and what for, how the sample is wired, what is allowed."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from os.path import normpath
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from onnes.instruments import quantities
from onnes.instruments.instrument_entry import (
    Capability,
    InstrumentEntry,
    capability_problems,
    instrument_problems,
)
from onnes.instruments.interlock_table import (
    InterlockEntry,
    InterlockLevel,
    interlock_levels,
    interlock_problems,
)
from onnes.instruments.limits import Limits
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.toml_file import Problem, line_of, load_toml, one_of, read_text
from onnes.instruments.wiring_table import Wiring, wiring_problems

# How low the sine of a lock-in goes, V rms: Stanford Research's manuals; it cannot be off (SR860 (k)).
_LOWEST_SINE_V = {"sr830": Decimal("0.004"), "sr860": Decimal("1e-9")}


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
    """What an instrument does in the safe state; a source always ramps to 0 first, a sine to its lowest."""

    sine: quantities.Voltage | None = None
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
            yield from capability_problems(
                file.instruments, ("roles", role), instrument, cast(Capability, role)
            )
    if file.roles.thermostat is None and file.roles.magnetometer is None:
        yield Problem(
            ("roles",), "roles names neither a thermostat nor a magnetometer; a station needs one of them"
        )
    for name, wiring in file.wiring.items():
        yield from wiring_problems(file.instruments, name, wiring)
    if file.helium is not None and not 0 < file.helium.minimum < 1:
        yield Problem(
            ("helium", "minimum"), f"minimum = {100 * file.helium.minimum:f} % must be between 0 and 100 %"
        )
    yield from interlock_problems(
        file.interlock_entries,
        file._helium_minimum,
        has_helium_gauge=file.roles.helium_gauge is not None,
    )
    for name, safe in file.safe_state.items():
        yield from _safe_state(file, name, safe)


def _safe_state(file: StationFile, name: str, entry: SafeStateEntry) -> Iterator[Problem]:
    place = ("safe_state", name)
    if name not in file.instruments:
        yield Problem(place, f"no instrument {name!r}{one_of(name, file.instruments)}")
    elif entry.sine is not None:
        driver = file.instruments[name].driver
        lowest = _LOWEST_SINE_V.get(driver)
        if lowest is None:
            yield Problem(place, f"sine: {name} (driver {driver!r}) is no lock-in; take it out")
        elif entry.sine != lowest:
            yield Problem(
                place,
                f"sine = {entry.sine} V is not what {name} does: its sine goes to the lowest, "
                f"{lowest:f} V; expected sine = '{lowest:f} V'",
            )
