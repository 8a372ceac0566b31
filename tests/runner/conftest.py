"""A night of synthetic data of a known truth, written by the storage, independent of the virtual lab."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import Column, Point, columns_of
from onnes.storage.night import NightFolder
from onnes.storage.run import RunFolder
from onnes.storage.table import RunHeader

Floats = NDArray[np.float64]

_LENGTH_CM, _WIDTH_CM, _THICKNESS_CM = 0.2, 0.1, 2.15e-5


@dataclass(frozen=True, slots=True)
class StoredPoint(Point):
    """The columns of a resistance point, as every measurement of a resistance has them."""

    time_utc: Annotated[str, Column("Time UTC", "", "")]
    elapsed: Annotated[float, Column("Elapsed", "s", "")]
    temperature_setpoint: Annotated[float, Column("Temperature setpoint", "K", "")]
    temperature: Annotated[float, Column("Temperature", "K", "")]
    temperature_before: Annotated[float, Column("Temperature before", "K", "")]
    temperature_after: Annotated[float, Column("Temperature after", "K", "")]
    temperature_rate: Annotated[float, Column("Temperature rate", "K/min", "")]
    field_setpoint: Annotated[float, Column("Field setpoint", "Oe", "")]
    field: Annotated[float, Column("Field", "Oe", "")]
    field_rate: Annotated[float, Column("Field rate", "Oe/s", "")]
    current: Annotated[float, Column("Current", "A", "")]
    voltage: Annotated[float, Column("Voltage", "V", "")]
    resistance: Annotated[float, Column("Resistance", "ohm", "")]
    resistance_error: Annotated[float, Column("Resistance error", "ohm", "")]
    thermal_emf: Annotated[float, Column("Thermal EMF", "V", "")]
    emf_drift: Annotated[float, Column("EMF drift", "V/s", "")]
    reversal_readings: Annotated[str, Column("Reversal readings", "", "")]
    direction: Annotated[str, Column("Direction", "", "")]
    curve: Annotated[int, Column("Curve", "", "")]
    status: Annotated[str, Column("Status", "", "")]
    flags: Annotated[str, Column("Flags", "", "")]


@dataclass
class Film:
    """The QBS film gamma_t = 0.06 of paper 000, or a metal or superconductor beside it."""

    hc_oe: float = 32000.0
    z_nu: float = 7 / 3
    tc_k: float | None = None  # a plain superconductor of this Tc (tangent onset) when given

    def rho(self, kelvin: Floats | float, oersted: Floats | float) -> Floats:
        """Resistivity, ohm*cm."""
        kelvin, oersted = np.asarray(kelvin, float), np.asarray(oersted, float)
        if self.tc_k is not None:
            normal = 1.5e-6 * (1 + 5.0 * _phonons(kelvin)) / (1 + 5.0 * _phonons(np.array(40.0)))
            width = 0.6
            start = self.tc_k - width * 5 / 6
            transition: Floats = normal * _smooth((kelvin - start) / width)
            return transition
        slope = 0.0323  # puts the minimum at 112 K
        normal = 1.5e-4 * _normal(kelvin, slope) / _normal(np.array(40.0), slope)
        u = (np.abs(oersted) - self.hc_oe) / 1e4 / np.maximum(kelvin, 0.05) ** (1 / self.z_nu)
        logarithm = -0.8 * (_step(u) - _step(np.array(0.0)))
        share = _smooth((40 - kelvin) / 34)
        blend: Floats = np.exp((1 - share) * np.log(normal) + share * (np.log(1.5e-4) + logarithm))
        return blend

    def resistance(self, kelvin: Floats | float, oersted: Floats | float) -> Floats:
        """Resistance between the voltage contacts, ohm."""
        ohms: Floats = self.rho(kelvin, oersted) * _LENGTH_CM / _WIDTH_CM / _THICKNESS_CM
        return ohms


def _smooth(x: Floats) -> Floats:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _step(u: Floats) -> Floats:
    s: Floats = 1 / (1 + np.exp((u + 1.5) / 1.0))
    return s


def _normal(kelvin: Floats, slope: float) -> Floats:
    g: Floats = 1 + 0.10 * _phonons(kelvin) + slope * np.log(300 / np.maximum(kelvin, 1.0))
    return g


def _phonons(kelvin: Floats) -> Floats:
    return np.interp(kelvin, *_phonon_table())


@cache
def _phonon_table() -> tuple[Floats, Floats]:
    """Bloch-Gruneisen, theta = 880 K, n = 3, 1 at 300 K."""

    def integral(t: float) -> float:
        x = np.linspace(1e-9, min(880 / t, 60.0), 4001)
        return (t / 880) ** 3 * float(np.trapezoid(x**3 / (np.expm1(x) * -np.expm1(-x)), x))

    grid = np.geomspace(1.5, 320, 300)
    table = np.array([integral(t) for t in grid]) / integral(300.0)
    return grid, table


@dataclass
class NightMaker:
    """Writes nights of a film; every method adds a run to the open one."""

    runs: Path
    film: Film = field(default_factory=Film)
    manifest: dict[str, Any] = field(default_factory=dict)
    noise: float = 1e-4  # relative, of each resistance
    lag_s: float = 4.0
    remanence_oe: float = 0.0  # of the magnet; its sign follows the history
    seed: int = 1
    sample: str = "MB215-06"

    def __post_init__(self) -> None:
        self.origin = {"backend": "simulated", "lab": "synthetic", "seed": self.seed}
        wall = VirtualClock()
        self.folder = NightFolder.create(
            self.runs, self.sample, wall, {**self.origin, **self.manifest}, "sequence: 1\n"
        )
        self._random = np.random.default_rng(self.seed)
        self._count = 0

    @property
    def path(self) -> Path:
        return self.folder.path

    def sweep(
        self,
        kelvin: Floats,
        field_oe: float,
        *,
        rate_k_per_min: float = 1.0,
        both: bool = False,
        status: str = "finished",
        rejected: int = 0,
    ) -> "NightMaker":
        """Sweep the temperature through ``kelvin``; the sample lags by ``lag_s``."""
        points = []
        for curve, way in enumerate((kelvin, kelvin[::-1])[: 1 + both], start=1):
            rate = rate_k_per_min * (1 if way.size and way[-1] > way[0] else -1)
            sample = way - rate / 60 * self.lag_s
            direction = "warming" if rate > 0 else "cooling"
            points += self._points(way, np.full(len(way), field_oe), sample, field_oe, rate, direction, curve)
        return self._write("resistivity-temperature", f"{field_oe:.0f}Oe", points, status, rejected)

    def isotherms(
        self, kelvins: Sequence[float], fields_oe: Floats, *, both: bool = True, status: str = "finished"
    ) -> "NightMaker":
        """Settle each temperature; the field rises and falls."""
        points = []
        curve = 0
        for kelvin in kelvins:
            for way in (fields_oe, fields_oe[::-1])[: 1 + both]:
                curve += 1
                direction = "rising" if way[-1] > way[0] else "falling"
                actual = way + self.remanence_oe * (-1 if direction == "rising" else 1)
                steady = np.full(len(way), kelvin)
                points += self._points(steady, way, steady, actual, 0.0, direction, curve, setpoint_k=kelvin)
        label = f"{min(kelvins):g}K-{max(kelvins):g}K"
        return self._write("resistivity-field", label, points, status, 0)

    def close(self, status: str = "finished") -> Path:
        self.folder.close(status)
        return self.path

    def _points(
        self,
        kelvin: Floats,
        field_oe: Floats,
        sample_k: Floats,
        sample_oe: Floats | float,
        rate: float,
        direction: str,
        curve: int,
        setpoint_k: float = float("nan"),
    ) -> list[StoredPoint]:
        true = self.film.resistance(sample_k, sample_oe)
        sigma = self.noise * np.maximum(true, 1e-3 * true.max(initial=0.0))
        ohms = true + sigma * self._random.standard_normal(len(true))
        return [
            StoredPoint(
                "2026-01-01T00:00:00+00:00", 1.0, setpoint_k, t, t, t, rate, h, h, 0.0,
                1e-4, r * 1e-4, r, s, 0.0, 0.0, "", direction, curve, "0x1141", "",
            )
            for t, h, r, s in zip(kelvin, field_oe, ohms, sigma, strict=True)
        ]  # fmt: skip

    def _write(
        self, kind: str, label: str, points: list[StoredPoint], status: str, rejected: int
    ) -> "NightMaker":
        self._count += 1
        sizes = {"length_cm": _LENGTH_CM, "width_cm": _WIDTH_CM, "thickness_cm": _THICKNESS_CM}
        header = RunHeader("tests.Procedure", {}, self.origin)
        columns = list(columns_of(StoredPoint).values())
        run = self.folder.create_run(self._count, kind, label, {"geometry": sizes}, columns, header)
        for index, point in enumerate(points):
            if index < rejected:
                values = {name: getattr(point, name) for name in columns_of(StoredPoint)}
                values["resistance"] *= 1.1
                point = StoredPoint(**values, rejected="source in compliance")
            run.append(point)
        run.close(status)
        return self


@pytest.fixture
def make_night(tmp_path: Path) -> Iterator[Callable[..., NightMaker]]:
    """A maker of nights under ``tmp_path``; what a test leaves open is closed."""
    made: list[NightMaker] = []

    def make(**options: Any) -> NightMaker:
        made.append(NightMaker(tmp_path / "runs", **options))
        return made[-1]

    yield make
    for maker in made:
        maker.close("aborted")


@pytest.fixture(scope="session")
def paper_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished night like the demo: rho(T) at five fields, nine isotherms, compared with the paper."""
    keys = ["000-hc", "000-znu", "000-crossing-006", "000-rho-minimum", "000-rq"]
    night = NightMaker(tmp_path_factory.mktemp("paper"), manifest={"compare_with": keys}, remanence_oe=6.0)
    kelvin = np.concatenate([np.arange(2, 40, 0.5), np.arange(40, 300.5, 2.0)])
    night.sweep(kelvin, 0.0, both=True, rejected=3)
    for field_oe in (10e3, 30e3, 40e3, 80e3):
        night.sweep(kelvin, field_oe)
    night.isotherms(np.arange(2.0, 6.1, 0.5).tolist(), np.arange(0, 90001, 2000.0))
    return night.close()


