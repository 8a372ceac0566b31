"""What a sample is to the lab, and the one table of every parameter of every model.

``make_sample`` turns the table ``[sample]`` of a lab file, or the ``[virtual]`` and ``[geometry]`` of a
sample file, into a sample.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from onnes.instruments.errors import ConfigurationError
from onnes.sim.sample_parameters import Mark, Parameter, Value, check_keys
from onnes.sim.samples_bilayer import BILAYER_PARAMETERS, make_bilayer
from onnes.sim.samples_generic import METAL_PARAMETERS, make_metal

__all__ = ["PARAMETERS", "MagneticSample", "Mark", "Parameter", "Sample", "make_sample"]


class Sample(Protocol):
    """A body with four contacts. ``values`` has every parameter of the model as it is used."""

    values: Mapping[str, Value]

    def voltage(self, current_a: float, temperature_k: float, field_oe: float, time_s: float) -> float:
        """Return the voltage between the voltage contacts in V, at lab time ``time_s`` in s."""


class MagneticSample(Protocol):
    """A body with a moment that may remember its history.

    Whoever holds it calls :meth:`update` at every turning point of temperature and field, at every crossing
    of ``tc_k`` in K (None if there is none), and where it reads the moment.
    """

    @property
    def tc_k(self) -> float | None:
        """Return the temperature in K whose crossings are to be visited, None if the body has no history."""

    def update(self, temperature_k: float, field_oe: float, t: float) -> None:
        """Bring the body to this temperature and true field at lab time ``t`` in s."""

    def moment_emu(self) -> float:
        """Return the moment of the last update, emu."""


PARAMETERS: Final[Mapping[str, tuple[Parameter, ...]]] = {
    "bilayer": BILAYER_PARAMETERS,
    "metal": METAL_PARAMETERS,
}
_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any], str], Sample]]] = {
    "bilayer": make_bilayer,
    "metal": make_metal,
}


def make_sample(table: Mapping[str, Any], source: str) -> Sample:
    """Return the sample that ``table`` describes; ``source`` (a file, perhaps with a line) opens each error.

    Raises:
        ConfigurationError: for an unknown model or key (with the nearest one), a missing key, or a value that
            is no number or outside its range.
    """
    model = table.get("model")
    if not isinstance(model, str) or model not in PARAMETERS:
        near = difflib.get_close_matches(str(model), PARAMETERS, n=1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        raise ConfigurationError(
            f"{source}: there is no sample model {model!r}{hint}; the models are {', '.join(PARAMETERS)}"
        )
    check_keys(table, PARAMETERS[model], model, source)
    return _MAKERS[model](table, source)


_WITH_MOMENT: Final[Mapping[str, Callable[[Mapping[str, Any], str], MagneticSample]]] = {}


def make_magnetic_sample(table: Mapping[str, Any], source: str) -> MagneticSample:
    """Return the sample that ``table`` describes, with its history yet to come."""
    return _WITH_MOMENT[str(table.get("model"))](table, source)


def has_moment(table: Mapping[str, Any]) -> bool:
    """Say whether the model that ``table`` names has a magnetic moment."""
    return table.get("model") in _WITH_MOMENT
