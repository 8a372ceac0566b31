"""Documentation runs: every file, command and snippet of the pages, in order, and prints what they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from onnes.runner.cli import cli

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PAGES = sorted(
    page
    for page in [*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    if BLOCK.search(page.read_text(encoding="utf-8"))
)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    yield from BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(body: str) -> Iterator[tuple[list[str], int]]:
    """Yield the arguments of each `onnes` of a shell block, and its exit code: 0 where no comment says other.

    What installs it is for the gate to run.
    """
    for line in body.splitlines():
        code = re.search(r"# exit code (\d)", line)
        words = shlex.split(line.rpartition("&&")[2], comments=True)
        if words[:2] == ["uv", "run"]:
            words = words[2:]
        if words[:1] == ["onnes"]:
            yield words[1:], int(code[1]) if code else 0


def shown(body: str) -> Iterator[str]:
    """Yield what the commands before must have printed; `...` is what the page leaves out."""
    for line in body.splitlines():
        if begin := " ".join(line.partition("...")[0].split()):
            yield begin


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_snippet_of_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    told: list[str] = []
    for language, title, body in blocks(page):
        if title:
            target = tmp_path / title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body, encoding="utf-8")
        elif language == "python":
            exec(compile(body, page.name, "exec"), names)  # the pages are ours
        elif language == "sh":
            for arguments, code in commands(body):
                result = CliRunner().invoke(cli, arguments, standalone_mode=False)
                assert (result.exception, result.return_value) == (None, code), result.output
                told += [" ".join(line.split()) for line in result.output.splitlines()]
        elif language == "output":
            assert [line for line in shown(body) if not any(one.startswith(line) for one in told)] == []


def test_the_gate_runs_exactly_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if line.endswith("uv run pytest"))
    assert command == "python3 -m pip install -q uv && uv run pytest"
    assert command in gate.splitlines()


def test_every_link_of_the_pages_leads_somewhere() -> None:
    missing = []
    for page in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                missing.append(f"{page.name}: {target}")
    assert missing == []
