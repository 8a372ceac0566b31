r"""The frames on the wire of a MultiVu server, as MultiPyVu 3.8 sends them.

Two bytes of length, big end first; a header of that length and a body of the length that it says, both JSON.

>>> framed({"action": "TEMP?"})[:24]
b'\x00g{"byteorder": "little"'
"""

import json
from collections.abc import Mapping
from typing import Any

_PREFIX = 2


class BrokenFrame(Exception):
    """What came is no frame; nothing after it can be read either."""


def framed(body: Mapping[str, Any]) -> bytes:
    """Return ``body`` as one frame."""
    content = json.dumps(body, ensure_ascii=False).encode()
    header = {
        "byteorder": "little",
        "message-type": "text/json",
        "message-encoding": "utf-8",
        "message-length": len(content),
    }
    head = json.dumps(header).encode()
    return len(head).to_bytes(_PREFIX, "big") + head + content


def first_frame(data: bytes) -> tuple[dict[str, Any] | None, bytes]:
    """Return the body of the first frame in ``data`` and what is left; None while it is not all there.

    Raises:
        BrokenFrame: if ``data`` begins with something else.
    """
    head_end = _PREFIX + int.from_bytes(data[:_PREFIX], "big")
    if len(data) < max(_PREFIX, head_end):
        return None, data
    header = _parsed(data[_PREFIX:head_end])
    length = header.get("message-length")
    if type(length) is not int or not {"byteorder", "message-type", "message-encoding"} <= set(header):
        raise BrokenFrame(f"{header} is no header")
    end = head_end + length
    if len(data) < end:
        return None, data
    return _parsed(data[head_end:end]), data[end:]


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode())
    except ValueError as error:
        raise BrokenFrame(str(error)) from None
    if not isinstance(found, dict):
        raise BrokenFrame(f"{found!r} is no object")
    return found
