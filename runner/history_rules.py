"""Free or path: whether the points of a measurement depend on how the sample came there.

``path`` asks for a preparation: warm above Tc, take the field away, cool. ``auto`` is path below the expected
Tc once the plan has changed the field there, unless the sample says ``hysteretic = false``.
"""

from decimal import Decimal
from typing import Any

from onnes.instruments.quantities import show
from onnes.procedures.grid_measurement import GridMeasurement
from onnes.procedures.options import Prepare, compact
from onnes.procedures.preparation import recipe_of
from onnes.procedures.resistance_vs_field import ResistanceVsField
from onnes.procedures.setpoint_measurement import SetpointMeasurement
from onnes.runner import block_parts
from onnes.runner.field_history import FieldHistory
from onnes.runner.filled import Filled
from onnes.runner.plan_limits import Demand
from onnes.runner.quantity_text import Typed
from onnes.runner.surroundings import Ledger, Surroundings

_KEYS = {
    "warm_to": ("warm_to_k", "temperature"),
    "degauss_from": ("degauss_from_oe", "field"),
    "approach": ("approach", ""),
    "relax": ("relax_s", "time"),
    "cool_rate": ("cool_rate_k_per_min", "temperature_rate"),
    "soak": ("soak_s", "time"),
}
_DEMANDED = ("temperature", "field", "temperature_rate")

_CLOSE_TO_TC_K = 5.0
_NO_TRANSITION_K = 0.01  # below what any of the machines reaches
# Where neither a Tc nor a limit is known: above what any cryostat with a magnet reaches.
_EVERYWHERE_K = 1000.0


