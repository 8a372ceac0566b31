"""Time stamps of Quantum Design's files: three epochs, local times without a zone, and the hour in autumn."""

import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.qd_file import FileOpened

# Told apart by value (a): a controller runs 25 years until the first, and MPMS3 was built after the second.
_UNIX_FROM, _LOCAL_FROM = 8e8, 3e9
_LARGEST = 1e11  # s; what lies beyond is no time

_LOCAL_ZERO = "1899-12-30"  # MPMS3, DynaCool, ETO, heat capacity; 3876036857.168 is 2022-10-27 12:54:17
_UNIX_ZERO = "1970-01-01"


def times_of(
    stamps: "pd.Series[float]", opened: FileOpened | None, timezone: str | None, note: Callable[[str], None]
) -> "pd.Series[Any]":
    """Return the times of the rows, in order: UTC where the zone is known, otherwise local without a zone.

    Stamps since 1970 are UTC by themselves. Those since 1899 are local, and so is the header's text, which
    gives the times where the stamps count from the start of the controller, to the minute.

    Args:
        stamps: s, NaN for none.
        opened: what the header says; it serves for stamps since the start of the controller alone.
        timezone: where the machine stands, such as ``Europe/Rome``.
        note: takes what is doubtful, one sentence each.

    Raises:
        ConfigurationError: if there is no such zone.
    """
    zone = None if timezone is None else _zone(timezone)
    finite = stamps[np.isfinite(stamps)]
    first = float(finite.iloc[0]) if len(finite) else np.nan
    if _UNIX_FROM <= first < _LOCAL_FROM:
        utc: pd.Series[Any] = _since(_UNIX_ZERO, stamps).dt.tz_localize("UTC")
        return utc
    if first >= _LOCAL_FROM:
        return _in_utc(_since(_LOCAL_ZERO, stamps), zone, note)
    if opened is None or not opened.wall or not np.isfinite(opened.stamp):
        if len(finite):
            note(
                "the stamps count from the start of the controller and the header has no time: none is known"
            )
        return _in_utc(_since(_LOCAL_ZERO, stamps * np.nan), zone, note)
    # The controller counts on through the night on which the clocks change, so one time is localised.
    start = _in_utc(pd.Series([pd.Timestamp(opened.wall)]).dt.as_unit("us"), zone, note).iloc[0]
    return pd.Series(start + _delta(stamps - opened.stamp), index=stamps.index)


def _zone(timezone: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder
        raise ConfigurationError(
            f"timezone = {timezone!r} is no time zone; name a place, e.g. 'Europe/Rome'"
        ) from error


def _delta(seconds: "pd.Series[float]") -> "pd.Series[Any]":
    known = np.isfinite(seconds) & (seconds.abs() < _LARGEST)
    micros = np.round(seconds.where(known, 0.0).to_numpy() * 1e6).astype("timedelta64[us]")
    return pd.Series(micros, index=seconds.index).where(known)


def _since(zero: str, stamps: "pd.Series[float]") -> "pd.Series[Any]":
    return pd.Series(np.datetime64(zero, "us") + _delta(stamps), index=stamps.index)


def _in_utc(
    local: "pd.Series[Any]", zone: zoneinfo.ZoneInfo | None, note: Callable[[str], None]
) -> "pd.Series[Any]":
    if zone is None:
        return local
    hour = pd.Timedelta(hours=1)
    known = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent=hour)
    twice = (known.isna() & local.notna()).to_numpy()
    if twice.any():
        note(
            "the clocks go back while it is measured: in the hour that comes twice it is the second one from "
            "where the time steps back"
        )
    if (known.dt.tz_localize(None) != local)[~twice & local.notna().to_numpy()].any():
        note("times that the zone does not have in spring are taken as an hour later")
    summer = twice & ~_stepped_back(local, twice)
    utc: pd.Series[Any] = local.dt.tz_localize(zone, ambiguous=summer, nonexistent=hour).dt.tz_convert("UTC")
    return utc


def _stepped_back(local: "pd.Series[Any]", twice: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return which rows of an hour that comes twice lie behind a step back, row by row in order."""
    back = (local.diff() < pd.Timedelta(0)).to_numpy()
    block = np.cumsum(np.diff(twice, prepend=False))
    behind = pd.Series(back & twice).groupby(block).cummax().to_numpy(dtype=bool)
    stepped: np.ndarray[Any, Any] = behind & twice
    return stepped
