"""Is there enough liquid helium for a plan, and is that known? Rules L070 and L071."""

from onnes.instruments.errors import InstrumentFault, LimitError
from onnes.instruments.interlock_table import InterlockLevel
from onnes.instruments.protocols import HeliumGauge, HeliumLevel
from onnes.instruments.station_file import HeliumUse
from onnes.runner.planned_time import PlannedTime

_NEAR = 0.1  # of the minimum: that close to it an estimate is no promise


def fresh_level(gauge: HeliumGauge) -> tuple[HeliumLevel, str]:
    """Return the level and, where it stays old though the meter was started, why.

    Raises:
        CommunicationError: if the gauge gives no usable answer.
    """
    level = gauge.helium_level()
    if level.age != "old":
        return level, ""
    try:
        return gauge.refresh_helium_level(), ""
    except InstrumentFault as fault:
        return level, str(fault)


def helium_messages(
    level: HeliumLevel, why_old: str, minimum: InterlockLevel, use: HeliumUse | None, planned: PlannedTime
) -> list[str]:
    """Return what a person should know of the helium before the night.

    A level that stays old is compared with nothing. What is left at the end is estimated where the station
    file says what is used.

    Args:
        why_old: why the level could not be measured anew; empty for a fresh one.
        minimum: the interlock that ends the use of the magnet.
        use: what is used an hour.

    Raises:
        LimitError: if the level is below the minimum and the plan moves the field.
    """
    if why_old:
        return [
            f"L071: the helium level is older than 1 h and was {level.percent:.3g} % then ({why_old}); "
            "read it at the cryostat, and look at the meter"
        ]
    lowest = f"{minimum.trip:.3g} %, the minimum set by {minimum.set_by}"
    if level.percent < minimum.trip:
        if planned.moves_field:
            raise LimitError(
                f"helium level = {level.percent:.3g} % is outside [{minimum.trip:.3g}, 100] %, the range set "
                f"by {minimum.set_by}, and the plan moves the field; nothing was set; fill helium before the "
                "night"
            )
        return [
            f"L070: helium level = {level.percent:.3g} % is below {lowest}; the night would wait from its "
            "first step on, so fill helium before it"
        ]
    if use is None:
        return []
    spent = {
        "at zero field": (planned.hours["idle"], use.idle),
        "at a field": (planned.hours["driven"], use.driven),
        "in ramps of the field": (planned.hours["ramping"], use.ramping),
    }
    left = level.percent - sum(100.0 * hours * rate for hours, rate in spent.values())
    if left >= (1.0 + _NEAR) * minimum.trip:
        return []
    parts = [
        f"{hours:.3g} h {how} at {100.0 * rate:.3g} %/h" for how, (hours, rate) in spent.items() if hours
    ]
    near = "below" if left < minimum.trip else "within 10 % of"
    return [
        f"L070: helium at the end = {left:.3g} % is {near} {lowest}: {level.percent:.3g} % now less "
        f"{' and '.join(parts)}, from the planned times and the use in the station file; fill helium before "
        "the night, or shorten the plan"
    ]
