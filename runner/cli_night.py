"""The commands for a night that another process runs: look on, and ask."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from onnes.runner.cli_answer import JSON, REAL_TIME, print_answer

if TYPE_CHECKING:
    from onnes.runner.answers import Answer
    from onnes.storage.request_box import Kind

_NIGHT = click.argument("folder", metavar="[NIGHT]", required=False)
_NO_WAIT = click.option("--no-wait", is_flag=True, help="Ask and return at once.")


@click.command()
@click.argument("folder", metavar="[NIGHT or RUN]", required=False)
@JSON
def status(folder: str | None, as_json: bool) -> int:
    """Say what a night is doing, or how it ended; without NIGHT the newest below ./runs."""

    def answer() -> "Answer":
        from onnes.instruments.clock import WallClock
        from onnes.runner.find_night import RUNS
        from onnes.runner.status import status as status_of

        return status_of(folder, RUNS, WallClock())

    return print_answer(as_json, answer)


@click.command()
@_NIGHT
@click.option("--once", is_flag=True, help="Print one frame and end.")
@JSON
def watch(folder: str | None, once: bool, as_json: bool) -> int:
    """Show a night as it goes, until it ends; read-only, Ctrl-C leaves the night alone."""

    def answer() -> "Answer":
        from rich.console import Console

        from onnes.instruments.clock import WallClock
        from onnes.runner.find_night import RUNS
        from onnes.runner.watch import watch as watch_night

        return watch_night(folder, RUNS, WallClock(), None if once or as_json else Console())

    return print_answer(as_json, answer)


@click.command()
@_NIGHT
@click.option("--now", is_flag=True, help="Abort: sources to 0 at once, field and temperature are left.")
@_NO_WAIT
@JSON
def stop(folder: str | None, now: bool, no_wait: bool, as_json: bool) -> int:
    """Stop a night safely: the point is finished, `finish` is run. One that crashed is given up."""
    return _ask("abort" if now else "stop", folder, no_wait, as_json)


@click.command()
@_NIGHT
@_NO_WAIT
@JSON
def pause(folder: str | None, no_wait: bool, as_json: bool) -> int:
    """Pause a night after the point: sources to 0, field and temperature held."""
    return _ask("pause", folder, no_wait, as_json)


@click.command()
@_NIGHT
@_NO_WAIT
@JSON
def skip(folder: str | None, no_wait: bool, as_json: bool) -> int:
    """End the running step, and go on with the next."""
    return _ask("skip", folder, no_wait, as_json)


@click.command(context_settings={"ignore_unknown_options": True})  # a negative field is no option
@click.argument("value")
@_NIGHT
@_NO_WAIT
@JSON
def extend(value: str, folder: str | None, no_wait: bool, as_json: bool) -> int:
    """Move the end of the running measurement to VALUE, such as "60 K" or "2 T"."""
    return _ask("extend", folder, no_wait, as_json, value)


@click.command()
@_NIGHT
@_NO_WAIT
@JSON
def acknowledge(folder: str | None, no_wait: bool, as_json: bool) -> int:
    """Say that you have looked at a fault; the night may then go on."""
    return _ask("acknowledge", folder, no_wait, as_json)


@click.command("helium-fill")
@_NIGHT
@_NO_WAIT
@JSON
def helium_fill(folder: str | None, no_wait: bool, as_json: bool) -> int:
    """Hold every ramp while helium is filled; asked again, go on."""
    return _ask("helium_fill", folder, no_wait, as_json)


@click.command()
@_NIGHT
@click.option("--yes", is_flag=True, help="Do not ask; say what is done and do it.")
@REAL_TIME
@JSON
def resume(folder: str | None, yes: bool, real_time: float | None, as_json: bool) -> int:
    """Take a night up again whose runner is gone, or let one that stands still go on."""

    def agree(lines: list[str]) -> bool:
        for line in lines:
            _say(line)
        return yes or click.confirm("take it up?", err=True)

    def answer() -> "Answer":
        from onnes.runner.nights import resume_folder

        return resume_folder(folder, real_time=real_time, agree=agree)

    return print_answer(as_json, answer)


NIGHT_COMMANDS = (resume, status, watch, stop, pause, skip, extend, acknowledge, helium_fill)


def _ask(kind: "Kind", folder: str | None, no_wait: bool, as_json: bool, value: str | None = None) -> int:
    def answer() -> "Answer":
        from onnes.instruments.clock import WallClock
        from onnes.runner.ask import WAIT_S, ask, new_end, night_to_ask
        from onnes.runner.find_night import RUNS

        values: Mapping[str, Any] = {} if value is None else new_end(value)
        wall = WallClock()
        night = night_to_ask(folder, RUNS, wall, kind=kind)
        if kind == "acknowledge" and night.state == "failed":
            from onnes.runner.ended_night import acknowledge_ended

            return acknowledge_ended(night, wall)
        if kind in ("stop", "abort") and night.state == "crashed":
            from onnes.runner.ended_night import give_up

            return give_up(night, kind, wall)
        return ask(night, kind, wall, values=values, wait_s=0.0 if no_wait else WAIT_S, say=_say)

    return print_answer(as_json, answer)


def _say(line: str) -> None:
    click.echo(line, err=True)
