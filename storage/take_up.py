"""What is checked before a night or a run is taken up, so that a refusal changes nothing on the disk."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnes.instruments.errors import ConfigurationError, StorageError
from onnes.instruments.records import Column
from onnes.storage.manifest import read_manifest
from onnes.storage.table import ATTEMPT, FORMAT, provenance

_HELP = "nothing was changed; restore it from a copy, or begin a new night"
_BOTH = {"night": str, "status": str, "started": str}
_NIGHT = {**_BOTH, "number": int, "owner": dict, "heartbeat": str, "sequence_sha256": str}
_RUN = {**_BOTH, "run": str, "columns": list, "header": dict}


def night_to_take_up(path: Path, sequence: Path) -> dict[str, Any]:
    """Return the manifest ``path`` of a night that can be taken up.

    Raises:
        StorageError: if it is missing or damaged, has another format, or the sequence is not the one of it.
        ConfigurationError: if the night is finished.
    """
    entries = _manifest(path, _NIGHT)
    try:
        found = hashlib.sha256(sequence.read_bytes()).hexdigest()
    except OSError as error:
        raise StorageError(f"cannot read {sequence}: {error.strerror or error}; {_HELP}") from error
    if found != entries["sequence_sha256"]:
        raise StorageError(f"{sequence} is not the text that the night was begun with; {_HELP}")
    return entries


def run_to_take_up(path: Path, columns: Sequence[Column] | None) -> dict[str, Any]:
    """Return the manifest ``path`` of a run that can be taken up.

    Args:
        columns: what the measurement gives now, compared with those of the run; None to leave that out.

    Raises:
        StorageError: if it is missing or damaged, has another format, or its columns are others.
        ConfigurationError: if the run is finished.
    """
    entries = _manifest(path, _RUN)
    if not all(isinstance(each, dict) and {"label", "unit"} <= each.keys() for each in entries["columns"]):
        raise StorageError(f"{path} is damaged: columns is no list of columns; {_HELP}")
    if columns is not None:
        stored = [column["label"] for column in entries["columns"] if column["label"] != ATTEMPT.label]
        labels = [column.label for column in columns]
        if stored != labels:
            raise StorageError(
                f"{path.parent} has other columns than the measurement gives now: missing "
                f"{sorted(set(stored) - set(labels))}, unknown {sorted(set(labels) - set(stored))}, expected "
                f"in this order {stored}; nothing was changed; go on with the version that began the run"
            )
    return entries


def checked_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of an attempt: ``rule``, ``curve``, ``done`` and ``reason``.

    Raises:
        ValueError: if one of them is missing or is no such thing.
    """
    rule, curve, done, reason = (entry.get(key) for key in ("rule", "curve", "done", "reason"))
    if rule not in ("free", "path"):
        raise ValueError(f"rule = {rule!r} of an attempt is neither 'free' nor 'path'")
    if type(curve) is not int or curve < 1 or type(done) is not int or done < 0:
        raise ValueError(f"curve = {curve!r} counts from 1 and done = {done!r} from 0 in an attempt")
    if not isinstance(reason, str) or not reason:
        raise ValueError("an attempt has no reason; say what broke the one before it off")
    return {"rule": rule, "curve": curve, "done": done, "reason": reason}


def _manifest(path: Path, needed: Mapping[str, type]) -> dict[str, Any]:
    try:
        entries = read_manifest(path)
    except StorageError as error:
        raise StorageError(f"{error}; {_HELP}") from error
    if entries.get("format") != FORMAT:
        raise StorageError(
            f"{path} has format {entries.get('format')!r} and this version takes up format {FORMAT}; nothing "
            "was changed; go on with the version that wrote it"
        )
    wrong = [key for key, kind in needed.items() if not isinstance(entries.get(key), kind)]
    attempts = entries.get("attempts", [])  # version 0.1 wrote none
    if not isinstance(attempts, list) or not all(
        isinstance(each, dict) and type(each.get("attempt")) is int for each in attempts
    ):
        wrong.append("attempts")
    try:
        provenance(entries, path.name)
    except ValueError:
        wrong.append("backend, lab and seed")
    if wrong:
        raise StorageError(f"{path} is damaged: without a proper entry {', '.join(wrong)}; {_HELP}")
    if entries["status"] == "finished":
        raise ConfigurationError(f"{path.parent} is finished; there is nothing to take up in it")
    return entries
