"""The commands that look at a station; they set nothing."""

from typing import TYPE_CHECKING

import click

from onnes.runner.cli_answer import JSON, print_answer

if TYPE_CHECKING:
    from onnes.runner.answers import Answer


@click.command()
@click.argument("reference", metavar="[STATION]", required=False)
@JSON
def read(reference: str | None, as_json: bool) -> int:
    """Read everything once that the station has; nothing is set."""
    return _read(reference, as_json, tests=False)


@click.group()
def station() -> None:
    """Look at a station."""


@station.command()
@click.argument("reference", metavar="STATION")
@JSON
def test(reference: str, as_json: bool) -> int:
    """Find, identify and read every instrument and role; nothing is set."""
    return _read(reference, as_json, tests=True)


STATION_COMMANDS = (read, station)


def _read(reference: str | None, as_json: bool, *, tests: bool) -> int:
    def answer() -> "Answer":
        from onnes.runner.readout import read_station

        return read_station(reference, tests=tests)

    return print_answer(as_json, answer)
