"""Programs in the hands of MultiVu: a whole stretch of measurements is handed over at once, for one start.

What is handed over holds until one of the measurements is broken off. Then it is void: the machine's software
may go on with it, so what is left is handed over under new names, for a new start.
"""

from collections.abc import Callable, Collection, Iterator

from onnes.instruments import moments
from onnes.instruments.station import Station
from onnes.procedures.moment_measurement import MomentMeasurement
from onnes.procedures.ramping import USUAL_RATE_K_PER_MIN
from onnes.procedures.take_up import TakeUp
from onnes.runner.plan import Measure, Plan, PlanStep
from onnes.runner.record import Record

_COUNT = "handed_over"  # key of a step in night.json: how often its program was handed over


class HandOvers:
    """Names the programs of one night and hands them over.

    ``finish`` is the name of the sequence that takes temperature and field where they belong at the end, as
    long as it is in MultiVu's hands; empty where it is not.

    Args:
        notify: tells a person, who has to start what was handed over.
    """

    def __init__(
        self, plan: Plan, station: Station, record: Record, notify: Callable[[str, str], None]
    ) -> None:
        self.finish = ""
        self._plan = plan
        self._station = station
        self._record = record
        self._notify = notify
        self._stretch: frozenset[int] = frozenset()  # numbers of the steps whose programs are handed over
        self._waits_for = ""  # the file that somebody has to start

    def take(
        self, step: PlanStep, measurement: MomentMeasurement, take_up: TakeUp, left: Collection[int]
    ) -> None:
        """See to it that the program of ``step`` is handed over, and those of the measurements that follow.

        Args:
            left: numbers of the steps that have a run already: what is left of them is known at their turn.

        Raises:
            LimitError: if a setpoint is outside the limits of the machine; nothing was written.
            ConfigurationError: if the machine or its template cannot do it; nothing was written.
            StorageError: if the sequences cannot be written.
        """
        if step.number in self._stretch:
            return
        steps = [(step, measurement), *self._following(step, measurement, left)]
        programs = []
        for one, measured in steps:
            count = self._count(one.number)
            measured.program_name = self._name(f"{one.number:02d}_{measured.kind}", count)
            programs.append(measured.program(take_up if one is step else None))
        finish = self._finish_after(steps[-1][0], self._count(step.number))
        if finish is not None:
            programs.append(finish)
        handed = self._station.magnetometer(measurement.magnetometer).hand_over(programs)
        for one, measured in steps:
            measured.handed_over = True
            self._record.step(one.number, **{_COUNT: self._count(one.number)})
        self._stretch = frozenset(one.number for one, _ in steps)
        self.finish = "" if finish is None else finish.name
        self._waits_for = handed.start.name
        values = {
            "start": str(handed.start),
            "runbook": str(handed.runbook),
            "programs": [program.name for program in programs],
        }
        self._record.event("hand_over", handed.message, values)
        self._notify("suspended", handed.message)

    def begun(self) -> None:
        """Note that a row has come: somebody has started the sequence."""
        self._waits_for = ""

    def void(self) -> None:
        """Note that a measurement was broken off: what is left has to be handed over anew."""
        self._stretch, self._waits_for, self.finish = frozenset(), "", ""

    def waiting(self) -> str:
        """Return which file somebody has to start, in words; empty where none is waited for."""
        return f"waiting for somebody to start {self._waits_for} in MultiVu" if self._waits_for else ""

    def _following(
        self, step: PlanStep, measurement: MomentMeasurement, left: Collection[int]
    ) -> Iterator[tuple[PlanStep, MomentMeasurement]]:
        """Yield the measurements that MultiVu can go on with by itself: nothing else comes between."""
        for later in self._plan.steps:
            if later.number <= step.number or self._record.is_done(later.number):
                continue
            measured = later.action.measurement if isinstance(later.action, Measure) else None
            if (
                not isinstance(measured, MomentMeasurement)
                or measured.magnetometer != measurement.magnetometer
                or later.number in left
            ):
                return
            yield later, measured

    def _count(self, number: int) -> int:
        """Return how often the program of a step will have been handed over with this time."""
        return int(self._record.of_step(number).get(_COUNT, 0)) + 1

    def _name(self, what: str, count: int) -> str:
        return f"{self._record.night.path.name}_{what}_a{count}"

    def _finish_after(self, last: PlanStep, count: int) -> moments.MomentProgram | None:
        """Return the way to ``finish`` as a program; None where it can be set from here, or more follows."""
        finish, steps = self._plan.finish, list[moments.Step]()
        more = any(
            later.number > last.number and isinstance(later.action, Measure) for later in self._plan.steps
        )
        if self._station.thermostat is not None or more:
            return None
        if finish.temperature_k is not None:
            rate_k_per_min = finish.rate_k_per_min or USUAL_RATE_K_PER_MIN
            steps.append(moments.SetTemperature(finish.temperature_k, rate_k_per_min))
        if finish.field_oe is not None:
            rate = finish.field_rate_oe_per_s
            steps.append(moments.SetField(finish.field_oe, rate, finish.approach))
        if not steps:
            return None
        steps.append(moments.Wait(0.0, temperature=True, field=True))
        name = self._name(f"{last.number:02d}_finish", count)
        return moments.MomentProgram(name, "finish", tuple(steps), moments.Scan(), 0.0)
