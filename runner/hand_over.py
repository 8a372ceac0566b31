"""Programs in the hands of MultiVu: a whole stretch of measurements is handed over at once, for one start.

What is handed over holds until one of the measurements is broken off. Then it is void: the machine's software
may go on with it, so what is left is handed over under new names, for a new start.
"""

from collections.abc import Callable, Collection, Iterator

from onnes.instruments import moments
from onnes.instruments.clock import Clock
from onnes.instruments.errors import CommunicationError, ConfigurationError, StorageError
from onnes.instruments.station import Station
from onnes.procedures.moment_measurement import MomentMeasurement
from onnes.procedures.moment_stream import MomentStream
from onnes.procedures.ramping import POLL_S, USUAL_RATE_K_PER_MIN
from onnes.procedures.take_up import TakeUp
from onnes.runner.plan import Measure, Plan, PlanStep
from onnes.runner.record import Record

_COUNT = "handed_over"  # key of a step in night.json: how often its program was handed over
_FINISH = "finish_handed_over"  # key of the last of them: how often that had been with the finish behind it
# Until temperature and field are steady at the finish; and the rate where the machine chooses it (a).
_FINISH_S, _USUAL_RATE_OE_PER_S = 600.0, 100.0


class LeftToMultiVuError(ConfigurationError):
    """Temperature and field stay where a sequence takes them that nobody follows any more."""


