"""How dI/dV of a contact is taken, and how an open contact is seen in it."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from statistics import median

from onnes.instruments.clock import Clock
from onnes.instruments.conductance import Conductance
from onnes.instruments.errors import ContactError
from onnes.procedures.conductance_point import ConductancePoint
from onnes.procedures.contact_measurement import ContactMeasurement
from onnes.procedures.setpoint_session import SetpointSession
from onnes.procedures.transport import CONTACT_OPEN
from onnes.procedures.watch import MeasuringStation

_KEPT, _LEAST = 20, 5  # good points from which on there is something usual to compare with (a)
# The gap takes a factor 2 and a driven contact dips by 3 to 5; an opening one loses all (a).
_OF_USUAL = 0.05
_OF_COMPLIANCE = 0.5  # the leads of a contact in four-terminal take less than the contact and the rest (a)

_NOTHING = Conductance(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)


class ConductanceSession(SetpointSession):
    """One call of ``points()`` of a measurement of dI/dV: its meter, and what has been read.

    Raises:
        ConfigurationError: if the station does not have the wiring.
        LimitError: if the rate between temperatures is not allowed; nothing was sent.
    """

    def __init__(self, measurement: ContactMeasurement, station: MeasuringStation, clock: Clock) -> None:
        super().__init__(measurement, station, clock)
        self.wiring = measurement.wiring
        self._modulation = measurement.modulation()
        self.meter = station.conductance_meter(measurement.wiring)
        self._stands_w = self.meter.power_limit_w
        self.power_limit_w = self._stands_w
        if measurement.power_limit_w:
            stands_w = math.inf if self._stands_w is None else self._stands_w
            self.power_limit_w = min(measurement.power_limit_w, stands_w)
        self._usual: deque[float] = deque(maxlen=_KEPT)
        self._is_on = False

    def start_source(self) -> None:
        """Switch on at zero bias and set the modulation up, unless it is on."""
        if not self._is_on:
            self.meter.power_limit_w = self.power_limit_w
            self.meter.start(self._modulation)
            self._is_on = True

    def stop_source(self) -> None:
        """Ramp the current to 0 and switch it off."""
        self._is_on = False
        self.meter.stop()

    def close(self) -> None:
        """Take the current away, and this measurement's own limit of the power."""
        self.stop_source()
        self.meter.power_limit_w = self._stands_w

    def take(
        self,
        measure: Callable[[], Conductance],
        bias_v: float,
        *,
        branch: str,
        curve: int,
        direction: str,
        kelvin: float,
        field_oe: float,
    ) -> Iterator[ConductancePoint]:
        """Take one point and yield it, also one that failed; then raise what went wrong.

        When the contact has opened the current is taken away before anything else is read.

        Args:
            kelvin: setpoint, K; NaN in a temperature sweep.

        Raises:
            InstrumentFault: in a fault state.
            CommunicationError: if an instrument does not answer; the point was yielded.
            ContactError: if the contact has opened; the point was yielded, the current is 0.
        """
        opened, is_swept = "", math.isnan(kelvin)

        def judge(conductance: Conductance, _: float) -> None:
            nonlocal opened
            opened = self._opened(conductance)
            if opened:
                self.stop_source()

        around = self._bracket.around(
            measure,
            judge=judge,
            within_k=None if is_swept else self.within_k(kelvin),
            setpoint_k=None if is_swept else kelvin,
        )
        found = around.found or _NOTHING
        flags, reasons = list(found.flags), list(found.flags)
        if opened:
            flags.append(CONTACT_OPEN)
            reasons.append(opened)
        if around.silent is None and not found.flags and not found.conductance > 0:
            reasons.append(f"conductance is {found.conductance} S")
        yield ConductancePoint(
            time_utc=around.time_utc,
            elapsed=around.elapsed,
            temperature_setpoint=kelvin,
            temperature=around.temperature,
            field_setpoint=self.field_setpoint_oe(field_oe),
            field=around.field,
            bias_setpoint=bias_v,
            bias=found.bias,
            current=found.current,
            conductance=found.conductance,
            conductance_error=found.conductance_error,
            modulation=found.modulation,
            quadrature=found.quadrature,
            # a difference of direct currents has neither quadrature nor frequency
            frequency=math.nan if math.isnan(found.quadrature) else self._modulation.lock_in.frequency_hz,
            branch=branch,
            curve=curve,
            direction=direction,
            status=around.status,
            flags=";".join([*flags, *around.flags]),
            rejected="; ".join([*reasons, *around.reasons]),
        )
        if around.silent is not None:
            raise around.silent
        if opened:
            raise ContactError(
                f"the contact of wiring {self.wiring!r} has opened: {opened}; bias {bias_v:.4g} V, "
                f"T = {around.temperature_before:.5g} K; the source is at 0 A; check the contact before "
                "going on with this wiring"
            )

    def _opened(self, found: Conductance) -> str:
        """Return why the contact must have opened, ``""`` if it has not; a good point is remembered."""
        compliance_v = self.meter.compliance_v
        if "compliance" in found.flags and not abs(found.bias) >= _OF_COMPLIANCE * compliance_v:
            return (
                f"the source is in compliance at {compliance_v:.3g} V, and only {abs(found.bias):.3g} V "
                "of it are over the contact"
            )
        if found.flags or not math.isfinite(found.conductance):
            return ""
        if len(self._usual) >= _LEAST and found.conductance < _OF_USUAL * (usual := median(self._usual)):
            return f"its conductance is {found.conductance:.3g} S, usually {usual:.3g} S"
        self._usual.append(found.conductance)
        return ""
