"""Where the files are that a sequence names: beside it, in a parent folder, or in the user's own folder."""

from pathlib import Path

import click

from onnes.instruments.spelling import nearest
from onnes.runner.problems import choice


def find(kind: str, reference: str, beside: Path) -> Path:
    """Return the path that ``reference`` means; ``kind`` is ``station`` or ``sample``.

    ``ppms9`` is ``stations/ppms9.toml`` in the folder ``beside`` or in one above it, else in the user's
    configuration folder; what has a ``/`` or ends in ``.toml`` is a path relative to ``beside``.

    Raises:
        ValueError: if there is no such file; the text says where it was looked for and what is there.
    """
    if "/" in reference or "\\" in reference or reference.endswith(".toml"):
        path = beside / reference
        if path.is_file():
            return path
        raise ValueError(f"no {kind} file {shown(path)}; give the path relative to {shown(beside)}")
    folder = f"{kind}s"
    here = beside.resolve()
    places = [parent / folder for parent in (here, *here.parents)]
    places.append(Path(click.get_app_dir("onnes")) / folder)
    for place in places:
        if (place / f"{reference}.toml").is_file():
            return place / f"{reference}.toml"
    known = sorted({file.stem for place in places if place.is_dir() for file in place.glob("*.toml")})
    there = f"; expected {choice(known)}{nearest(reference, known)}" if known else ""
    raise ValueError(
        f"no {kind} '{reference}': no file {folder}/{reference}.toml in {shown(here)}, "
        f"a folder above it or {places[-1].parent}{there}"
    )


def shown(path: Path) -> str:
    """Return ``path`` as short as it can be said from the working directory, with forward slashes."""
    full, here = path.resolve(), Path.cwd()
    return (full.relative_to(here) if full.is_relative_to(here) else full).as_posix() or "."
