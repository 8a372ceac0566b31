r"""The frames of a MultiVu server: two bytes of length, a header and a body, both JSON.

>>> frame({"action": "TEMP?"})[:24]
b'\x00g{"byteorder": "little"'
"""

import json
from collections.abc import Mapping
from decimal import Decimal

PREFIX_BYTES = 2
MOST_BYTES = 4095
"""The server takes a frame out of one read of 4096 bytes; a longer one kills it (seen, 3.8.0)."""

_HEADER_KEYS = ("byteorder", "message-type", "message-encoding", "message-length")


def frame(body: Mapping[str, str]) -> bytes:
    """Return ``body`` as one frame.

    Raises:
        ValueError: if it is longer than the server takes.
    """
    content = json.dumps(body, ensure_ascii=False).encode()
    header = json.dumps(
        dict(zip(_HEADER_KEYS, ("little", "text/json", "utf-8", len(content)), strict=True))
    ).encode()
    data = len(header).to_bytes(PREFIX_BYTES, "big") + header + content
    if len(data) > MOST_BYTES:
        raise ValueError(f"a frame of {len(data)} bytes is outside [0, {MOST_BYTES}] bytes; nothing was sent")
    return data


def header_bytes(prefix: bytes) -> int:
    """Return the length of the header that follows ``prefix``."""
    return int.from_bytes(prefix, "big")


def body_bytes(header: bytes) -> int:
    """Return the length of the body that follows ``header``.

    Raises:
        ValueError: if it is no header.
    """
    found = _object(header)
    length = found.get("message-length")
    if any(key not in found for key in _HEADER_KEYS) or type(length) is not int or length < 0:
        raise ValueError(f"{header!r} is no header of a MultiVu server")
    return length


def body_of(content: bytes) -> dict[str, str]:
    """Return the body that ``content`` says.

    Raises:
        ValueError: if it says none.
    """
    return {key: str(value) for key, value in _object(content).items()}


def _object(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content.decode())
    except ValueError:  # no UTF-8, or no JSON
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{content!r} is no JSON object of a MultiVu server")
    return found


def decimal(value: float) -> str:
    """Return ``value`` in full, without exponent and plus sign: the server cuts a number at its ``+`` (seen).

    >>> decimal(1e-05), decimal(-1e16), decimal(295.0)
    ('0.00001', '-10000000000000000', '295.0')
    """
    return format(Decimal(repr(float(value))), "f")
