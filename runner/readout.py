"""``onnes read`` and ``onnes station test``: what a station has and what it reads now."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError, OwnershipError
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.instruments.survey import Surveyed, survey_station
from onnes.runner.night_thread import station_lock
from onnes.runner.references import find


@dataclass(frozen=True, slots=True)
class ReadoutAnswer:
    """One reading of everything, by instrument; ``tests`` says whether identities are shown too."""

    station: StationFile
    found: tuple[Surveyed, ...]
    tests: bool

    @property
    def exit_code(self) -> int:
        """Return 0, or 3 where an instrument did not answer as it should."""
        return 3 if any(one.problem for one in self.found) else 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "station": self.station.name,
            "simulated": self.station.backend == "simulated",
            "instruments": [asdict(one) for one in self.found],
        }

    def print(self, console: Console) -> None:
        """Print a row a reading."""
        table = Table(box=None, pad_edge=False)
        for title in ("role", "instrument", "quantity", "value", "state", "age"):
            table.add_column(title, overflow="fold")
        for one in self.found:
            rows = [("identity", one.identity or "-", "", "")] if self.tests else []
            for reading in one.readings:
                value = f"{reading.value:.6g}" if isinstance(reading.value, float) else str(reading.value)
                told = f"{value} {reading.unit}".strip()
                rows.append((reading.quantity, told, reading.state, reading.age))
            if not one.readings and not one.problem:
                rows.append(
                    ("-", "nothing can be read from here; in a night the rows of its file tell", "", "")
                )
            if one.problem:
                rows.append(("PROBLEM", one.problem, "", ""))
            roles = ", ".join(one.roles) or "-"
            for row in rows:
                table.add_row(roles, one.instrument, *row)
                roles = ""  # said once an instrument, or a narrow terminal shows little else
        console.print(table, markup=False, highlight=False)
        count = sum(bool(one.problem) for one in self.found)
        lines = [f"{len(self.found)} instruments, {count} with a problem; nothing was set"]
        if self.station.backend == "simulated":
            lines.append("SIMULATED: no hardware was touched")
        for line in lines:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def read_station(reference: str | None, *, tests: bool) -> ReadoutAnswer:
    """Read everything once that the station has.

    Args:
        reference: station file or its name; None for the only one below ``./stations``.
        tests: whether identities are asked for.

    Raises:
        ConfigurationError: if there is no such station.
        OwnershipError: if a runner owns it: its night has all readings, see ``onnes watch``.
    """
    file = load_station_file(_path(reference))
    try:
        with station_lock(file, file.runs_folder):
            return ReadoutAnswer(file, tuple(survey_station(file, WallClock())), tests)
    except OwnershipError as error:
        raise OwnershipError(f"{error}; a night that runs shows what it reads: `onnes watch`") from error


def _path(reference: str | None) -> Path:
    if reference is not None:
        if Path(reference).is_file():
            return Path(reference)
        try:
            return find("station", reference, Path())
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
    found = sorted(Path("stations").glob("*.toml"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.stem for path in found) or "none"
    raise ConfigurationError(f"which station? below ./stations there is {names}; e.g. `onnes read ppms9`")
