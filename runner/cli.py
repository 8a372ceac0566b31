"""The command line. A command imports its heavy parts itself, so that ``onnes --help`` stays quick."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onnes.runner.cli_answer import JSON, REAL_TIME, print_answer, print_json, refused
from onnes.runner.cli_campaign import campaign
from onnes.runner.cli_night import NIGHT_COMMANDS
from onnes.runner.cli_sim import sim
from onnes.runner.cli_station import STATION_COMMANDS

if TYPE_CHECKING:
    from onnes.runner.answers import Answer

_SEED = click.option("--seed", type=int, help="Seed of the virtual lab; beats the station's and the lab's.")
_STATION = click.option("--station", metavar="REF", help="Station file or its name; overrides the sequence.")
_SAMPLE = click.option("--sample", metavar="REF", help="Sample file or its name; overrides the sequence.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="onnes")
def cli() -> None:
    """Measure superconductors in a PPMS or MPMS, and rehearse the night in a virtual lab."""


@cli.command()
@click.option(
    "--lab", metavar="FILE", help="Lab file laid over the demo's lab, or the name of a shipped one."
)
@_SEED
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), help="Where the night goes.")
@JSON
def demo(lab: str | None, seed: int | None, out: Path, as_json: bool) -> int:
    """Measure rho(T,H) of a MgB2 bilayer on a virtual PPMS and compare with the paper."""

    def answer() -> "Answer":
        from onnes.runner.nights import run_demo

        return run_demo(lab=lab, seed=seed, runs=out)

    return print_answer(as_json, answer)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@_STATION
@_SAMPLE
@JSON
def check(file: Path, station: str | None, sample: str | None, as_json: bool) -> int:
    """Check a sequence with its station and sample; nothing is opened."""

    def answer() -> "Answer":
        from onnes.runner.check import check_sequence

        return check_sequence(file, station=station, sample=sample)

    return print_answer(as_json, answer)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@_STATION
@_SAMPLE
@_SEED
@REAL_TIME
@JSON
def run(
    file: Path,
    station: str | None,
    sample: str | None,
    seed: int | None,
    real_time: float | None,
    as_json: bool,
) -> int:
    """Run a sequence. Ctrl-C once stops safely, twice within 5 s aborts."""

    def answer() -> "Answer":
        from onnes.runner.nights import run_file

        return run_file(file, station=station, sample=sample, seed=seed, real_time=real_time)

    return print_answer(as_json, answer)


@cli.command()
@click.argument("folder", metavar="NIGHT")
@click.option("--sample", metavar="REF", help="Sample file or its name: its sizes count, not the recorded.")
@click.option(
    "--calibration",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Add the residual field that a palladium standard found to this file.",
)
@click.option(
    "--reference",
    metavar="NIGHT",
    help="Another night of moments: the fraction of its sample, the ratio of initial slopes.",
)
@JSON
def analyse(
    folder: str, sample: str | None, calibration: Path | None, reference: str | None, as_json: bool
) -> int:
    """Analyse a night or a run again: a folder, the number of a night below ./runs, or a .dat of MultiVu."""

    def answer() -> "Answer":
        from onnes.runner.nights import analyse_folder

        return analyse_folder(folder, sample, calibration, reference)

    return print_answer(as_json, answer)


for _command in (*NIGHT_COMMANDS, *STATION_COMMANDS, campaign, sim):
    cli.add_command(_command)


def main() -> None:
    """Run the command line; the exit code is that of the command."""
    for stream in (sys.stdout, sys.stderr):
        # A Windows console or a pipe in another code page must not turn a micro sign into a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        if "--json" in sys.argv:
            print_json(refused([error.format_message()]))
        error.show()
        sys.exit(2)
    except click.Abort:
        message = "stopped before anything was opened"
        if "--json" in sys.argv:
            print_json(refused([message]))
        click.echo(message, err=True)
        sys.exit(4)
    except OSError as error:
        click.echo(f"the answer cannot be written: {error.strerror}", err=True)
        sys.exit(3)


if __name__ == "__main__":
    main()
