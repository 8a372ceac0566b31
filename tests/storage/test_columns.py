"""Every column that the package declares can stand in a file and in a procedure."""

import importlib
import re
from pathlib import Path

import pytest
from pymeasure.experiment import Procedure

from onnes.instruments.records import Point, columns_of
from onnes.storage.table import ATTEMPT, REJECTED, RowWriter

MODULES = sorted(
    file.stem for file in (Path(__file__).parents[2] / "procedures").glob("*.py") if file.stem != "__init__"
)


def kinds_of_point(name: str) -> list[type[Point]]:
    module = importlib.import_module(f"onnes.procedures.{name}")
    return [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Point)]


@pytest.mark.parametrize("name", MODULES)
def test_every_column_of_the_package_parses_and_fits_a_table(name: str) -> None:
    for kind in kinds_of_point(name):
        columns = columns_of(kind).values()
        labels = [column.label for column in columns]
        units = Procedure.parse_columns(labels)  # raises for a unit that pint does not know
        for column in columns:
            assert re.fullmatch(r"[^(),#\"\n]+", column.name), f"{kind.__name__}: {column.name!r}"
            assert bool(column.unit) == (column.label in units), (
                f"{kind.__name__}: {column.label!r} loses its unit"
            )
            assert column.description, f"{kind.__name__}: {column.label!r} has no description"
        assert len(set(labels)) == len(labels)
        assert not {ATTEMPT.label, REJECTED.label} & set(labels)
        RowWriter(kind, labels, 1)


def test_the_columns_of_emu_and_ohm_that_stock_pymeasure_refuses_are_known() -> None:
    assert len(Procedure.parse_columns(["Moment (emu)", "R (Ohm)", "Susceptibility (emu/Oe)"])) == 3