@dataclass
class OpenNight:
    """A night with one run that is open, as its runner leaves it on the disk."""

    path: Path
    wall: VirtualClock
    folder: NightFolder
    run: RunFolder

    def state(self, **entries: Any) -> None:
        """Write what a runner keeps in ``night.json``."""
        self.folder.update(state=entries)

    def edit(self, **entries: Any) -> None:
        """Change ``night.json`` behind the storage's back."""
        file = self.path / "night.json"
        manifest = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**manifest, **entries}), encoding="utf-8")

    def environment(self, **changes: Any) -> None:
        """Add a row as the environment log does."""
        self.folder.environment(
            {
                "Time UTC": self.wall.datetime().isoformat(),
                "Elapsed (s)": self.wall.now(),
                "Temperature (K)": 4.2,
                "Temperature state": "stable",
                "Field (Oe)": 20000.0,
                "Field state": "persistent",
                "Helium (%)": 63.0,
                "Helium age": "recent",
                "Output k6221": "on",
                **changes,
            }
        )


@pytest.fixture
def open_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenNight]:
    """A night of three steps below ./runs, in the second, with 3 of 5 points; nobody owns it."""
    monkeypatch.chdir(tmp_path)
    wall = VirtualClock()
    steps = [
        {"number": 1, "name": "cool", "status": "finished"},
        {"number": 2, "name": "isotherms", "status": "running"},
        {"number": 3, "name": "warm", "status": "queued"},
    ]
    origin = {"backend": "simulated", "lab": "synthetic", "seed": 7}
    about = {**origin, "steps": steps, "station": {"name": "ppms9"}}
    folder = NightFolder.create(tmp_path / "runs", "MB215-06", wall, about, "sequence: 1\n")
    columns = list(columns_of(StoredPoint).values())
    setpoints: list[dict[str, float]] = [{"temperature_k": 4.0 + index} for index in range(5)]
    run = folder.create_run(
        2,
        "resistivity-temperature",
        "0Oe",
        {"setpoints": setpoints, "step": {"number": 2, "name": "isotherms"}},
        columns,
        RunHeader("tests.Procedure", {}, origin),
    )
    for kelvin in (4.0, 5.0, 6.0):
        run.append(stored_point(kelvin))
    made = OpenNight(folder.path, wall, folder, run)
    folder.event("started", "night of 3 steps", {}, wall)
    made.environment()
    yield made
    folder.close("aborted")


def stored_point(kelvin: float) -> StoredPoint:
    """A good point at ``kelvin`` and 0 Oe whose resistance, ohm, is a tenth of it."""
    return StoredPoint(
        "2026-01-01T00:00:00+00:00", 1.0, kelvin, kelvin, kelvin, kelvin, 0.0, 0.0, 0.0, 0.0,
        1e-4, kelvin * 1e-5, kelvin / 10, 1e-6, 0.0, 0.0, "", "warming", 1, "0x1141", "",
    )  # fmt: skip
