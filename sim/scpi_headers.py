"""SCPI headers as manuals print them: optional nodes, short and long forms."""

import re
from collections.abc import Iterator

_PIECE = re.compile(r"\[|\]|:|[A-Za-z*]+(?:\d+)?(?:\[\d+\])?")


def headers(spec: str) -> Iterator[tuple[str, ...]]:
    """Yield each way through the optional nodes of a header, as mnemonics with their cases.

    >>> list(headers("[SOURce[1]]:CLEar[:IMMediate]"))
    [('SOURce[1]', 'CLEar', 'IMMediate'), ('SOURce[1]', 'CLEar'), ('CLEar', 'IMMediate'), ('CLEar',)]
    """
    nodes: list[tuple[str, bool]] = []
    depth = 0
    for piece in _PIECE.findall(spec):
        if piece in "[]":
            depth += 1 if piece == "[" else -1
        elif piece != ":":
            nodes.append((piece, depth > 0))

    def ways(place: int) -> Iterator[tuple[str, ...]]:
        if place == len(nodes):
            yield ()
            return
        mnemonic, is_optional = nodes[place]
        for rest in ways(place + 1):
            yield (mnemonic, *rest)
        if is_optional:
            yield from ways(place + 1)

    return ways(0)


def spellings(mnemonic: str) -> set[str]:
    """Return the spellings of one mnemonic in upper case.

    >>> sorted(spellings("SOURce[1]"))
    ['SOUR', 'SOUR1', 'SOURCE', 'SOURCE1']
    """
    name, _, suffix = mnemonic.partition("[")
    forms = {short_form(name), name.upper()}
    return forms | {form + suffix.rstrip("]") for form in forms}


def short_form(word: str) -> str:
    """Return the short form of a mnemonic.

    >>> short_form("SOURce")
    'SOUR'
    """
    return "".join(letter for letter in word if not letter.islower())
