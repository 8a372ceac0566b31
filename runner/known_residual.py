"""What is known of the residual field before a measurement: a calibration, or the largest it can be."""

from collections.abc import Mapping
from typing import Any

from onnes.instruments.errors import ConfigurationError
from onnes.instruments.protocols import FieldApproach
from onnes.instruments.station_file import StationFile
from onnes.instruments.toml_file import line_of, read_text
from onnes.runner.references import shown
from onnes.runner.residual_calibration import load_residual_calibration

# After full field, by driver; Quantum Design note 1070-207 for the 7 T MPMS3.
_AFTER_MAX_FIELD_OE = {"mpms3": 40.0}


def usual_source(station: StationFile) -> str:
    """Return where the residual field is known from where nobody says: the calibration, if there is one."""
    table = station.residual_field
    return "estimate" if table is None or table.calibration is None else "calibration"


def known_residual(
    station: StationFile, instrument: str, source: str, after: FieldApproach, degauss_from_oe: float
) -> Mapping[str, Any]:
    """Return what is known, with its source in words under ``known``.

    A calibration gives ``value_oe`` and ``sigma_oe`` (k = 1), an estimate ``bound_oe``: no more than that.
    Of an estimate nothing is returned where neither station file nor maker says one.

    Args:
        instrument: whose magnet it is.
        source: ``calibration``, ``pd`` (a calibration with a palladium standard) or ``estimate``.
        after: how zero was approached.
        degauss_from_oe: from where, Oe.

    Raises:
        ValueError: if the station does not say it.
        ConfigurationError: if the calibration file is not there or wrong.
    """
    table, path = station.residual_field, shown(station.path)
    if source == "estimate":
        return _estimate(station, instrument, after)
    if table is None or table.calibration is None:
        raise ValueError(
            f"residual from {source}, and {path} names no calibration; measure one with a palladium standard "
            "and name it under residual_field.calibration, or say 'residual: {from: estimate}'"
        )
    line = line_of(read_text(station.path), ("residual_field", "calibration"))
    file = station.path.parent / table.calibration
    if not file.exists():
        raise ConfigurationError(
            f"{path}:{line}:1: there is no calibration {shown(file)} yet; measure a palladium standard and "
            "write it with 'onnes analyse NIGHT --calibration FILE', or say 'residual: {from: estimate}'"
        )
    try:
        calibration = load_residual_calibration(file)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}:{line}:1: the calibration cannot be used: {error}") from None
    found = calibration.expected(after, degauss_from_oe, "pd" if source == "pd" else None)
    return {"value_oe": found.residual_oe, "sigma_oe": found.sigma_oe, "known": found.known}


def _estimate(station: StationFile, instrument: str, after: FieldApproach) -> Mapping[str, Any]:
    table = station.residual_field
    if table is None:
        driver = station.instruments[instrument].driver
        bound_oe = _AFTER_MAX_FIELD_OE.get(driver)
        return {} if bound_oe is None else {"bound_oe": bound_oe, "known": f"the maker's figure for {driver}"}
    key = "after_oscillate" if after == "oscillate" else "after_max_field"
    line = line_of(read_text(station.path), ("residual_field", key))
    bound_oe = abs(float(getattr(table, key)))
    return {"bound_oe": bound_oe, "known": f"{shown(station.path)}:{line} residual_field.{key}"}
