"""MgB2 bilayers of paper 000: an ion-damaged layer on a pristine one.

Of kind ``sc`` the film has a resistive transition; of kind ``qbs`` (a quantum breakdown of
superconductivity, where ``hc_oe`` is given) its isotherms cross at Hc and scale below 6 K.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from onnes.instruments.errors import ConfigurationError
from onnes.sim.film_moment import ORIENTATIONS, FilmMoment
from onnes.sim.resistivity import TENTH, NormalState, ResistiveTransition, smooth_step
from onnes.sim.sample_parameters import Mark, Parameter, Value, chosen, geometry, resolved
from onnes.sim.samples_generic import OhmicSample

_MINIMUM_K: Final = 112.0  # the resistance minimum that paper 000 prints for gamma_t = 0.06
_SCALING_BELOW_K: Final = 6.0
_TANGENT: Final = 5.0 / 6.0  # where the steepest tangent of S reaches 1
_SC, _QBS = ("sc",), ("qbs",)

ROWS: Final = ("pristine", "0.54", "0.3", "0.12", "0.06")


def _rows(*values: float | None, printed: tuple[str, ...] = ()) -> dict[str, tuple[float, Mark]]:
    """Return the column of the table of films; all of it is assumed but what is ``printed``."""
    return {
        row: (value, "printed" if row in printed else "assumed")
        for row, value in zip(ROWS, values, strict=True)
        if value is not None
    }


def _of_row(
    name: str,
    unit: str,
    meaning: str,
    low: float,
    high: float,
    rows: dict[str, tuple[float, Mark]],
    kinds: tuple[str, ...] = (),
    default: float | None = None,
) -> Parameter:
    meaning = f"{meaning}; filled by a gamma_t of the table"
    return Parameter(name, unit, default, "assumed", meaning, low, high, kinds, rows)


def _departure(
    name: str, unit: str, meaning: str, low: float, high: float, kinds: tuple[str, ...] = ()
) -> Parameter:
    return Parameter(name, unit, 0.0, "assumed", f"departure: {meaning}", low, high, kinds)


BILAYER_PARAMETERS: Final = (
    *geometry("thickness_nm", 215.0, "printed"),
    Parameter("gamma_t", "", None, "printed", "pristine over damaged thickness, or 'pristine'", 1e-6, 1e6),
    _of_row("rho40_ohm_cm", "ohm cm", "resistivity at 40 K", 1e-12, 1e3,
            _rows(1.5e-6, 6.0e-6, 2.2e-5, 9.0e-5, 1.5e-4)),
    _of_row("a", "", "strength of the phonons", 0.0, 1e4, _rows(5.0, 1.2, 0.35, 0.10, 0.10)),
    _of_row("tc_k", "K", "tangent onset (sc) or onset of the drop (qbs)", 6.5, 400.0,
            _rows(39.3, 38.2, 35.0, 40.0, 40.0, printed=("pristine", "0.06"))),
    _of_row("w0_k", "K", "width of the transition without field", 0.051, 100.0,
            _rows(0.6, 1.2, 3.0, None, None), _SC),
    _of_row("volume_fraction", "", "screening volume at 2 K over pristine, of the moment", 0.0, 1.0,
            _rows(1.0, 0.60, 0.15, 0.004, 0.0008), default=0.0),
    _of_row("magnetic_width_k", "K", "width of the magnetic transition, of the moment", 0.01, 100.0,
            _rows(0.8, 2.0, 6.0, 15.0, 18.0), default=10.0),
    Parameter("lateral_mm", "mm", 5.0, "assumed", "edge of the square film, of the moment", 0.01, 100.0),
    Parameter("substrate_mm", "mm", 0.5, "assumed", "sapphire under the film, of the moment; 0 for none",
              0.0, 10.0),
    Parameter("orientation", "", "perpendicular", "assumed", "of the field to the film, of the moment: "
              "perpendicular or parallel", choices=ORIENTATIONS),
    _of_row("hc_oe", "Oe", "critical field, where the isotherms cross", 1.0, 1e6,
            _rows(None, None, None, 33000.0, 32000.0, printed=("0.12", "0.06")), _QBS),
    Parameter("z_nu", "", 7.0 / 3.0, "printed", "critical exponent z times nu", 0.1, 20.0, _QBS),
    _of_row("amplitude", "", "A of the scaling function", 0.0, 100.0,
            _rows(None, None, None, 1.6, 0.8), _QBS),
    _of_row("u0", "", "centre of the scaling function", -100.0, 100.0,
            _rows(None, None, None, -1.6, -1.5), _QBS),
    _of_row("w", "", "width of the scaling function", 1e-3, 100.0, _rows(None, None, None, 0.9, 1.0), _QBS),
    Parameter("h2_oe", "Oe", 67000.0, "assumed", "upper critical field at 0 K (xi = 7 nm)", 1.0, 1e7, _SC),
    Parameter("alpha", "", 0.2, "assumed", "curvature of the upper critical field", 0.0, 10.0, _SC),
    Parameter("b", "", 3.0, "assumed", "broadening of the transition at H2", 0.0, 100.0, _SC),
    _departure("background_per_k", "1/K", "rho times 1 + value (T - 6 K) below 6 K", -0.1, 0.1),
    _departure("magnetoresistance_per_t2", "1/T^2", "rho times 1 + value (H / 10 kOe)^2", -0.01, 1.0),
    _departure("hc_spread_oe", "Oe", "standard deviation of Hc over the film", 0.0, 1e5, _QBS),
    _departure("gain_drift_per_h", "1/h", "R times 1 + value t, t from the start of the lab", -0.1, 0.1),
    _departure("hall_pickup_ohm_per_t", "ohm/T", "R plus value H / 10 kOe, odd in H", -1e3, 1e3),
)  # fmt: skip
_PARAMETER: Final = {parameter.name: parameter for parameter in BILAYER_PARAMETERS}


class Bilayer(OhmicSample):
    """A bilayer film; the subclass knows its resistivity, this class departures, geometry and moment.

    ``named`` is what of the parameters is no number: the kind, the orientation, and ``gamma_t`` as given.
    """

    def __init__(self, values: Mapping[str, float], named: Mapping[str, Value]) -> None:
        super().__init__({**values, **named})
        self.tc_k = values["tc_k"]
        self._film = FilmMoment(
            tc_k=values["tc_k"],
            volume_fraction=values["volume_fraction"],
            width_k=values["magnetic_width_k"],
            lateral_cm=values["lateral_mm"] * 0.1,
            thickness_cm=values["thickness_nm"] * 1e-7,
            substrate_cm=values["substrate_mm"] * 0.1,
            orientation=str(named["orientation"]),
        )
        self._ohm_per_ohm_cm = values["length_mm"] / (values["width_mm"] * values["thickness_nm"] * 1e-7)
        self._background = values["background_per_k"]
        self._magnetoresistance = values["magnetoresistance_per_t2"] * 1e-8
        self._gain_drift_per_s = values["gain_drift_per_h"] / 3600.0
        self._hall = values["hall_pickup_ohm_per_t"] * 1e-4

    def resistivity(self, temperature_k: float, field_oe: float) -> float:
        """Return rho in ohm cm with the departures that belong to the material."""
        rho = self._ideal(temperature_k, field_oe)
        if self._background and temperature_k < _SCALING_BELOW_K:
            rho *= 1.0 + self._background * (temperature_k - _SCALING_BELOW_K)
        if self._magnetoresistance:
            rho *= 1.0 + self._magnetoresistance * field_oe * field_oe
        return rho

    def resistance(self, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the resistance between the voltage contacts, ohm, at lab time ``time_s``."""
        ohm = self.resistivity(temperature_k, field_oe) * self._ohm_per_ohm_cm
        return ohm * (1.0 + self._gain_drift_per_s * time_s) + self._hall * field_oe

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Bring the history of the moment to temperature in K and field in Oe; ``t`` does nothing."""
        del t
        self._film.update(temperature_k, field_oe)

    def moment_emu(self) -> float:
        """Return the moment of film and substrate in emu after the last update."""
        return self._film.emu

    def _ideal(self, T: float, H: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} has no resistivity")


class Superconducting(Bilayer):
    """A bilayer with a resistive transition; its 10 % point lies on H2 (1 - T/T10)^(1+alpha)."""

    def __init__(self, values: Mapping[str, float], named: Mapping[str, Value]) -> None:
        super().__init__(values, named)
        self._normal = NormalState(values["rho40_ohm_cm"], 40.0, values["a"])
        t10_k = values["tc_k"] - (_TANGENT - TENTH) * values["w0_k"]
        self._transition = ResistiveTransition(
            t10_k, values["h2_oe"], values["alpha"], values["w0_k"] - 0.05, values["b"]
        )

    def _ideal(self, T: float, H: float) -> float:
        return self._normal(T) * self._transition(T, H)


class Breakdown(Bilayer):
    """A bilayer whose resistance scales about Hc below 6 K and goes over to the normal state at Tc."""

    def __init__(self, values: Mapping[str, float], named: Mapping[str, Value]) -> None:
        super().__init__(values, named)
        self._normal = NormalState(values["rho40_ohm_cm"], 40.0, values["a"], _MINIMUM_K)
        self._ln_rho40 = math.log(values["rho40_ohm_cm"])
        self._tc = values["tc_k"]
        self._hc = values["hc_oe"]
        self._power = -1.0 / values["z_nu"]
        self._amplitude, self._u0, self._w = values["amplitude"], values["u0"], values["w"]
        self._at_hc = self._sigmoid(0.0)
        self._spread = [(0.0, 1.0)]
        if values["hc_spread_oe"]:
            x, weights = np.polynomial.hermite.hermgauss(9)
            shifts = (math.sqrt(2.0) * values["hc_spread_oe"] * x).tolist()
            self._spread = list(zip(shifts, (weights / math.sqrt(math.pi)).tolist(), strict=True))

    def _sigmoid(self, u: float) -> float:
        return 0.5 * (1.0 - math.tanh(0.5 * (u - self._u0) / self._w))

    def _ideal(self, T: float, H: float) -> float:
        q = smooth_step((self._tc - T) / (self._tc - _SCALING_BELOW_K))
        if q == 0.0:
            return self._normal(T)
        plain = q * self._ln_rho40
        if q < 1.0:
            plain += (1.0 - q) * math.log(self._normal(T))
        per_oe = max(T, 0.05) ** self._power * 1e-4
        distance, qa, at_hc = abs(H) - self._hc, q * self._amplitude, self._at_hc
        rho = 0.0
        for shift, weight in self._spread:
            ln_f = -qa * (self._sigmoid((distance - shift) * per_oe) - at_hc)
            rho += weight * math.exp(plain + ln_f)
        return rho


def make_bilayer(table: Mapping[str, Any], source: str) -> Bilayer:
    """Return the film that ``table`` describes.

    A ``gamma_t`` of the table fills what is not given; keys given explicitly win. With
    ``hc_oe``, given or filled, it is of kind qbs, without it sc.

    Raises:
        ConfigurationError: for a bad ``gamma_t``, a missing key, a key of the other kind, or a bad value.
    """
    row = _row_of(table.get("gamma_t"), source)
    kind = "qbs" if "hc_oe" in table or row in _PARAMETER["hc_oe"].rows else "sc"
    wanted = [parameter for parameter in BILAYER_PARAMETERS if parameter.name != "gamma_t"]
    given = {key: value for key, value in table.items() if key != "gamma_t"}
    values = resolved(given, wanted, row, kind, source)
    named: dict[str, Value] = {"kind": kind, **chosen(table, BILAYER_PARAMETERS, source)}
    if "gamma_t" in table:
        named["gamma_t"] = table["gamma_t"]
    return Breakdown(values, named) if kind == "qbs" else Superconducting(values, named)


def _row_of(gamma_t: object, source: str) -> str:
    """Return the row of the table that ``gamma_t`` names, "" for none."""
    if gamma_t is None:
        return ""
    if gamma_t == "pristine":
        return "pristine"
    if isinstance(gamma_t, bool) or not isinstance(gamma_t, int | float) or not 0 < gamma_t < math.inf:
        raise ConfigurationError(
            f"{source}: gamma_t = {gamma_t!r} is neither a positive number nor 'pristine'; "
            f"the rows of the table are {', '.join(ROWS)}"
        )
    for row in ROWS[1:]:
        if math.isclose(gamma_t, float(row), rel_tol=1e-9):
            return row
    return ""
