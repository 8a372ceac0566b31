"""What ``demo``, ``run`` and ``analyse`` do: a plan, a night in its thread, the analysis of its data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import click
from rich.console import Console

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.runner.analyse import analyse, analyse_file
from onnes.runner.answers import Answer, NightAnswer
from onnes.runner.ask import ask_resume
from onnes.runner.find_night import RUNS, find_night, newest_night
from onnes.runner.live_bar import signals_ask, watch
from onnes.runner.night_state import judge
from onnes.runner.night_thread import NightThread
from onnes.runner.plan import Plan, make_plan
from onnes.runner.references import find
from onnes.runner.resume import left_night
from onnes.runner.sample_file import SampleFile, load_sample_file
from onnes.runner.virtual_night import LabChoice, prepared

_DEMO = ("demo.yaml", "demo_station.toml", "demo_sample.toml")
_DEMO_SAMPLE = {"sample": {"gamma_t": 0.06}}
_DEMO_COMPARES = ("000-hc", "000-znu", "000-crossing-006", "000-rho-minimum", "000-rq")
# What paper 000 prints of its films, by the gamma_t that a sample file gives its twin.
_COMPARES = {
    "0.06": (*_DEMO_COMPARES, "000-sc-fraction-006"),
    "0.12": ("000-hc", "000-znu", "000-crossing-012", "000-rq"),
    "pristine": ("000-tc-pri-215",),
}


def run_demo(*, lab: str | None, seed: int | None, runs: Path) -> NightAnswer:
    """Run the demo's night: the gamma_t = 0.06 film of paper 000 on the virtual PPMS.

    Args:
        lab: a lab file laid over the demo's lab, or the name of a shipped one.
        runs: the folder that the night goes into.

    Raises:
        ConfigurationError: if the lab is not as it should be.
    """
    with demo_files() as folder:
        plan = make_plan(folder / "demo.yaml")
        return _run(plan, runs, LabChoice(lab or "demo", seed, _DEMO_SAMPLE), compare_with=_DEMO_COMPARES)


def run_file(
    file: Path, *, station: str | None, sample: str | None, seed: int | None, real_time: float | None
) -> NightAnswer:
    """Run a sequence file.

    Raises:
        SequenceError, ConfigurationError: for what was typed; nothing was opened.
        LimitError: if the plan asks for more than the instruments allow; nothing was set.
        CommunicationError: if an instrument does not answer when it is opened; nothing was set.
    """
    plan = make_plan(file, station=station, sample=sample)
    choice = LabChoice(seed=seed, real_time=real_time)
    return _run(plan, plan.station.runs_folder, choice, compare_with=_compared(plan))


def resume_folder(
    folder: str | None, *, real_time: float | None, agree: Callable[[list[str]], bool]
) -> Answer:
    """Take a night up again, or let one that stands still go on.

    Args:
        folder: a night or one of its runs, or the number of a night; None for the newest.
        agree: is shown what it does and what it costs, and says whether to go on.

    Raises:
        ConfigurationError: if it cannot be taken up; nothing was sent.
        OwnershipError: if another runner has the night or its station.
        StorageError: if its files are damaged.
    """
    wall = WallClock()
    path = (newest_night(RUNS) if folder is None else find_night(folder, RUNS)).resolve()
    state = judge(path, wall)
    if state.is_alive:
        return ask_resume(state, wall, say=partial(click.echo, err=True))
    night = left_night(state.path, wall)
    if not agree([*night.plan.messages, *night.outline()]):
        raise ConfigurationError(f"night {state.call} is left as it is; nothing was sent")
    runs = state.path.parent.parent
    with prepared(night.plan, night.choice(real_time)) as (clock, key):
        compare = tuple(night.manifest.get("compare_with", ()))
        thread = NightThread(
            night.plan, runs, clock, key, compare_with=compare, again=state.path, before=night.before
        )
        return _watched(night.plan, thread)


def _compared(plan: Plan) -> tuple[str, ...]:
    """Return the paper values of the night's sample; none where its twin is not as the paper has it."""
    twins = [sample.virtual for sample in plan.samples.values()]
    if len(twins) != 1:
        return ()
    match twins[0]:
        case {"model": "bilayer", "gamma_t": gamma_t, **other} if not other:
            return _COMPARES.get(str(gamma_t), ())
        case {"model": "nanocomposite", **other} if not other:
            return (
                *("001-chi-onset", "001-chi-zfc", "001-chi-fc", "001-hc1-0", "001-hc1-10k", "001-lambda"),
                *("001-ths-0p1", "001-ths-1", "001-ths-10", "001-jc-37p1", "001-jc-36p9", "001-jc-36p6"),
                *("001-hc2-0", "001-hc2-alpha"),
            )
        case {"model": "twostep", **other} if not other:
            along = {"perpendicular": ("003-irr-n-perp",), "parallel": ("003-irr-n-par",)}
            return ("003-tc1", "003-tc2", "003-rho-300", *along.get(str(plan.mounting), ()))
    return ()