class HandOvers:
    """Names the programs of one night and hands them over.

    Args:
        notify: tells a person, who has to start what was handed over.
    """

    def __init__(
        self, plan: Plan, station: Station, record: Record, notify: Callable[[str, str], None]
    ) -> None:
        self._plan = plan
        self._station = station
        self._record = record
        self._notify = notify
        self._stretch: frozenset[int] = frozenset()  # numbers of the steps whose programs are handed over
        self._first: MomentMeasurement | None = None  # of them, which somebody has to start
        self._finish: tuple[str, moments.MomentProgram] | None = None  # at which magnetometer; None: nowhere

    @property
    def is_under_way(self) -> bool:
        """Say whether MultiVu measures by itself what was handed over, so that nothing here can hold it."""
        stream = None if self._first is None else self._first.watch
        return isinstance(stream, MomentStream) and stream.has_begun and bool(self._station.masters)

    def take(
        self, step: PlanStep, measurement: MomentMeasurement, take_up: TakeUp, left: Collection[int]
    ) -> None:
        """See to it that the program of ``step`` is handed over, and those of the measurements that follow.

        Args:
            left: numbers of the steps that have a run already: what is left of them is known at their turn.

        Raises:
            LimitError: if a setpoint is outside the limits of the machine; nothing was written.
            ConfigurationError: if the machine or its template cannot do it; nothing was written.
            CommunicationError: if MultiVu's folders cannot be reached or written.
        """
        if step.number in self._stretch:
            return
        steps = [(step, measurement), *self._following(step, measurement, left)]
        programs: list[moments.MomentProgram] = []
        for one, measured in steps:
            measured.after = programs[-1].moments()[-1] if programs else None
            count = self._count(one.number)
            measured.program_name = self._name(f"{one.number:02d}_{measured.kind}", count)
            programs.append(measured.program(take_up if one is step else None))
        last, count = steps[-1][0], self._count(step.number)
        finish = self._finish_after(last, programs[-1], count)
        if finish is not None:
            programs.append(finish)
        for one, _ in steps:  # before they are written: a name that may be there is never used again
            self._record.step(one.number, **{_COUNT: self._count(one.number)})
        if finish is not None:
            self._record.step(last.number, **{_FINISH: count})
        handed = self._handed_over(measurement.magnetometer, programs)
        for one, measured in steps:
            measured.handed_over = True
            measured.start = handed.start if one is step else None  # the others go on by themselves
        self._stretch, self._first = frozenset(one.number for one, _ in steps), measurement
        self._finish = None if finish is None else (measurement.magnetometer, finish)
        values = {
            "start": str(handed.start),
            "runbook": str(handed.runbook),
            "programs": [program.name for program in programs],
        }
        message = handed.message
        if self._count(step.number) > 2:
            message += "; stop what MultiVu still does of this night first"
        self._record.event("hand_over", message, values)
        self._notify("suspended", message)

    def left_behind(self) -> None:
        """Let the machines know what an earlier runner of this night handed over and saw no end of.

        MultiVu may be at it: until something else is handed over, nothing is set behind its back.
        """
        for step in self._plan.steps:
            measured = step.action.measurement if isinstance(step.action, Measure) else None
            count = self._count(step.number) - 1
            if isinstance(measured, MomentMeasurement) and count and not self._record.is_done(step.number):
                measured.program_name = self._name(f"{step.number:02d}_{measured.kind}", count)
                self._station.magnetometer(measured.magnetometer).left_behind([measured.program()])
            elif isinstance(measured, MomentMeasurement):
                self._left_on_its_way(step, measured)

    def all_has_come(self, measurement: MomentMeasurement) -> None:
        """Let the machine know that all rows of a measurement are stored: its sequence is over."""
        machine = self._station.magnetometer(measurement.magnetometer)
        machine.follow(measurement.program())
        machine.let_go(ended=True)

    def void(self) -> None:
        """Note that a measurement was broken off: what is left has to be handed over anew."""
        self._stretch, self._first, self._finish = frozenset(), None, None

    def finish(self, clock: Clock) -> None:
        """Wait until MultiVu has taken temperature and field where the sequence wants them at the end.

        Raises:
            LeftToMultiVuError: if it has no sequence that does.
            InstrumentFault: if it does not get there in time.
            CommunicationError: if its file cannot be read for long.
        """
        if self._finish is None:
            raise LeftToMultiVuError(
                "temperature and field cannot be set from here, and MultiVu has no sequence that takes them "
                "where finish says; look at MultiVu, stop its sequence there, and set them there"
            )
        name, program = self._finish
        machine = self._station.magnetometer(name)
        stream = MomentStream(program, clock.now())
        machine.follow(program)
        try:
            while not stream.is_over:
                seen = stream.look(machine, clock.now())
                for remark in seen.remarks:
                    self._record.event("magnetometer", remark, {"program": program.name, "size": seen.size})
                for moment in seen.moments:
                    stream.came(moment)
                    where = f"{moment.temperature_k:.5g} K, {moment.field_oe:.6g} Oe"
                    self._record.event("finish", f"MultiVu has reached the finish: {where}")
                stream.check(clock.now(), seen)
                clock.sleep(POLL_S)
        finally:
            machine.let_go(ended=stream.is_over)

    def _left_on_its_way(self, step: PlanStep, measured: MomentMeasurement) -> None:
        """Follow the finish that MultiVu goes to by itself behind a step that is finished."""
        entry = self._record.of_step(step.number)
        if entry["status"] != "finished" or _FINISH not in entry:
            return
        program = self._finish_after(step, measured.program(), int(entry[_FINISH]))
        if program is not None:
            self._station.magnetometer(measured.magnetometer).left_behind([program])
            self._finish = measured.magnetometer, program

    def _handed_over(self, name: str, programs: list[moments.MomentProgram]) -> moments.HandedOver:
        try:
            return self._station.magnetometer(name).hand_over(programs)
        except StorageError as error:
            failed = str(error)
        # Not raised from the error of the share, which would count as one of our own disk.
        raise CommunicationError(failed)

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

    def _finish_after(
        self, last: PlanStep, before: moments.MomentProgram, count: int
    ) -> moments.MomentProgram | None:
        """Return the way to ``finish`` as a program; None where it can be set from here, or more follows.

        It ends with a moment, whose row says that temperature and field are there.
        """
        finish, steps = self._plan.finish, list[moments.Step]()
        more = any(
            later.number > last.number and isinstance(later.action, Measure) for later in self._plan.steps
        )
        rows = before.moments()
        if self._station.thermostat is not None or more or not rows:
            return None
        kelvin, field_oe = rows[-1].temperature_k, rows[-1].field_oe
        expected_s = before.point_s
        if finish.temperature_k is not None:
            rate = finish.rate_k_per_min or USUAL_RATE_K_PER_MIN
            steps.append(moments.SetTemperature(finish.temperature_k, rate))
            expected_s += abs(finish.temperature_k - kelvin) / rate * 60.0
            kelvin = finish.temperature_k
        if finish.field_oe is not None:
            asked = finish.field_rate_oe_per_s
            steps.append(moments.SetField(finish.field_oe, asked, finish.approach))
            expected_s += 2.0 * abs(finish.field_oe - field_oe) / (asked or _USUAL_RATE_OE_PER_S)
            field_oe = finish.field_oe
        if not steps:
            return None
        steps += [
            moments.Wait(0.0, temperature=True, field=True),
            moments.Remark("finish"),
            moments.MeasureMoment(kelvin, field_oe, 1, "finish", expected_s + _FINISH_S),
        ]
        name = self._name(f"{last.number:02d}_finish", count)
        return moments.MomentProgram(name, "finish", tuple(steps), before.scan, before.point_s)
