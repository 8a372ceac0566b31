"""What a sample is to the lab, and the one table of every parameter of every model.

``make_sample`` and ``make_magnetic_sample`` turn the table ``[sample]`` of a lab file, or the ``[virtual]``
and ``[geometry]`` of a sample file, into a sample; each refuses a model that lacks what is asked of it.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onnes.instruments.errors import ConfigurationError
from onnes.sim.sample_parameters import Mark, Parameter, Value, check_keys, resolved
from onnes.sim.samples_bilayer import BILAYER_PARAMETERS, make_bilayer
from onnes.sim.samples_bodies import (
    HOLDER_PARAMETERS,
    PALLADIUM_PARAMETERS,
    TYPE_I_PARAMETERS,
    make_holder,
    make_palladium,
    make_type_i,
)
from onnes.sim.samples_current_voltage import (
    BRIDGE_PARAMETERS,
    JUNCTION_PARAMETERS,
    TAFF_PARAMETERS,
    make_bridge,
    make_junction,
    make_taff,
)
from onnes.sim.samples_generic import METAL_PARAMETERS, make_metal
from onnes.sim.samples_nanocomposite import NANOCOMPOSITE_PARAMETERS, make_nanocomposite
from onnes.sim.samples_pointcontact import POINTCONTACT_PARAMETERS, make_pointcontact
from onnes.sim.samples_thermometers import THERMOMETER_PARAMETERS, make_cernox, make_pt100
from onnes.sim.samples_twostep import TWOSTEP_PARAMETERS, make_twostep
from onnes.sim.self_heating import HEATING_PARAMETERS, SelfHeated

Floats = NDArray[np.float64]

__all__ = [
    "PARAMETERS",
    "AcSample",
    "MagneticSample",
    "Mark",
    "NonlinearSample",
    "Parameter",
    "Sample",
    "check_sample",
    "has_moment",
    "make_magnetic_sample",
    "make_sample",
]


class Sample(Protocol):
    """A body with four contacts. ``values`` has every parameter of the model as it is used."""

    values: Mapping[str, Value]

    @property
    def is_linear(self) -> bool:
        """Say whether the voltage is proportional to the current, so that one current tells of them all."""

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the voltage between the voltage contacts in V, at lab time ``time_s`` in s."""


@runtime_checkable
class NonlinearSample(Sample, Protocol):
    """A body that answers for many currents at once, as one that is not linear has to."""

    def voltages(
        self, currents_a: Floats, temperature_k: Floats | float, field_oe: float, time_s: float
    ) -> Floats:
        """Return :meth:`voltage` in V at each current in A, of the same shape; each may have its own K."""