def analyse_folder(
    folder: str, sample: str | None, calibration: Path | None = None, reference: str | None = None
) -> NightAnswer:
    """Analyse a night or a run again, or a file of MultiVu.

    Args:
        sample: sample file or its name, whose sizes count instead of the recorded ones.
        calibration: file of the residual field that gets what a palladium standard found.
        reference: another night of moments, by folder or number, that this one is divided by.

    Raises:
        ConfigurationError: if there is no such night or run, the sample is none of those measured there, or
            the reference has nothing in common with it.
        StorageError: if its files cannot be read, or the results not written.
    """
    sizes = None if sample is None else _sample(sample)
    if Path(folder).is_file():
        if calibration is not None:
            raise ConfigurationError(
                "a file says nothing of how zero was reached; --calibration takes a night"
            )
        if reference is not None:
            raise ConfigurationError("--reference divides one night by another; name a night, not a file")
        report = analyse_file(Path(folder).resolve(), sizes)
    else:
        other = None if reference is None else find_night(reference, RUNS).resolve()
        report = analyse(find_night(folder, RUNS).resolve(), sizes, calibration, other)
    # A run that is damaged is told like a result; a program should see it from the exit code too.
    damaged = any(result.id.startswith("analysis") for result in report.results)
    return NightAnswer(
        report.simulated,
        report.night,
        report.runs,
        report.results,
        report.messages,
        report.figure,
        exit_code=3 if damaged else 0,
    )


def _sample(reference: str) -> SampleFile:
    try:
        return load_sample_file(find("sample", reference, Path()))
    except (
        ValueError
    ) as error:  # the one of a reference; that of the file itself is one of ours, and a ValueError
        raise ConfigurationError(str(error)) from None


def _run(plan: Plan, runs: Path, choice: LabChoice, compare_with: tuple[str, ...] = ()) -> NightAnswer:
    with prepared(plan, choice) as (clock, key):
        return _watched(
            plan, NightThread(plan, runs, clock, key, compare_with=compare_with, twin=choice.for_manifest())
        )


def _watched(plan: Plan, night: NightThread) -> NightAnswer:
    with signals_ask(night) as button:
        watch(night, button, Console(stderr=True))
        return _answer(plan, night)


def _answer(plan: Plan, night: NightThread) -> NightAnswer:
    """Analyse what a night stored, however it ended, and say so."""
    outcome = night.outcome()
    folder = night.folder.resolve()
    messages = [*plan.messages, *([outcome.message] if outcome.message else [])]
    if not outcome.safe:
        messages.append("SAFE STATE NOT CONFIRMED: look at the instruments now; events.jsonl has each step")
    simulated = plan.station.backend == "simulated"
    code = outcome.exit_code
    try:
        report = analyse(folder)
    except Exception as error:  # noqa: BLE001 - the points are stored; a person gets a sentence, not a traceback
        messages.append(f"not analysed: {error}; the data are kept, try `onnes analyse {folder}`")
        return NightAnswer(simulated, folder, messages=tuple(messages), exit_code=code or 3)
    messages += [message for message in report.messages if message not in messages]
    return NightAnswer(
        simulated, folder, report.runs, report.results, tuple(messages), report.figure, exit_code=code
    )


@contextmanager
def demo_files() -> Iterator[Path]:
    """Yield the folder with the demo's files, also where the package is not unpacked."""
    package = files("onnes.runner")
    with as_file(package.joinpath(_DEMO[0])) as sequence:
        yield sequence.parent
