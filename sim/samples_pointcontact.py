"""A soft point contact on MgB2: two-gap BTK, smeared by temperature, mixed by the field.

Driven badly it also has a neck that turns normal above a critical current: a dip in dI/dV beyond the gap, and
a resistance that no gap explains. What it heats itself by is a key of every sample with contacts.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnes.instruments.errors import ConfigurationError
from onnes.sim.andreev import Band, smeared_conductance
from onnes.sim.current_voltage import critical_current, resistively_shunted
from onnes.sim.sample_parameters import Pair, Parameter, Value, geometry, pairs, resolved

Floats = NDArray[np.float64]

POINTCONTACT_PARAMETERS: Final = (
    *geometry("thickness_nm", 600.0, "printed"),
    Parameter("tc_k", "K", 39.5, "assumed", "where the gaps close", 0.5, 400.0),
    Parameter("normal_ohm", "ohm", 20.0, "assumed", "resistance in the normal state", 1e-3, 1e6),
    Parameter("delta_mev", "meV", (2.3, 7.0), "assumed", "gaps at 0 K, of pi and sigma", 1e-2, 100.0),
    Parameter("weight", "", (0.80, 0.20), "assumed", "share of pi and sigma, together 1", 0.0, 1.0),
    Parameter("gamma_mev", "meV", (0.6, 1.0), "assumed", "broadening of pi and sigma", 0.0, 100.0),
    Parameter("z", "", (0.45, 0.45), "assumed", "barrier of pi and sigma", 0.0, 50.0),
    Parameter("h_oe", "Oe", (15000.0, 90000.0), "assumed", "field that closes pi and sigma at 0 K", 1.0, 1e7),
    Parameter("spreading_ohm", "ohm", 0.0, "assumed", "of the film between contact and voltage lead", 0.0,
              1e6),
    Parameter("critical_current_a", "A", 0.0, "assumed", "at 0 K without field, above which the neck of the "
              "contact turns normal; 0 for a neck that never does", 0.0, 10.0),
    Parameter("neck_ohm", "ohm", 2.0, "assumed", "of the neck far above its critical current", 0.0, 1e6),
)  # fmt: skip

# Between these nodes of temperature, field and current the curves are interpolated. Against the formulas at
# the very place that is off by 3e-4 of the conductance just below Tc and by less than 1e-4 elsewhere (seen).
_TEMPERATURES: Final = 160  # up to Tc, which is one of them
_FIELDS: Final = 60  # up to the field that closes the weaker band
_VOLTAGES: Final = 140  # up to the larger gap
_GAPS: Final = 10  # from there on dI/dV stays what it is, a few 1e-3 above the normal one
_WEIGHTS_AGREE: Final = 1e-6


class PointContact:
    """A contact whose current is the integral of its conductance. ``values`` has every parameter as used."""

    is_linear = False

    def __init__(self, values: Mapping[str, float], bands: Mapping[str, Pair]) -> None:
        self.values: Mapping[str, Value] = {**values, **bands}
        self._tc, self._normal_ohm = values["tc_k"], values["normal_ohm"]
        self._spreading_ohm = values["spreading_ohm"]
        self._critical_a, self._neck_ohm = values["critical_current_a"], values["neck_ohm"]
        rows = zip(*(bands[key] for key in ("delta_mev", "weight", "gamma_mev", "z", "h_oe")), strict=True)
        self._bands = tuple(Band(*row) for row in rows)
        largest_mev = max(bands["delta_mev"])
        self._h2 = max(bands["h_oe"])
        self._kelvin_step = self._tc / _TEMPERATURES
        self._oersted_step = min(bands["h_oe"]) / _FIELDS
        self._mv_step = largest_mev / _VOLTAGES
        self._mv = self._mv_step * np.arange(_GAPS * _VOLTAGES + 1)
        self._node = lru_cache(maxsize=1024)(self._tabulated)
        self._cell = lru_cache(maxsize=64)(self._around)

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the voltage between the voltage contacts, V."""
        return float(self.voltages(np.array([current_a]), temperature_k, field_oe, time_s)[0])

    def voltages(
        self, currents_a: Floats, temperature_k: Floats | float, field_oe: float, time_s: float
    ) -> Floats:
        """Return the voltage in V at each current in A; the lab time does nothing."""
        del time_s
        volts = self._over_the_interface(currents_a, temperature_k, field_oe)
        volts += self._spreading_ohm * currents_a
        if self._critical_a:
            ic = critical_current(self._critical_a, temperature_k / self._tc, field_oe, self._h2)
            volts += resistively_shunted(currents_a, ic, self._neck_ohm)
        return volts

    def _over_the_interface(self, currents_a: Floats, T: Floats | float, H: float) -> Floats:
        """Return the voltage in V that the bands take."""
        height = np.minimum(T, self._tc) / self._kelvin_step
        rows = np.maximum(np.asarray(height, dtype=np.intp), 1)
        column = int(abs(H) / self._oersted_step)
        right = abs(H) / self._oersted_step - column
        place = np.abs(currents_a) * (self._normal_ohm * 1e3 / self._mv_step)
        if rows.ndim == 0:
            row = int(rows)
            mv = _blended(self._cell(row, column), float(height) - row, right, place)
        else:
            mv = np.empty_like(place)
            for row in set(rows.ravel().tolist()):
                here = rows == row
                mv[here] = _blended(self._cell(row, column), height[here] - row, right, place[here])
        volts: Floats = 1e-3 * np.copysign(mv, currents_a)
        return volts

    def _around(self, row: int, column: int) -> Floats:
        """Return the four nodes around a cell, shape (4, 2, nodes of current)."""
        return np.stack([self._node(row + up, column + right) for up in (0, 1) for right in (0, 1)])

    def _tabulated(self, row: int, column: int) -> Floats:
        """Return voltage in mV and its growth from node to node, at each current in steps of mV / R_N."""
        if row >= _TEMPERATURES:
            return np.stack([self._mv, np.full_like(self._mv, self._mv_step)])
        step, g = smeared_conductance(
            self._bands, row * self._kelvin_step, self._tc, column * self._oersted_step, self._mv[-1]
        )
        mv = step * np.arange(len(g), dtype=np.float64)
        current = np.concatenate([[0.0], np.cumsum(0.5 * step * (g[1:] + g[:-1]))])
        low = np.clip(np.searchsorted(current, self._mv, "right") - 1, 0, len(current) - 2)
        width = current[low + 1] - current[low]
        x = (self._mv - current[low]) / width
        inside = _cubic(x, mv[low], width / g[low], mv[low + 1], width / g[low + 1])
        voltage = np.where(x <= 1.0, inside, mv[-1] + (self._mv - current[-1]) / g[-1])
        return np.stack([voltage, self._mv_step / np.interp(voltage, mv, g)])


