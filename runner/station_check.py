"""The last look before a night: does the plan fit what the instruments themselves allow?"""

from onnes.instruments.errors import LimitError
from onnes.instruments.station import Station
from onnes.runner.plan import Plan
from onnes.runner.plan_limits import PlanLimits, refused
from onnes.runner.problems import report


def check_against_station(plan: Plan, station: Station) -> None:
    """Check every demand of the plan against limits that were read from the instruments.

    Raises:
        LimitError: naming every place of the sequence that asks for too much; nothing was sent.
    """
    found = station.limits()
    limits = PlanLimits(
        temperature=found.temperature,
        temperature_rate=found.temperature_rate,
        field=found.field,
        field_rate=found.field_rate,
    )
    problems = refused(plan.demands, limits)
    if problems:
        raise LimitError(report(str(plan.path), problems))
