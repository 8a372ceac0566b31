"""What the measurements of resistance share: their parameters, and their program with its end."""

from typing import ClassVar, cast

from onnes.instruments.records import Point
from onnes.procedures.contact_watch import ContactWatch
from onnes.procedures.experiment import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    JsonParameter,
    ListParameter,
)
from onnes.procedures.options import LOCK_IN, LockInOptions, reading_s
from onnes.procedures.programs import Pass, Sweep
from onnes.procedures.setpoint_measurement import BRACKET_S, SetpointMeasurement
from onnes.procedures.transport import ResistancePoint

# Three standard errors of few readings are passed by chance; of 60 readings once in 200 checks.
HEATING_POINTS, HEATING_PORTIONS = 3, 5
_PORTION, _OF_LOCK_IN = 12, 4  # readings; of a lock-in 20 independent ones take 42 s


class ResistanceMeasurement(SetpointMeasurement):
    """Base of the measurements of resistance."""

    point: ClassVar[type[Point]] = ResistancePoint

    current_a: float = FloatParameter(
        "Excitation current", units="A", minimum=1e-12, maximum=1.0, default=1e-5
    )
    average: int = IntegerParameter("Average readings", minimum=1, maximum=100_000, default=10)
    both_directions: bool = BooleanParameter("Both directions", default=False)
    # empty: the wiring's own
    method: str = ListParameter("Method", choices=["", "reversal", "delta", "lock_in", "bridge"], default="")
    lockin: str = JsonParameter("Lock-in", LockInOptions.from_json, default="{}")

    self_heating_check: bool = BooleanParameter("Self-heating check", default=True)

    program_unit: ClassVar[str] = ""
    contacts: ContactWatch | None = None  # of the points so far: it outlives a break
    _open_leg: int = 0  # index of the pass of the program that is under way
    _first_curve: int = 1  # number of the curve of its first pass

    def heating_s(self) -> float:
        """Return about how long self-heating is looked for where the temperature has settled, s."""
        each_s = HEATING_PORTIONS * self.heating_readings * reading_s(self.method, self.lockin)
        return HEATING_POINTS * each_s if self.self_heating_check else 0.0

    def legs(self) -> list[Pass]:
        """Return the passes of the program as it stands."""
        raise NotImplementedError

    def coarse_legs(self) -> list[Pass]:
        """Return those of them that nothing measured before decides."""
        return self.legs()

    def sweep(self, leg: int) -> Sweep:
        """Return a pass of a swept program as it stands: its end may move, its kind does not."""
        return cast(Sweep, self.legs()[leg].program)

    def extend(self, end: float) -> int:
        """Move the end of the running program further on, K or Oe; the next point goes by it.

        Return the number of the first curve that does: those before it are measured.

        Raises:
            ValueError: if the first passes are over, ``end`` does not lie beyond the end in the same
                direction, the program ends with a single value, or the measurement allows no other end;
                nothing has changed.
        """
        legs = self.coarse_legs()
        forth = len(legs) // 2 if self.both_directions and len(legs) > 1 else len(legs)
        if self._open_leg >= forth:
            way = "the way back has begun" if self._open_leg < len(legs) else "it is measured"
            raise ValueError(f"the program cannot be extended to {end:.9g} {self.program_unit}: {way}")
        self._move_end(end)
        return self._first_curve

    def _move_end(self, end: float) -> None:
        raise NotImplementedError

    @property
    def heating_readings(self) -> int:
        """Return how many readings each portion of the self-heating check has."""
        return _OF_LOCK_IN if self.method == LOCK_IN else _PORTION

    def point_s(self) -> float:
        """Return about how long one point takes, s."""
        return self.average * reading_s(self.method, self.lockin) + BRACKET_S
