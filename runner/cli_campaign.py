"""The command that proves the nights: many of them, with everything going wrong."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from onnes.runner.cli_answer import JSON, print_answer

if TYPE_CHECKING:
    from onnes.runner.answers import Answer


@click.command()
@click.option("--nights", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Draws what happens.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Nights at a time.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("campaign"), help="Where the nights go.")
@JSON
def campaign(nights: int, seed: int, jobs: int, out: Path, as_json: bool) -> int:
    """Run virtual nights with random faults, kills and requests, and judge what is lost."""

    def answer() -> "Answer":
        from onnes.instruments.clock import WallClock
        from onnes.runner.campaign import run_campaign
        from onnes.runner.campaign_answer import CampaignAnswer

        return CampaignAnswer(run_campaign(nights, seed, jobs, out, WallClock(), _show))

    return print_answer(as_json, answer)


def _show(done: int, of: int) -> None:
    if done % 10 == 0 or done == of:
        click.echo(f"{done} of {of} nights", err=True)
