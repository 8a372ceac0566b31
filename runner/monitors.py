"""What happens between two transactions, while a procedure sleeps: heartbeat, requests, log, interlocks."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from onnes.instruments.clock import Clock, WallClock
from onnes.instruments.errors import CommunicationError, ContactError, InstrumentFault, StorageError
from onnes.instruments.limits import Limits
from onnes.instruments.protocols import HeliumLevel, Reading
from onnes.instruments.records import Event, Point
from onnes.instruments.station import Station
from onnes.procedures.moment_point import MomentPoint
from onnes.runner.breaks import (
    HELIUM_PATIENCE_S,
    INTERLOCK_PATIENCE_S,
    Break,
    BrokenOff,
    LinkDown,
    Retrying,
    SafeStop,
    Tripped,
    UntilResumed,
)
from onnes.runner.host import ClockWatch
from onnes.runner.interlocks import Interlocks, Trip
from onnes.runner.plan_limits import PlanLimits
from onnes.runner.record import Record
from onnes.runner.requests import Request, Requests
from onnes.storage.free_space import free_bytes
from onnes.storage.request_box import Asked, Refused, RequestBox

POLL_S = 5.0  # temperature and field are looked at this often at least; while measuring they are anyway
ENVIRONMENT_S = 30.0  # often enough to see a helium transfer, seldom enough to leave the bus to the points
FOREIGN_S = 10.0  # two questions of 0.15 s each: the bus is left alone for the other 97 %
_LAG_S = 60.0  # twice the 30 s by which a reported temperature lags its ramp (seen)
_SHOWN_BY_POINTS = frozenset({"compliance", "contact_open", "data_stall"})  # and by nothing else
LEVEL_S = 600.0  # a low level is measured anew this often: a meter that looks once an hour sees no refill
WAITING_S = 600.0  # without a point or an event for this long, an event says what is waited for


class Monitors:
    """Looks after a night; called in each sleep of its clock, and cheap when nothing is due.

    Args:
        limits: of the plan; they count beside the station's.
        told: returns what the messages to a person have to say for themselves since the last call.
    """

    def __init__(
        self,
        station: Station,
        limits: PlanLimits,
        clock: Clock,
        record: Record,
        requests: Requests,
        told: Callable[[], list[str]] = list,
    ) -> None:
        self._station = station
        self._clock = clock
        self._record = record
        self._requests = requests
        self._told = told
        self.came_by = clock.now()  # when this was called last; read by the watchdog
        self.stalls: list[str] = []  # what the watchdog found; other threads append
        self._box = RequestBox(record.night.path, WallClock())
        self._interlocks = Interlocks(station.file.interlocks, station.limits(), limits.temperature)
        self._still = False  # the night stands still or is on its way out: nothing breaks it off then
        self._fault_is_known = False
        wall = WallClock()
        self._clock_watch = ClockWatch(wall.system_datetime, wall.now)
        self._judged: object = None
        self._next_poll = self._next_row = self._next_foreign = clock.now()
        self._next_level = -math.inf
        self._sweeps_until = -math.inf  # when the sweep under way should be over
        self._every_s = math.inf  # between two of its points
        self._last_point = clock.now()

    def __call__(self) -> None:
        """Do what is due.

        Raises:
            BrokenOff: when the night has to stand still.
            SafeStop: when an interlock ends the night.
            InstrumentFault: in a fault state.
            CommunicationError: when the cryostat does not answer.
        """
        try:
            self._record.night.beat()
        except StorageError as error:
            self._storage_failed(error)
        for asked in self._box.take():
            self._post(asked)
        if self._requests.has_news:
            self.say_what_was_asked()
        last = self._station.last
        if last is not None and last is not self._judged:
            self._judge(*last)
            self._judged = last
        self.came_by = now = self._clock.now()
        if now >= self._next_poll:
            self._look(now)

    @contextmanager
    def standing_still(self, *, fault_is_known: bool = False) -> Iterator[None]:
        """Keep from breaking off what stands still already or is on its way out.

        A safe stop and a fault are still raised; of a fault that is known nothing more is said.
        """
        still, known = self._still, self._fault_is_known
        self._still, self._fault_is_known = True, fault_is_known
        self.begins()  # a sweep that was broken off owes no point any more
        try:
            yield
        finally:
            self._still, self._fault_is_known = still, known

    def still_tripped(self) -> Break | None:
        """Return what the night waits for because an interlock tripped meanwhile; None if none did."""
        trips = (trip for trip in self._interlocks.standing() if trip.policy == "suspend")
        # A link that is still down is told by whoever asks next; one that was down needs no waiting any more.
        trip = next((trip for trip in trips if trip.name != "link"), None)
        return None if trip is None else self._break(trip)

    def wants_no_field(self) -> bool:
        """Say whether the helium is so low that the field has to go to zero."""
        return any(trip.name == "helium" and trip.policy == "suspend" for trip in self._interlocks.standing())

    def ran_away_from(self) -> Limits | None:
        """Return the limits in force, K, where the temperature has left them or changes too fast."""
        judge = self._interlocks
        calm = all(judge.is_clear(name) for name in ("temperature", "temperature_rate"))
        return None if calm else judge.temperature_limits

    def where(self) -> tuple[float, float] | None:
        """Return temperature, K, and field, Oe, as they were read last; None if that is too long ago."""
        last = self._station.last
        if last is None or self._clock.now() - last[0].time > 2.0 * POLL_S:
            return None
        return last[0].value, last[1].value if last[1] else 0.0

    def reset(self, name: str) -> None:
        """Take an interlock for clear, because what it made the night wait for is over."""
        self._interlocks.reset(name)

    # -- what a measurement yields

    def run_begins(self, reference_ohm: float = math.nan) -> None:
        """Note that a run begins, or is taken up by another runner than before.

        Args:
            reference_ohm: what it has stored as its first resistance at the reference.
        """
        self._interlocks.forget_reference(reference_ohm)

    def begins(self) -> None:
        """Note that a measurement begins or is taken up: no sweep is under way yet."""
        self._sweeps_until = -math.inf

    def heard(self, event: Event) -> None:
        """Note what an event says of the time to the next point."""
        self.begins()
        if event.kind == "sweep":
            told = event.values
            per_s = told["rate"] / (60.0 if told["rate_unit"].endswith("/min") else 1.0)
            now = self._clock.now()
            # The readings of a run-up do not count, and the thermometer lags behind the ramp.
            self._last_point = now + (told["run_up_s"] + _LAG_S if told["run_up_s"] else 0.0)
            self._every_s = told["every_s"]
            self._sweeps_until = now + abs(told["end"] - told["start"]) / per_s

    def measured(self, point: Point) -> None:
        """Judge a point that was stored.

        Raises:
            BrokenOff, SafeStop: as the interlock says that trips.
        """
        now = self._last_point = self._clock.now()
        if point.rejected:
            flags = getattr(point, "flags", "").split(";")
            if "compliance" in flags and "contact_open" not in flags:  # an open contact is told by itself
                text = f"a point was measured in compliance: {point.rejected}"
                self._act(self._interlocks.compliance(True, text, now))
            return
        if self._interlocks.seen_compliance:
            self._act(self._interlocks.compliance(False, "", now))
        if getattr(point, "curve", None) == 0:
            self._act(self._interlocks.reference(getattr(point, "resistance", math.nan), now))

    def marked(self, point: Point) -> Point:
        """Return a moment with the flag ``helium_fill`` while helium is filled: MultiVu measures on."""
        if self._requests.helium_fill is None or not isinstance(point, MomentPoint):
            return point
        return replace(point, flags=",".join(filter(None, (point.flags, "helium_fill"))))

    # -- looking

    def _look(self, now: float) -> None:
        self._next_poll = now + POLL_S
        last = self._station.last
        is_old = last is None or now - last[0].time >= POLL_S
        if is_old and self._station.thermostat is not None:
            with self._failures_told_elsewhere():
                self._station.snapshot()
        if now >= self._next_row:
            self._next_row, self._next_foreign = now + ENVIRONMENT_S, now + FOREIGN_S
            self._environment()
        elif now >= self._next_foreign and not self._station.masters:  # no setpoint is ours meanwhile
            self._next_foreign = now + FOREIGN_S
            with self._failures_told_elsewhere():
                self._act(self._interlocks.foreign(self._station.foreign_setpoints(), now))
        if now < self._sweeps_until and not self._still and not self._record.doing():
            self._act(self._interlocks.stall(now - self._last_point, self._every_s, now))
        if now - max(self._record.last_event_at, self._last_point) >= WAITING_S:
            self._say_what_is_waited_for()

    @property
    def _needs_no_link(self) -> bool:
        """Say whether silence costs nothing: the night stands still, or MultiVu measures by itself."""
        return self._still or bool(self._station.masters)

    @contextmanager
    def _failures_told_elsewhere(self) -> Iterator[None]:
        """Let pass a fault that is known, and a silent instrument while nothing depends on it."""
        try:
            yield
        except InstrumentFault:
            if not self._fault_is_known:
                raise
        except CommunicationError:
            if not self._needs_no_link:
                raise

    def _judge(self, temperature: Reading, field: Reading | None) -> None:
        if field is not None:
            self._record.saw_field(field.value)
        thermostat = self._station.thermostat
        rate = 0.0 if thermostat is None else thermostat.commanded_rate_k_per_min()
        self._act(self._interlocks.readings(temperature, field, rate))

    def _environment(self) -> None:
        judge, record = self._interlocks, self._record
        if not judge.is_clear("helium") and self._clock.now() >= self._next_level:
            self._next_level = self._clock.now() + LEVEL_S
            self._station.measure_helium_level()
        found = self._station.look()
        row = {"Time UTC": self._clock.datetime().isoformat(), "Elapsed (s)": found.time, **found.row()}
        for retry in self._station.retries():
            record.event(
                "retry",
                f"{retry.reason}; {retry.question!r} was asked again",
                {"instrument": retry.instrument, "lab_s": retry.time},
            )
        self.remarks()
        jump_s = self._clock_watch.jump()
        if jump_s is not None:
            text = f"the clock of this computer jumped by {jump_s:+.1f} s; rows go by the monotonic clock"
            record.event("clock_jump", text, {"jump_s": jump_s})
        try:
            record.night.environment(row)
        except StorageError as error:
            self._storage_failed(error)
        # Before anything is judged: what a level would do to the field is not for a magnet that has quenched.
        for part in (found.temperature, found.field, found.chamber):
            if isinstance(part, InstrumentFault) and not self._fault_is_known:
                raise part
        self._act(judge.foreign(found.foreign, found.time))
        if isinstance(found.helium, HeliumLevel):
            self._act(judge.helium(found.helium, found.time))
        if isinstance(found.chamber, str) and isinstance(found.temperature, Reading):
            self._act(judge.chamber(found.chamber, found.temperature.value, found.time))
        self._act(judge.silent(found.silent, found.time))
        with suppress(StorageError):  # a drive that is gone is told by the next row that cannot be written
            self._act(judge.disk(free_bytes(record.night.path) / 1e9, found.time))

    def remarks(self) -> None:
        """Make events of what others have to say: messages to a person, storage, the watchdog."""
        self.say_what_was_asked()
        night = self._record.night
        for kind, notes in (("notification", self._told()), ("storage", night.remarks())):
            for note in notes:
                self._record.event(kind, note)
        while self.stalls:
            self._record.event("stall", self.stalls.pop(0))

    def _say_what_is_waited_for(self) -> None:
        where, now = self.where(), self._record.progress
        at = "" if where is None else f"; {where[0]:.4g} K, {where[1]:.6g} Oe"
        doing = self._record.doing() or now.message
        self._record.event("waiting", ": ".join(filter(None, (now.state, now.step, doing))) + at)

    # -- acting

    def _act(self, trips: Iterable[Trip]) -> None:
        for trip in trips:
            self._record.event(
                "interlock", trip.message, {"interlock": trip.name, "policy": trip.policy, **trip.values}
            )
            if trip.policy == "safe_stop":
                raise SafeStop(trip.message)
            costs_nothing = self._needs_no_link if trip.name == "link" else self._still
            if trip.policy == "suspend" and not costs_nothing:
                raise BrokenOff(self._break(trip))

    def contact_opened(self, error: ContactError) -> Break | None:
        """Return what the station file wants done when a contact has opened; None for the step's on_error.

        Raises:
            SafeStop: where it wants that.
        """
        for trip in self._interlocks.contact_open(str(error), self._clock.now()):
            try:
                self._act([trip])
            except BrokenOff as broken:
                return broken.why
        return None

    def _break(self, trip: Trip) -> Break:
        name, clock = trip.name, self._clock
        if name == "foreign_setpoint":
            return UntilResumed(name, self._requests, trip.message, self._station.accept_setpoints)
        if name == "reference_drift":  # the next reference is the first of what comes then
            return UntilResumed(name, self._requests, trip.message, self.run_begins)
        if name in _SHOWN_BY_POINTS:  # try again after a while
            self._interlocks.reset(name)
            return Retrying(clock, self._interlocks.hold_s(name), trip.message, name)
        if name == "link":  # asked until it answers, for as long as a link may be gone
            return LinkDown(clock, CommunicationError(trip.message), self._station.silent)
        helium = name == "helium"
        return Tripped(
            name,
            trip.message,
            clock,
            lambda: self._interlocks.is_clear(name),
            HELIUM_PATIENCE_S if helium else INTERLOCK_PATIENCE_S,
            takes_field_to_zero=helium,
        )

    def _storage_failed(self, error: StorageError) -> None:
        if not self._still:
            raise self._record.storage_failed(error) from error

    def _post(self, found: Asked | Refused) -> None:
        if isinstance(found, Refused):
            self._record.event("request_refused", f"{found.file}: {found.reason}")
            return
        self._requests.post(Request(found.kind, found.who, found.values, found.utc))

    def say_what_was_asked(self) -> None:
        """Make events of what people have asked for."""
        for asked in self._requests.news():
            values = {"utc": asked.utc, **asked.values}
            self._record.event("request", f"{asked.kind} asked by {asked.who}", values)
