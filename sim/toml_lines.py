"""Where a table or key stands in a TOML text; ``tomllib`` gives values without their places."""

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(.*)""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_TEXT = re.compile(r"""\"(?:\\.|[^"\\])*\"|'[^']*'|\#.*""")


def toml_lines(text: str) -> Mapping[Path, int]:
    r"""Return {path of a table or key: its line, counted from 1}; arrays of tables count from 0.

    Found by scanning for headers and keys. What stands inside an inline table or a list has the line of its
    key.

    >>> toml_lines("[magnet]\nmax_oe = 90000\n[[read]]\nemf_nv = 3")[("read", 0, "emf_nv")]
    4
    """
    places: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    depth = 0  # of brackets of a value that goes on over several lines
    for number, line in enumerate(text.splitlines(), start=1):
        if depth > 0:
            depth += _open_brackets(line)
            continue
        if header := _HEADER.fullmatch(line):
            path: Path = tuple(part.strip("\"'") for part in _PART.findall(header[2]))
            if header[1] == "[[":
                counts[path] = counts.get(path, -1) + 1
                places.setdefault(path, number)
                path = (*path, counts[path])
            table = path
            places[table] = number
        elif key := _KEY.fullmatch(line):
            parts = tuple(part.strip("\"'") for part in _PART.findall(key[1]))
            for length in range(1, len(parts) + 1):
                places.setdefault((*table, *parts[:length]), number)
            depth = _open_brackets(key[2])
    return places


def _open_brackets(text: str) -> int:
    bare = _TEXT.sub("", text)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