class MagneticSample(Protocol):
    """A body with a magnetic moment that may depend on its history; it starts without flux at zero field."""

    @property
    def tc_k(self) -> float | None:
        """Return the temperature in K whose crossings are to be visited, None if the body has no history."""

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Go in one monotone segment to temperature in K and applied field in Oe, reached at ``t`` in s.

        Whoever moves the body visits every turning point of temperature and field, every crossing of
        ``tc_k``, and every reading; what happens between them does not matter.
        """

    def moment_emu(self) -> float:
        """Return the moment in emu after the last update, 0 before the first."""


@runtime_checkable
class AcSample(Protocol):
    """A body that answers an alternating field, as a function of the state alone: it keeps no history."""

    def ac_moment_emu(
        self,
        amplitude_oe: float,
        frequency_hz: float,
        temperature_k: float,
        dc_field_oe: float,
        harmonic: int = 1,
    ) -> complex:
        """Return the amplitude of the moment in emu: in phase (below 0: screening) plus i times loss.

        For the applied field ``amplitude_oe cos(2 pi f t)`` (peak) on top of ``dc_field_oe`` the moment has
        ``real cos(2 pi n f t) + imag sin(2 pi n f t)`` at the harmonic n.
        """


PARAMETERS: Final[Mapping[str, tuple[Parameter, ...]]] = {
    "bilayer": (*BILAYER_PARAMETERS, *HEATING_PARAMETERS),
    "metal": (*METAL_PARAMETERS, *HEATING_PARAMETERS),
    "nanocomposite": (*NANOCOMPOSITE_PARAMETERS, *HEATING_PARAMETERS),
    "twostep": (*TWOSTEP_PARAMETERS, *HEATING_PARAMETERS),
    "pointcontact": (*POINTCONTACT_PARAMETERS, *HEATING_PARAMETERS),
    "bridge": (*BRIDGE_PARAMETERS, *HEATING_PARAMETERS),
    "junction": (*JUNCTION_PARAMETERS, *HEATING_PARAMETERS),
    "taff": (*TAFF_PARAMETERS, *HEATING_PARAMETERS),
    "pt100": (*THERMOMETER_PARAMETERS, *HEATING_PARAMETERS),
    "cernox": (*THERMOMETER_PARAMETERS, *HEATING_PARAMETERS),
    "type_i": TYPE_I_PARAMETERS,
    "palladium": PALLADIUM_PARAMETERS,
    "holder": HOLDER_PARAMETERS,
}
_Made = TypeVar("_Made")
_Makers = Mapping[str, Callable[[Mapping[str, Any], str], _Made]]
_WITH_CONTACTS: Final[_Makers[NonlinearSample]] = {
    "bilayer": make_bilayer,
    "metal": make_metal,
    "nanocomposite": make_nanocomposite,
    "twostep": make_twostep,
    "pointcontact": make_pointcontact,
    "bridge": make_bridge,
    "junction": make_junction,
    "taff": make_taff,
    "pt100": make_pt100,
    "cernox": make_cernox,
}
_WITH_MOMENT: Final[_Makers[MagneticSample]] = {
    "bilayer": make_bilayer,
    "nanocomposite": make_nanocomposite,
    "twostep": make_twostep,
    "type_i": make_type_i,
    "palladium": make_palladium,
    "holder": make_holder,
}


def make_sample(table: Mapping[str, Any], source: str) -> Sample:
    """Return the sample that ``table`` describes; ``source`` (a file, perhaps with a line) opens each error.

    With a ``heating_k_per_w`` it warms by its own current.

    Raises:
        ConfigurationError: for an unknown model or key (with the nearest one), a model without contacts, a
            missing key, or a value that is no number or outside its range.
    """
    sample = _made(table, source, _WITH_CONTACTS, "contacts")
    heating = resolved(table, HEATING_PARAMETERS, "", "heating", source)
    sample.values = {**sample.values, **heating}
    kelvin_per_watt = heating["heating_k_per_w"]
    return SelfHeated(sample.voltages, kelvin_per_watt, sample.values) if kelvin_per_watt else sample


def make_magnetic_sample(table: Mapping[str, Any], source: str) -> MagneticSample:
    """Return the sample that ``table`` describes, with its history yet to come; ``source`` opens each error.

    Raises:
        ConfigurationError: for an unknown model or key (with the nearest one), a model without a moment, a
            missing key, or a value that is no number or outside its range.
    """
    return _made(table, source, _WITH_MOMENT, "magnetic moment")


def has_moment(table: Mapping[str, Any]) -> bool:
    """Say whether the model that ``table`` names has a magnetic moment."""
    return table.get("model") in _WITH_MOMENT


def check_sample(table: Mapping[str, Any], source: str) -> None:
    """Refuse a ``table`` that describes no sample, whatever is to be measured on it.

    Raises:
        ConfigurationError: as for ``make_sample``, but for contacts.
    """
    if _model(table, source) in _WITH_CONTACTS:
        make_sample(table, source)
    else:
        make_magnetic_sample(table, source)


def _made(table: Mapping[str, Any], source: str, makers: _Makers[_Made], what: str) -> _Made:
    model = _model(table, source)
    if model not in makers:
        raise ConfigurationError(
            f"{source}: the sample model {model!r} has no {what}; those that have are {', '.join(makers)}"
        )
    check_keys(table, PARAMETERS[model], model, source)
    return makers[model](table, source)


def _model(table: Mapping[str, Any], source: str) -> str:
    model = table.get("model")
    if isinstance(model, str) and model in PARAMETERS:
        return model
    near = difflib.get_close_matches(str(model), PARAMETERS, n=1)
    hint = f"; did you mean {near[0]!r}" if near else ""
    raise ConfigurationError(
        f"{source}: there is no sample model {model!r}{hint}; the models are {', '.join(PARAMETERS)}"
    )
