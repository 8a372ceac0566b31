"""Nights of a magnetometer with synthetic moments of a known truth, written by the storage."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import columns_of
from onnes.procedures.moment_point import MomentPoint
from onnes.storage.night import NightFolder
from onnes.storage.table import RunHeader

Floats = NDArray[np.float64]

BAR_CM = (0.5, 0.1, 0.1)
VOLUME_CM3 = 5e-3
N = 0.1
BODY: dict[str, Any] = {"shape": "bar", "axis": "length", "demagnetisation": N, "field_along": "long axis"}
CALIBRATED = {"from": "calibration", "value_oe": 1.0, "sigma_oe": 0.2, "known": "calibration.toml:6"}


def emu(four_pi_m: Floats) -> Floats:
    """Return the moment of the bar, emu, of 4 pi M in G."""
    return VOLUME_CM3 * four_pi_m / (4 * math.pi)


@dataclass
class MomentNight:
    """Writes a night run by run; the field at the sample is that asked for, the reported one 1 Oe less."""

    runs: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=lambda: dict(BODY))
    geometry: dict[str, float] = field(
        default_factory=lambda: dict(zip(("length_cm", "width_cm", "thickness_cm"), BAR_CM, strict=True))
    )
    geometry_uncertainty: dict[str, float] = field(default_factory=dict)
    residual: dict[str, Any] = field(default_factory=lambda: dict(CALIBRATED))
    noise_emu: float = 1e-8
    mounting: str = "long_axis"
    sample: str = "BAR-01"

    def __post_init__(self) -> None:
        self.origin = {"backend": "simulated", "lab": "synthetic", "seed": 1}
        self.folder = NightFolder.create(
            self.runs, self.sample, VirtualClock(), {**self.origin, **self.manifest}, "sequence: 1\n"
        )
        self._random = np.random.default_rng(1)
        self._count = 0

    def over_temperature(
        self,
        field_oe: float,
        branches: dict[str, tuple[Floats, Floats]],
        flags: Sequence[str] = (),
        wanted_oe: float | None = None,
    ) -> "MomentNight":
        """Write a run of M(T): {branch: (K, emu)}; ``wanted_oe`` where the field at the sample is another."""
        points = []
        for curve, (branch, (kelvin, moment)) in enumerate(branches.items(), start=1):
            direction = "cooling" if branch == "fcc" else "warming"
            points += self._points(branch, curve, direction, kelvin, np.full(len(kelvin), field_oe), moment)
        for index, flag in enumerate(flags):
            points[index]["flags"] = flag
        for point in points if wanted_oe is not None else ():
            point["measuring_field"] = wanted_oe
        return self._write("zfc-fc", f"{field_oe:g}Oe", points)

    def over_field(self, kind: str, legs: dict[float, list[tuple[str, Floats, Floats]]]) -> "MomentNight":
        """Write a run of M(H): {K: [(branch, Oe, emu)]}."""
        points = []
        curve = 0
        for kelvin, of in legs.items():
            for branch, field_oe, moment in of:
                curve += 1
                direction = "falling" if branch == "down" else "rising"
                points += self._points(
                    branch, curve, direction, np.full(len(field_oe), kelvin), field_oe, moment
                )
        return self._write(kind, f"{min(legs):g}K", points)

    def close(self) -> Path:
        self.folder.close("finished")
        return self.folder.path

    def _points(
        self, branch: str, curve: int, direction: str, kelvin: Floats, field_oe: Floats, moment: Floats
    ) -> list[dict[str, Any]]:
        off_oe = float(self.residual.get("value_oe", 0.0))
        noisy = moment + self.noise_emu * self._random.standard_normal(len(moment))
        return [
            {
                **dict.fromkeys(columns_of(MomentPoint), 0.0),
                "time_utc": "2026-01-01T00:00:00+00:00",
                "temperature_setpoint": t,
                "temperature": t,
                "field_setpoint": h - off_oe,
                "field": h - off_oe,
                "field_corrected": h,
                "field_corrected_error": float(self.residual.get("sigma_oe", math.nan)),
                "moment": m,
                "moment_error": self.noise_emu,
                "fit_used": "fixed",
                "branch": branch,
                "measuring_field": h,
                "curve": curve,
                "direction": direction,
                "flags": "",
            }
            for t, h, m in zip(kelvin, field_oe, noisy, strict=True)
        ]

    def _write(self, kind: str, label: str, points: list[dict[str, Any]]) -> "MomentNight":
        self._count += 1
        parameters: dict[str, tuple[float | int | str | bool, str]] = {
            "Residual": (json.dumps(self.residual), ""),
            "Prepare": (json.dumps({"warm_to_k": 300.0, "degauss_from_oe": 1e4}), ""),
            "History below": (40.0, "K"),
        }
        about = {
            "sample": {"id": self.sample, "version": 1, "title": ""},
            "geometry": self.geometry,
            "geometry_uncertainty": self.geometry_uncertainty,
            "body": self.body,
            "mounting": self.mounting,
            "instruments": {"mpms": "synthetic"},
        }
        header = RunHeader("tests.Procedure", parameters, self.origin)
        columns = list(columns_of(MomentPoint).values())
        run = self.folder.create_run(self._count, kind, label, about, columns, header)
        for point in points:
            run.append(MomentPoint(**point))
        run.close("finished")
        return self
