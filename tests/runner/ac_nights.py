"""Whole nights of ac susceptibility on virtual magnetometers and a coil, and the truth of their samples."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from onnes.analysis.ac_susceptibility import AcCurve
from onnes.runner.ac_findings import ac_findings
from onnes.runner.plan import Plan, make_plan
from onnes.sim.lab import VirtualLab
from tests.analysis.ac_nanocomposite import chi
from tests.runner.truth_nights import MomentNight, moment_plan, run_night

PREPARE = "prepare: {warm_to: 60 K, degauss_from: 1 T, relax: 10 min"
CALIBRATED = f"{PREPARE}, residual: {{from: calibration, accept: 60 %, correct: true}}}}"
PLAIN = f"{PREPARE}}}"
# Aharoni's factor of the bar is that of the model; where the file has another, chi inside is a little off.
GEOMETRY = {"demagnetisation": "aharoni"}


@dataclass(frozen=True)
class Bar:
    """The parameters of a nanocomposite bar, by the names of its sample file; the bulk carries 6e4 A/cm^2."""

    tc_k: float = 38.5
    tc_link_k: float = 37.5
    ac_onset_k: float = 36.7
    jc_bulk_a_per_cm2: float = 6e4

    def chi(self, kelvin: float, amplitude_oe: float, hertz: float = 10.0) -> complex:
        """Return the susceptibility inside the bar, by the printed formulas."""
        return chi(
            kelvin,
            amplitude_oe,
            hertz,
            tc_k=self.tc_k,
            onset_k=self.ac_onset_k,
            links_k=self.tc_link_k,
            bulk=self.jc_bulk_a_per_cm2,
        )

    def half_screening_k(self, amplitude_oe: float, hertz: float = 10.0) -> float:
        """Return where chi' is -0.5, K."""
        found = brentq(
            lambda kelvin: self.chi(kelvin, amplitude_oe, hertz).real + 0.5,
            self.tc_link_k - 3.0,
            self.tc_link_k - 1e-6,
        )
        return float(found)

    def loss_peak_k(self, amplitude_oe: float, hertz: float = 10.0) -> float:
        """Return where chi'' is largest, K."""
        middle = self.half_screening_k(amplitude_oe, hertz)
        found = minimize_scalar(
            lambda kelvin: -self.chi(kelvin, amplitude_oe, hertz).imag,
            bounds=(middle - 0.2, middle + 0.2),
            method="bounded",
            options={"xatol": 1e-5},
        )
        return float(found.x)


def lab_file(folder: Path, name: str, **changed: float) -> None:
    """Give the station in ``folder`` the lab ``name`` with some values ``changed``, in a file of its own."""
    text = files("onnes.sim").joinpath(f"lab_{name}.toml").read_text(encoding="utf-8")
    table = "[[coil]]\n" if "[[coil]]" in text else "[magnetometer]\n"
    lines = [line for line in text.splitlines() if line.split(" = ")[0] not in changed]
    new = "".join(f"{key} = {value!r}\n" for key, value in changed.items())
    lab = "\n".join(lines).replace(table, table + new) + "\n"
    (folder / "lab.toml").write_text(lab, encoding="utf-8")
    station = folder / "station.toml"
    was = station.read_text(encoding="utf-8")
    now = was.replace(f'lab = "{name}"', 'lab = "./lab.toml"')
    if now == was:
        raise ValueError(f"the station is on no lab {name!r}")
    station.write_text(now, encoding="utf-8")


def ac_plan(
    folder: Path,
    steps: str,
    *,
    station: str = "mpms3-sim",
    sample: str = "NC-01",
    mounting: str = "long_axis",
    virtual: Mapping[str, float] | None = None,
    geometry: Mapping[str, str] | None = None,
) -> Plan:
    """Return the plan of a night: see :func:`moment_plan`."""
    return moment_plan(
        folder,
        station,
        sample,
        steps,
        mounting=mounting,
        virtual=virtual,
        geometry={**GEOMETRY, **(geometry or {})},
    )


def ac_night(
    folder: Path,
    steps: str,
    *,
    seed: int = 1,
    lab: tuple[str, Mapping[str, float]] | None = None,
    compare_with: tuple[str, ...] = (),
    spoil: Callable[[VirtualLab], None] = lambda _: None,
    **of_the_plan: Any,
) -> MomentNight:
    """Plan a night, run it and analyse it; ``lab`` is the name of the station's lab, with what is changed."""
    plan = ac_plan(folder, steps, **of_the_plan)
    if lab is not None:
        lab_file(folder, lab[0], **lab[1])
        plan = make_plan(folder / "night.yaml")
    return run_night(plan, folder, seed=seed, compare_with=compare_with, spoil=spoil)


def curves_of(night: MomentNight, run: int = 0) -> dict[tuple[float, float], AcCurve]:
    """Return the corrected curves of a run by amplitude (rounded, Oe) and frequency, Hz."""
    found, _ = ac_findings(night.runs[run])
    return {
        (float(f"{one.curve.amplitude_oe:.2g}"), one.curve.frequency_hz): one.curve for one in found.curves
    }


def rms(pulls: list[float]) -> float:
    """Return the root of the mean square."""
    return math.sqrt(float(np.mean(np.square(pulls))))
