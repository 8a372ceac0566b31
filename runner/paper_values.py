"""The numbers printed in the papers, by their stable key."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PaperValue:
    """One number of a paper, in the project's units.

    ``relation`` is ``=``, ``~``, ``<``, ``>``, ``<<``, ``range`` or ``list``; ``value`` is a tuple for the
    last two. ``printed`` is how the paper prints it, for almost none has an error bar.
    """

    id: str
    paper: str
    quantity: str
    value: float | tuple[float, ...]
    unit: str
    relation: str
    role: str
    printed: str
    criterion: str
    conditions: str

    @property
    def text(self) -> str:
        """Return relation, number and unit as one reads them: ``~ 32000 Oe``, ``2 to 6 K``."""
        if re.fullmatch(r"\d+/\d+", self.printed):
            return self.printed  # a fraction: 7/3 says more than 2.33333
        unit = "" if self.unit == "1" else f" {self.unit}"
        if isinstance(self.value, tuple):
            joint = " to " if self.relation == "range" else ", "
            return joint.join(f"{number:.6g}" for number in self.value) + unit
        sign = "" if self.relation == "=" else f"{self.relation} "
        return f"{sign}{self.value:.6g}{unit}"


@cache
def paper_values() -> Mapping[str, PaperValue]:
    """Return {id: value} of every number in ``paper_values.toml``."""
    text = files("onnes.runner").joinpath("paper_values.toml").read_text(encoding="utf-8")
    values: dict[str, PaperValue] = {}
    for entry in tomllib.loads(text)["value"]:
        fields = dict(entry)
        number = fields.pop("value")
        values[fields["id"]] = PaperValue(
            value=tuple(map(float, number)) if isinstance(number, list) else float(number),
            printed=fields.pop("uncertainty_or_quote"),
            **fields,
        )
    return MappingProxyType(values)
