"""Nights of lock-ins and sources with synthetic rows of a known truth, written by the storage."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnes.instruments.clock import VirtualClock
from onnes.instruments.records import Point, columns_of
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.current_voltage_point import CurrentVoltagePoint
from onnes.procedures.susceptibility_point import SusceptibilityPoint
from onnes.storage.night import NightFolder
from onnes.storage.table import RunHeader

Floats = NDArray[np.float64]

BODY: Mapping[str, Any] = {
    "shape": "bar",
    "axis": "length",
    "demagnetisation": 0.0,
    "field_along": "long axis",
}
BAR: Mapping[str, float] = {"length_cm": 0.5, "width_cm": 0.1, "thickness_cm": 0.1}
_VOLUME_CM3 = 5e-3
_WIDTH_K = 0.2
_DEEP_K, _WARM_K = 10.0, 45.0


def half_screening_k(amplitude_oe: float) -> float:
    """Temperature at which half is screened, K: 0.3 K lower for each decade of amplitude."""
    return 37.0 - 0.3 * math.log10(amplitude_oe)


@dataclass
class DrivenNight:
    """Writes a night run by run."""

    runs: Path
    body: Mapping[str, Any] = field(default_factory=lambda: BODY)
    geometry: Mapping[str, float] = field(default_factory=lambda: BAR)

    def __post_init__(self) -> None:
        self.origin = {"backend": "simulated", "lab": "synthetic", "seed": 1}
        self.folder = NightFolder.create(self.runs, "BAR-01", VirtualClock(), self.origin, "sequence: 1\n")
        self._count = 0

    def susceptibility(
        self,
        amplitudes_oe: Sequence[float],
        frequencies_hz: Sequence[float] = (10.0,),
        dc_oe: Sequence[float] = (0.0,),
        *,
        is_calibrated: bool = True,
        is_heated: bool = False,
        flags: str = "",
    ) -> "DrivenNight":
        """Write a run whose first amplitude comes back, at once or, if heated, 20 mK lower."""
        rows = []
        for hertz in frequencies_hz:
            for field_oe in dc_oe:
                if is_calibrated:
                    for branch, there_k in (("phase", _DEEP_K), ("background", _WARM_K)):
                        rows += self._moments(branch, amplitudes_oe[0], hertz, field_oe, [there_k] * 3)
                again = [("heating_check", amplitudes_oe[0])] if len(amplitudes_oe) > 1 else []
                for branch, amplitude in [*(("curve", one) for one in amplitudes_oe), *again]:
                    shift_k = 0.02 if branch == "heating_check" and is_heated else 0.0
                    kelvin = [*np.arange(10.0, 35.0, 5.0), *np.arange(35.0, 39.0, 0.05)]
                    rows += self._moments(branch, amplitude, hertz, field_oe, kelvin, shift_k)
        for row in rows:
            row["flags"] = flags
        return self._write("susceptibility-temperature", SusceptibilityPoint, rows)

    def _moments(
        self,
        branch: str,
        amplitude_oe: float,
        hertz: float,
        field_oe: float,
        temperatures: Sequence[float],
        shift_k: float = 0.0,
    ) -> list[dict[str, Any]]:
        kelvin = np.array(temperatures)
        # 50 mK a decade of frequency
        away = (kelvin + shift_k - half_screening_k(amplitude_oe) - 0.05 * np.log10(hertz / 10)) / _WIDTH_K
        full = _VOLUME_CM3 * amplitude_oe / (4 * np.pi)
        real, loss = -0.5 * full * (1 - np.tanh(away)), 0.2 * full * np.exp(-(away**2))
        noise = 2e-4 * full * np.random.default_rng(1).standard_normal((2, len(kelvin)))
        return [
            {
                "temperature_setpoint": t,
                "temperature": t,
                "field_setpoint": field_oe,
                "field": field_oe,
                "amplitude_setpoint": amplitude_oe,
                "amplitude": amplitude_oe,
                "frequency": hertz,
                "harmonic": 1,
                "in_phase": m,
                "in_phase_error": 2e-4 * full,
                "quadrature": q,
                "quadrature_error": 2e-4 * full,
                "branch": branch,
                "direction": "warming",
            }
            for t, m, q in zip(kelvin, real + noise[0], loss + noise[1], strict=True)
        ]

    def conductance(self, curves: Mapping[float, Floats], bias_v: Floats, normal_s: float) -> "DrivenNight":
        """Write a run of dI/dV: {K: G/G_N at each bias}, and the normal state at 45 K."""
        rows = []
        for kelvin, ratio in {**curves, _WARM_K: np.ones(len(bias_v))}.items():
            rows += [
                {
                    "temperature_setpoint": kelvin,
                    "temperature": kelvin,
                    "bias_setpoint": volts,
                    "bias": volts,
                    "conductance": normal_s * one,
                    "conductance_error": 1e-3 * normal_s,
                    "modulation": 2e-4,
                    "branch": "normal" if kelvin == _WARM_K else "curve",
                    "direction": direction,
                }
                for direction, step in (("rising", 1), ("falling", -1))
                for volts, one in zip(bias_v[::step], ratio[::step], strict=True)
            ]
        return self._write("conductance-bias", ConductancePoint, rows)

    def zero_bias(self, ratios: Mapping[float, Floats], kelvin: Floats, normal_s: float) -> "DrivenNight":
        """Write a run of dI/dV at zero bias: {Oe: G/G_N at each temperature}."""
        rows = []
        for field_oe, ratio in ratios.items():
            for t, one in [(_WARM_K, 1.0), *zip(kelvin, ratio, strict=True)]:
                rows.append(
                    {
                        "temperature_setpoint": t,
                        "temperature": t,
                        "field_setpoint": field_oe,
                        "conductance": normal_s * one,
                        "conductance_error": 1e-3 * normal_s,
                        "modulation": 2e-4,
                        "branch": "normal" if t == _WARM_K else "zero_bias",
                        "direction": "settled",
                    }
                )
        return self._write("conductance-temperature", ConductancePoint, rows)

    def current_voltage(
        self,
        ic_a: float,
        n: float,
        criterion_v: float,
        *,
        negative: float = 1.0,
        flags: str = "",
        at: Sequence[tuple[float, float]] = ((2.0, 0.0),),
    ) -> "DrivenNight":
        """Write a run of V(I), one curve at each (K, Oe).

        The critical current of the other polarity is ``negative`` times that of the first.
        """
        current = np.geomspace(0.3, 1.15, 60) * ic_a
        volts = [criterion_v * (current / one) ** n for one in (ic_a, negative * ic_a)]
        rows = [
            {
                "temperature_setpoint": kelvin,
                "temperature": kelvin,
                "field_setpoint": field_oe,
                "current": amps,
                "voltage": (plus + minus) / 2,
                "voltage_error": 2e-9,
                "voltage_positive": plus,
                "voltage_negative": -minus,
                "curve": number,
                "direction": "rising",
                "flags": flags,
            }
            for number, (kelvin, field_oe) in enumerate(at, start=1)
            for amps, plus, minus in zip(current, *volts, strict=True)
        ]
        return self._write("current-voltage", CurrentVoltagePoint, rows, {"Criterion": (criterion_v, "V")})

    def close(self) -> Path:
        self.folder.close("finished")
        return self.folder.path

    def _write(
        self,
        kind: str,
        point: type[Point],
        rows: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, tuple[float | int | str | bool, str]] | None = None,
    ) -> "DrivenNight":
        self._count += 1
        about = {
            "sample": {"id": "BAR-01", "version": 1, "title": ""},
            "geometry": dict(self.geometry),
            "geometry_uncertainty": {},
            "body": dict(self.body),
            "mounting": "long_axis",
            "instruments": {"sr830": "synthetic"},
        }
        header = RunHeader("tests.Procedure", dict(parameters or {}), self.origin)
        columns = columns_of(point)
        run = self.folder.create_run(self._count, kind, "a", about, list(columns.values()), header)
        texts = {
            name: "" for name in ("status", "flags", "branch", "direction", "readings") if name in columns
        }
        nothing = {
            **dict.fromkeys(columns, 0.0),
            **texts,
            "time_utc": "2026-01-01T00:00:00+00:00",
            "curve": 1,
        }
        for row in rows:
            run.append(point(**{**nothing, **row}))
        run.close("finished")
        return self
