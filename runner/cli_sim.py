"""The commands that look into the virtual lab, and open it to other programs."""

from typing import TYPE_CHECKING

import click

from onnes.runner.cli_answer import JSON, print_answer

if TYPE_CHECKING:
    from onnes.runner.answers import Answer

_LOOK_S = 0.5  # of real time between two looks at the keyboard


@click.group()
def sim() -> None:
    """Look into the virtual lab."""


@sim.command()
@JSON
def samples(as_json: bool) -> int:
    """List the sample models with every parameter, its unit, default and mark."""

    def answer() -> "Answer":
        from onnes.runner.sample_models import sample_models

        return sample_models()

    return print_answer(as_json, answer)


@sim.command()
@click.argument("lab", metavar="[LAB]", default="default")
@click.option("--seed", type=int, help="Seed of the virtual lab; beats that of its file.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True, max=1e4),
    default=1.0,
    help="How many seconds pass in the lab in one second; default 1.",
)
def serve(lab: str, seed: int | None, speed: float) -> int:
    """Open the network instruments of a lab to other programs on this computer; Ctrl-C ends it."""
    from onnes.instruments.clock import WallClock
    from onnes.instruments.errors import OnnesError
    from onnes.sim.lab_file import load_lab
    from onnes.sim.server import open_doors

    clock = WallClock(speed)
    try:
        world = load_lab(lab, clock, seed=seed)
        doors = open_doors(world)
    except OnnesError as error:
        click.echo(str(error), err=True)
        return 2
    try:
        click.echo(f"SIMULATED: lab {world.name}, seed {world.seed}, {speed:g} s of lab time in 1 s")
        for door in doors:
            click.echo(f"{door.device.name}: {door.host}:{door.port}")
        click.echo("Ctrl-C ends it")
        while True:
            clock.sleep(_LOOK_S * speed)
    except KeyboardInterrupt:
        click.echo("closed")
        return 0
    finally:
        for door in doors:
            door.close()