class HistoryRules:
    """Decides for each measurement of one plan, in the order in which they will be taken."""

    def __init__(self, around: Surroundings, prepare: block_parts.Prepare, ledger: Ledger) -> None:
        self._around = around
        self._prepare = prepare
        self._ledger = ledger
        self._silent_about: set[str] = set()
        self._histories = {
            wiring: FieldHistory(float(sample.expected.tc))
            for wiring, sample in around.samples.items()
            if sample.expected.tc is not None
        }

    def at_temperature(self, kelvin: float) -> None:
        """Note that the plan goes to ``kelvin``."""
        for history in self._histories.values():
            history.at_temperature(kelvin)

    def at_field(self, field_oe: float) -> None:
        """Note that the plan goes to ``field_oe``."""
        for history in self._histories.values():
            history.at_field(field_oe)

    def parameters(self, filled: Filled, wiring: str, measurement: SetpointMeasurement) -> dict[str, Any]:
        """Return ``path_below_k`` and ``prepare`` of a measurement; nothing where its history is free.

        What is wrong with the preparation goes to the ledger.
        """
        points = measurement.setpoints()
        is_field_first = isinstance(measurement, ResistanceVsField | GridMeasurement)
        followed = {
            name: history.follow(points, is_field_first=is_field_first)
            for name, history in self._histories.items()
        }
        expected = self._around.samples[wiring].expected
        depends = followed.get(wiring, False) and expected.hysteretic is not False
        asked = filled.get("history") or "auto"
        if asked == "path" or (asked == "auto" and depends):
            return self._path(filled, expected.tc)
        if depends:
            self._say(
                filled,
                f"L033: the field has changed below the expected Tc, {_kelvin(expected.tc)}, and the history "
                "is taken as free; say 'history: path', or hysteretic = false in the sample file",
            )
        if asked == "auto" and expected.tc is None and expected.hysteretic is not False:
            self._say_once(filled, wiring)
        if filled.layers("prepare")[1] != block_parts.Prepare():
            self._say(filled, "prepare is given and not used: the history is free here")
        return {}

    def preparation(self, filled: Filled, mount: str) -> dict[str, Any]:
        """Return ``path_below_k`` and ``prepare`` of a measurement that is always prepared.

        What is wrong with the preparation goes to the ledger, and nothing is returned then. A sample without
        an expected Tc, such as a standard, has no transition to stay below.
        """
        tc, given = self._around.samples[mount].expected.tc, self._given(filled)
        warm_to = given.get("warm_to")
        self._check_warm_to(filled, warm_to, tc)
        if tc is None and warm_to is None:
            return {}
        return self._recipe(filled, given, tc, _NO_TRANSITION_K if tc is None else float(tc))

    def _say(self, filled: Filled, text: str) -> None:
        self._ledger.messages.append((filled.place, text))

    def _say_once(self, filled: Filled, wiring: str) -> None:
        if not self._around.has_magnet or wiring in self._silent_about:
            return
        self._silent_about.add(wiring)
        self._say(
            filled,
            f"the sample {self._around.samples[wiring].id} has no expected.tc, so the history is free "
            "everywhere; give it, say hysteretic = false, or say 'history: path'",
        )

    def _path(self, filled: Filled, tc: Decimal | None) -> dict[str, Any]:
        limits = self._around.limits.temperature
        below_k = float(tc) if tc is not None else limits.high if limits else _EVERYWHERE_K
        if tc is None:
            why = "the upper temperature limit" if limits else "no temperature limit is set"
            self._say(
                filled,
                "the sample has no expected.tc, so the history is path everywhere: "
                f"below {below_k:.9g} K, {why}",
            )
        given = self._given(filled)
        self._check_warm_to(filled, given.get("warm_to"), tc)
        return self._recipe(filled, given, tc, below_k)

    def _recipe(
        self, filled: Filled, given: dict[str, Typed | str], tc: Decimal | None, below_k: float
    ) -> dict[str, Any]:
        if tc is not None:
            given.setdefault("warm_to", self._usual(filled, "temperature", "K", _warm_to(tc)))
        if self._around.has_magnet:
            usual = recipe_of(Prepare(), below_k, self._around.limits.field)
            given.setdefault(
                "degauss_from", self._usual(filled, "field", "Oe", _decimal(usual.degauss_from_oe))
            )
        # Said aloud, because the station's usual rate knows nothing of what the sample stands.
        prepare = {"cool_rate_k_per_min": self._around.usual_rate_k_per_min()} | {
            _KEYS[key][0]: float(value) if isinstance(value, Typed) else value for key, value in given.items()
        }
        return {"path_below_k": below_k, "prepare": compact(prepare)}

    def _given(self, filled: Filled) -> dict[str, Typed | str]:
        """Return the keys of ``prepare`` that somebody typed, and note what will be asked of the station."""
        given: dict[str, Typed | str] = {}
        for layer in (self._prepare, *filled.layers("prepare")):
            given |= {key: value for key in _KEYS if (value := getattr(layer, key)) is not None}
        for key, value in given.items():
            kind = _KEYS[key][1]
            if isinstance(value, Typed) and kind in _DEMANDED:
                self._ledger.demands.append(Demand.of(kind, value))
        return given

    def _check_warm_to(self, filled: Filled, warm_to: Typed | str | None, tc: Decimal | None) -> None:
        if not isinstance(warm_to, Typed):
            if tc is None:
                self._ledger.refuse(
                    filled.place,
                    "history: path without a temperature to warm to; expected expected.tc in the sample "
                    "file, or e.g. 'prepare: {warm_to: 50 K}'",
                )
        elif tc is not None and warm_to.number <= tc:
            self._ledger.refuse(
                warm_to.place,
                f"L030: warm_to, {_kelvin(warm_to.number)}, is not above the expected Tc, {_kelvin(tc)}, "
                f"so the old state stays; expected e.g. '{_kelvin(_warm_to(tc))}'",
            )
        elif tc is not None and float(warm_to.number - tc) < _CLOSE_TO_TC_K:
            self._ledger.messages.append(
                (
                    warm_to.place,
                    f"L030: warm_to, {_kelvin(warm_to.number)}, is less than {_CLOSE_TO_TC_K:g} K above the "
                    f"expected Tc, {_kelvin(tc)}; vortices may stay pinned",
                )
            )

    def _usual(self, filled: Filled, kind: str, unit: str, number: Decimal) -> Typed:
        said = f"{show(number, kind, unit)}, which prepare takes where nobody says more,"
        self._ledger.demands.append(Demand(kind, number, unit, said, filled.place))
        return Typed(number, "", unit, filled.place)


def _warm_to(tc: Decimal) -> Decimal:
    return _decimal(recipe_of(Prepare(), float(tc)).warm_to_k)


def _decimal(number: float) -> Decimal:
    return Decimal(f"{number:.9g}")


def _kelvin(number: Decimal | None) -> str:
    return show(number or Decimal(0), "temperature", "K")
