"""What a plan does to the field below the expected Tc of a sample, setpoint by setpoint."""

from collections.abc import Iterable

from onnes.procedures.measurement import Setpoint


class FieldHistory:
    """Follows one sample with the Tc ``tc_k``, K, through the plan.

    A night counts as begun below Tc at 0 Oe (a): whether the sample is warm then nobody knows beforehand.
    """

    def __init__(self, tc_k: float) -> None:
        self._tc_k = tc_k
        self._is_below = True
        self._field_oe = 0.0
        self._has_changed = False

    def at_temperature(self, kelvin: float) -> None:
        """Go to ``kelvin``; what was done to the field below Tc is forgotten above it."""
        self._is_below = kelvin < self._tc_k
        self._has_changed = self._has_changed and self._is_below

    def at_field(self, field_oe: float) -> None:
        """Go to ``field_oe`` where the temperature is."""
        self._has_changed = self._has_changed or (self._is_below and field_oe != self._field_oe)
        self._field_oe = field_oe

    def follow(self, setpoints: Iterable[Setpoint], *, is_field_first: bool) -> bool:
        """Go through a measurement; return whether a point lies below Tc after the field changed there.

        Args:
            is_field_first: whether the field is set before the temperature, or after it.
        """
        found = False
        for setpoint in setpoints:
            if is_field_first:
                self.at_field(setpoint.field_oe)
            self.at_temperature(setpoint.temperature_k)
            if not is_field_first:
                self.at_field(setpoint.field_oe)
            found = found or self._has_changed
        return found
