"""What every command has in common: how it prints its answer, and what comes of an error."""

import json
import math
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from onnes.instruments.errors import OnnesError, OwnershipError

if TYPE_CHECKING:
    from onnes.runner.answers import Answer


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no speed; give a number, e.g. 10")
    return value


JSON = click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object on stdout.")
REAL_TIME = click.option(
    "--real-time",
    type=click.FloatRange(min=0, min_open=True),
    is_flag=False,
    flag_value=1.0,
    default=None,
    callback=_finite,
    metavar="[SPEED]",
    help="Run a simulated station in real time, or SPEED times as fast, instead of in virtual time.",
)


def print_answer(as_json: bool, build: Callable[[], "Answer"]) -> int:
    """Print what a command answers; what was typed wrong is one message each and exit code 2, an owner 6."""
    try:
        answer = build()
    except OnnesError as error:
        messages = str(error).splitlines()
        if as_json:
            print_json(refused(messages))
        for message in messages:
            click.echo(message, err=True)
        return 6 if isinstance(error, OwnershipError) else 2
    except click.Abort:
        raise  # a question that nobody answered; `main` says so
    except Exception as error:  # noqa: BLE001 - a fault of ours must not break what reads our JSON
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}; this is a fault of Onnes, not of what you typed"
        if as_json:
            print_json(refused([message]))
        click.echo(message, err=True)
        return 3
    if as_json:
        print_json(answer.as_json())
    else:
        from rich.console import Console

        answer.print(Console())
    return answer.exit_code


def refused(messages: list[str]) -> dict[str, Any]:
    """Return what a command prints as JSON when it does nothing."""
    return {"simulated": None, "night": None, "runs": [], "results": [], "messages": messages}


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, indent=2)
    sys.stdout.write(text + "\n")
