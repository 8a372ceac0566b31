"""dI/dV of a contact against bias, at several temperatures and fields."""

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import pairwise
from typing import ClassVar

from onnes.instruments.clock import Clock
from onnes.instruments.conductance import Conductance
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.records import Event, Point
from onnes.procedures.conductance_session import ConductanceSession
from onnes.procedures.contact_measurement import ContactMeasurement
from onnes.procedures.experiment import BooleanParameter, JsonParameter
from onnes.procedures.grid_measurement import GridCurve, GridMeasurement, GridSession
from onnes.procedures.setpoint_lists import biases_of, fields_of, temperatures_of
from onnes.procedures.watch import MeasuringStation

_POWER = "power"  # the flag of a bias that was not driven


class DifferentialConductanceVsBias(ContactMeasurement, GridMeasurement):
    """dI/dV against bias at each temperature and, there, at each field.

    Both ways by default: a contact that is heated by its current, or driven beyond its critical current, has
    a hysteresis. The reference at ``normal_at_k`` comes first, at the first field, one way: a contact that
    fails later in the night has its reference then.
    """

    kind: ClassVar[str] = "conductance-bias"
    swept: ClassVar[str] = "Bias setpoint (V)"

    biases_v: str = JsonParameter("Biases", biases_of, default=[-5e-3, 0.0, 5e-3])
    both_directions: bool = BooleanParameter("Both directions", default=True)

    def check(self) -> None:
        """Look at what single parameters cannot tell.

        Raises:
            ValueError: if the biases turn, or the reference is not above every temperature.
        """
        biases = biases_of(self.biases_v)
        steps = [after - before for before, after in pairwise(biases)]
        if len(biases) < 2 or not (min(steps) > 0 or max(steps) < 0):
            raise ValueError(
                f"biases_v is {self.biases_v}; list at least two that go one way: both_directions takes them "
                "back again"
            )
        hottest_k = max(temperatures_of(self.temperatures))
        if self.normal_at_k and not self.normal_at_k > hottest_k:
            raise ValueError(
                f"Normal at = {self.normal_at_k:.9g} K is not above {hottest_k:.9g} K, the highest of the "
                "temperatures; the reference is taken above the transition"
            )

    def planned(self) -> list[GridCurve]:
        """Return all curves in order: the reference, then field by field at each temperature."""
        forth = biases_of(self.biases_v)
        ways = [forth, forth[::-1]] if self.both_directions else [forth]
        fields = fields_of(self.fields_oe)
        found = []
        if self.normal_at_k:
            found.append(GridCurve(self.normal_at_k, fields[0], "normal", _direction(forth), forth))
        for kelvin in temperatures_of(self.temperatures):
            found += [
                GridCurve(kelvin, field_oe, "curve", _direction(way), way)
                for field_oe in fields
                for way in ways
            ]
        return found

    def curve_s(self, curve: GridCurve) -> float:
        """Return about how long one curve takes where temperature and field have settled, s."""
        return len(curve.values) * self.point_s()

    def _session(self, station: MeasuringStation, clock: Clock) -> "_BiasSession":
        return _BiasSession(self, station, clock)


def _direction(biases: tuple[float, ...]) -> str:
    return "rising" if biases[-1] > biases[0] else "falling"


class _BiasSession(ConductanceSession, GridSession):
    """Takes whole curves: the current goes from bias to bias without going to 0."""

    def take_curve(self, number: int, curve: GridCurve) -> Iterator[Point | Event]:
        self.start_source()
        too_hot: list[float] = []
        with closing(_stream(self.meter.curve(curve.values))) as stream:
            for count, bias_v in enumerate(curve.values):

                def measure(count: int = count) -> Conductance:
                    found = next(stream, None)
                    if found is None:
                        raise InstrumentFault(
                            f"dI/dV of wiring {self.wiring!r} ended after {count} of {len(curve.values)} "
                            "biases; look at the source and its meter"
                        )
                    return found

                for point in self.take(
                    measure,
                    bias_v,
                    branch=curve.branch,
                    curve=number,
                    direction=curve.direction,
                    kelvin=curve.kelvin,
                    field_oe=curve.field_oe,
                ):
                    yield point
                    if _POWER in point.flags:
                        too_hot.append(abs(bias_v))
        if too_hot:
            yield Event(
                _POWER,
                f"curve {number}: {len(too_hot)} biases from {min(too_hot):.4g} V on were not driven, as "
                f"they would heat the contact with more than {_watts(self.power_limit_w)}",
                {
                    "curve": number,
                    "biases": len(too_hot),
                    "from_v": min(too_hot),
                    "limit_w": self.power_limit_w,
                },
            )


def _stream(found: Iterator[Conductance]) -> Generator[Conductance, None, None]:
    """Yield what ``found`` does, as a generator, which can be closed."""
    yield from found


def _watts(limit: float | None) -> str:
    return "its limit" if limit is None else f"{limit:.4g} W"
