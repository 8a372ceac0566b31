"""What drivers, station file and sequence allow; each limit names the driver, or the file, line and key."""

from pathlib import Path

from onnes.instruments.drivers import CLASSES
from onnes.instruments.limits import Limits
from onnes.instruments.mpms import Mpms
from onnes.instruments.station_file import StationFile
from onnes.instruments.toml_file import line_of, read_text
from onnes.runner.plan_limits import PlanLimits, at_most, limits_of
from onnes.runner.references import shown
from onnes.runner.sequence import Limits as SequenceLimits


def driver_limits(station: StationFile) -> PlanLimits:
    """Return what the instruments allow as far as their drivers know it before they are opened."""
    roles = station.roles
    known = [
        (roles.thermostat, "temperature"),
        (roles.thermostat, "temperature_rate"),
        (roles.magnet, "field_rate"),
        *((wiring.source, "current") for wiring in station.wiring.values()),
    ]
    limits = PlanLimits()
    if roles.magnetometer is not None:
        machine = CLASSES[station.instruments[roles.magnetometer].driver]
        if issubclass(machine, Mpms):
            allowed = machine.model.limits
            limits = PlanLimits(
                temperature=allowed.temperature,
                temperature_rate=allowed.temperature_rate,
                field=allowed.field,
                field_rate=allowed.field_rate,
            )
    for instrument, kind in known:
        driver = CLASSES[station.instruments[instrument].driver] if instrument is not None else None
        found = getattr(driver, f"{kind}_limits", None)
        if isinstance(found, Limits):
            limits = limits.narrowed(PlanLimits(**{kind: found}))
    return limits


def station_limits(station: StationFile, path: Path) -> PlanLimits:
    """Return what the station file allows; each limit names the file, line and key that set it."""
    text, given = read_text(path), station.limits

    def set_by(kind: str) -> str:
        return f"{shown(path)}:{line_of(text, ('limits', kind))} limits.{kind}"

    found: dict[str, Limits] = {}
    for kind in ("temperature", "field"):
        if (ends := getattr(given, kind)) is not None:
            low, high = ends
            found[kind] = limits_of(kind, low, high, set_by(kind))
    for kind in ("temperature_rate", "field_rate"):
        if (most := getattr(given, kind)) is not None:
            found[kind] = at_most(kind, most, set_by(kind))
    return PlanLimits(**found)


def sequence_limits(limits: SequenceLimits, file: str) -> PlanLimits:
    """Return what the sequence allows itself."""
    found: dict[str, Limits] = {}
    for kind in SequenceLimits.model_fields:
        ends = getattr(limits, kind)
        if isinstance(ends, tuple):
            low, high = ends
            found[kind] = limits_of(kind, low.number, high.number, f"{file}:{high.place.line} limits.{kind}")
        elif ends is not None:
            found[kind] = at_most(kind, ends.number, f"{file}:{ends.place.line} limits.{kind}")
    return PlanLimits(**found)
