"""What the wheel holds must not drift from the tree."""

import doctest
import importlib
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {name: ROOT / path for name, path in CONFIG["tool"]["setuptools"]["package-dir"].items()}
MODULES = sorted(
    f"{package}.{file.stem}"
    for package, folder in FOLDERS.items()
    for file in folder.glob("*.py")
    if file.stem not in {"__init__", "__main__"}
)


def test_every_package_folder_is_listed_and_flat() -> None:
    rooms = {init.parent for init in ROOT.glob("*/__init__.py")}
    nested = {file.parent for folder in FOLDERS.values() for file in folder.rglob("*.py")}
    assert rooms | nested == set(FOLDERS.values())
    assert set(CONFIG["tool"]["setuptools"]["packages"]) == set(FOLDERS)


def test_every_package_is_typed_linked_and_under_contract() -> None:
    assert {name for name, folder in FOLDERS.items() if not (folder / "py.typed").is_file()} == set()
    links = {name: ROOT / "typings" / name.replace(".", "/") for name in FOLDERS}
    if all(link.is_symlink() for link in links.values()):
        assert {name: link.resolve() for name, link in links.items()} == FOLDERS
    assert set(CONFIG["tool"]["importlinter"]["root_packages"]) == set(FOLDERS)
    banned = CONFIG["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert {name.removeprefix("onnes.") for name in FOLDERS} - {"pyvisa_onnes"} <= set(banned)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