def _blended(table: Floats, up: Floats | float, right: float, place: Floats) -> Floats:
    """Return the voltage in mV inside a cell, ``place`` nodes of current from 0; straight on behind the last.

    Args:
        table: the four nodes around the cell, as :meth:`PointContact._around` has them.
        up: how far up in temperature, 0 to 1, at each place or at all; below 0 colder than the first node.
        right: how far on in field, 0 to 1.
    """
    weights = np.array([(1.0 - up) * (1.0 - right), (1.0 - up) * right, up * (1.0 - right), up * right])
    node = np.minimum(place.astype(np.intp), table.shape[-1] - 2)
    x = place - node
    if weights.ndim == 1:  # one curve for all places
        curve = (weights @ table.reshape(4, -1)).reshape(2, -1)
        left, left_slope = curve[:, node]
        right_end, right_slope = curve[:, node + 1]
    else:
        left, left_slope = np.einsum("kn,kcn->cn", weights, table[:, :, node])
        right_end, right_slope = np.einsum("kn,kcn->cn", weights, table[:, :, node + 1])
    inside = _cubic(x, left, left_slope, right_end, right_slope)
    mv: Floats = np.where(x <= 1.0, inside, right_end + (x - 1.0) * right_slope)
    return mv


def _cubic(x: Floats, left: Floats, left_slope: Floats, right: Floats, right_slope: Floats) -> Floats:
    """Return the cubic with these values and slopes at ``x`` = 0 and 1."""
    rise = right - left
    bend = 3.0 * rise - 2.0 * left_slope - right_slope
    return left + x * (left_slope + x * (bend + x * (left_slope + right_slope - 2.0 * rise)))


def make_pointcontact(table: Mapping[str, Any], source: str) -> PointContact:
    """Return the contact that ``table`` describes.

    Raises:
        ConfigurationError: for a bad value, or shares of the bands that do not add up to 1.
    """
    bands = pairs(table, POINTCONTACT_PARAMETERS, source)
    total = math.fsum(bands["weight"])
    if abs(total - 1.0) > _WEIGHTS_AGREE:
        raise ConfigurationError(
            f"{source}: weight = {list(bands['weight'])} adds up to {total:.9g}, and the shares of pi and "
            "sigma are 1 together; correct one of them"
        )
    return PointContact(resolved(table, POINTCONTACT_PARAMETERS, "", "pointcontact", source), bands)
