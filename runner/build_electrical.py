"""What the blocks share that measure with leads on the sample, or with it in a coil: where, and how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onnes.instruments.drivers import CLASSES
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.quantities import show
from onnes.instruments.spelling import nearest
from onnes.instruments.stanford_lock_in import StanfordLockIn
from onnes.instruments.station_file import SettleDefaults
from onnes.procedures.options import LOCK_IN, LockInOptions, compact
from onnes.runner import block_parts
from onnes.runner.asked_values import AskedValues, lacks
from onnes.runner.electrical_lint import beyond_lock_in, heating, near_compliance, near_mains
from onnes.runner.filled import Filled
from onnes.runner.history_rules import HistoryRules
from onnes.runner.plan_limits import Demand, readable
from onnes.runner.problems import Place, Problem, choice
from onnes.runner.quantity_text import Sweep, Typed
from onnes.runner.sequence import Defaults
from onnes.runner.surroundings import Ledger, Surroundings

_SETTLE_KEYS = {
    "within": "within_k",
    "slope": "slope_k_per_min",
    "for_": "for_s",
    "then_wait": "then_wait_s",
    "timeout": "timeout_s",
}
_LOCK_IN_KEYS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "frequency": ("frequency_hz", float),
    "time_constant": ("time_constant_s", float),
    "slope": ("slope_db", lambda text: int(text.removesuffix(" dB"))),
    "settle": ("settle", lambda text: {"99 %": 0.99, "99.9 %": 0.999, "99.99 %": 0.9999}[text]),
    "sync": ("sync", bool),
}
_MAGNET_KEYS = {"rate": "rate_oe_per_s", "approach": "approach", "mode": "mode", "then_wait": "then_wait_s"}


def settle_options(*layers: block_parts.Settle | SettleDefaults) -> dict[str, float]:
    """Return the keys of ``settle`` as the procedures take them; later layers win, key by key."""
    merged: dict[str, float] = {}
    for layer in layers:
        for key, name in _SETTLE_KEYS.items():
            if (value := getattr(layer, key)) is not None:
                merged[name] = float(value)
    return merged


def magnet_options(*layers: block_parts.Magnet) -> dict[str, Any]:
    """Return the keys of ``magnet`` as the procedures take them; later layers win, key by key."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, name in _MAGNET_KEYS.items():
            if (value := getattr(layer, key)) is not None:
                merged[name] = float(value) if isinstance(value, Typed) else value
    return merged


def lowest_of(temperatures: tuple[Typed, ...] | Sweep) -> float:
    """Return the lowest temperature of a program, K."""
    ends = (temperatures.first, temperatures.last) if isinstance(temperatures, Sweep) else temperatures
    return min(map(float, ends))


@dataclass(frozen=True)
class ElectricalBuilder:
    """Builds measurements of one sequence file; what is wrong goes to the ledger."""

    around: Surroundings
    defaults: Defaults
    ledger: Ledger
    history: HistoryRules
    asked: AskedValues

    def _say(self, filled: Filled, text: str) -> None:
        """Note a message at the block, unless there is nothing to say."""
        if text and (filled.place, text) not in self.ledger.messages:
            self.ledger.messages.append((filled.place, text))

    def _common(self, filled: Filled, wiring: str, temperatures: tuple[Typed, ...] | Sweep) -> dict[str, Any]:
        station = self.around.station
        settle = settle_options(station.defaults.settle, self.defaults.settle, *filled.layers("settle"))
        magnet = magnet_options(self.defaults.magnet, *filled.layers("magnet"))
        usual = self.around.usual_rate_oe_per_s(lowest_of(temperatures))
        if usual is not None:
            magnet.setdefault("rate_oe_per_s", usual)
        given: dict[str, Any] = {
            "station_file": str(self.around.station_path),
            "wiring": wiring,
            "settle": compact(settle),
            "magnet": compact(magnet),
            "temperature_rate_k_per_min": self.around.usual_rate_k_per_min(),
        }
        if station.defaults.poll is not None:
            given["poll_s"] = float(station.defaults.poll)
        return given

    def _lock_in(self, filled: Filled, wiring: str) -> dict[str, Any]:
        """Return the keys of ``lockin`` as the procedures take them; later layers win, key by key.

        On a wiring without a lock-in the defaults are for others, and a key of the block itself is refused.
        """
        station = self.around.station
        method = station.wiring[wiring].method
        if method != "lock_in":
            if filled.layers("lockin")[-1] != block_parts.LockIn():
                self._refuse_once(
                    filled.place,
                    f"L005: 'lockin' is how a lock-in listens, and the wiring '{wiring}' measures by "
                    f"'{method}'; leave it out, or put it in defaults",
                )
            return {}
        merged: dict[str, Any] = {}
        for layer in (self.defaults.lockin, *filled.layers("lockin")):
            for key in ("frequency", "time_constant", "slope", "settle", "sync"):
                if (value := getattr(layer, key)) is not None:
                    name, read = _LOCK_IN_KEYS[key]
                    merged[name] = read(value)
        source, meter = (
            CLASSES[station.instruments[name].driver]
            for name in (station.wiring[wiring].source, station.wiring[wiring].meter)
        )
        wave = source.wave_frequency_limits if issubclass(source, Keithley6221) else None
        if issubclass(meter, StanfordLockIn) and (
            text := beyond_lock_in(LockInOptions(**merged).use(), meter, wave)
        ):
            self._refuse_once(filled.place, text)
        elif (hertz := merged.get("frequency_hz")) is not None:
            self._say(filled, near_mains(hertz))
        return merged

    def _refuse_once(self, place: Place, text: str) -> None:
        """Refuse what a check of contacts, which listens as its block does, may have refused before."""
        if Problem(place, text) not in self.ledger.problems:
            self.ledger.refuse(place, text)

    def _wiring(self, filled: Filled, *measures: str) -> str | None:
        """Return the wiring of a block, None with a problem noted; it ``measures`` one of these."""
        station = self.around.station
        mounted = [name for name in self.around.samples if name in station.wiring]
        fit = [name for name in mounted if station.wiring[name].measures in measures]
        wiring = filled.get("wiring")
        method = filled.get("method") if hasattr(filled.block, "method") else None
        if wiring is None and method is not None:  # of several wirings on a sample the method chooses one
            fit = [name for name in fit if station.wiring[name].method == method] or fit
        what = " or ".join(measures)
        if not station.wiring:
            instead = "it measures moments, by zfc_fc and magnetization" if self.around.magnetometer else ""
            text = f"{filled.name} needs a wiring, and the station {station.name} has none"
            self.ledger.refuse(filled.place, "; ".join(filter(None, (text, instead))))
        elif wiring is None and len(fit) == 1:
            return fit[0]
        elif wiring is None and fit:
            self.ledger.refuse(
                filled.place, f"{filled.name} without 'wiring'; there are samples on {', '.join(fit)}"
            )
        elif wiring is None:
            self.ledger.refuse(
                filled.place, f"L005: no wiring of the station {station.name} with a sample measures {what}"
            )
        elif wiring not in mounted:
            text = (
                f"no sample is on the wiring '{wiring}'; expected {choice(mounted)}{nearest(wiring, mounted)}"
            )
            self.ledger.refuse(filled.place, text)
        elif wiring not in fit:
            has = station.wiring[wiring].measures
            self.ledger.refuse(
                filled.place,
                f"L005: {filled.name} needs a wiring that measures {what}; '{wiring}' measures {has}",
            )
        else:
            return str(wiring)
        return None

    def _method(self, filled: Filled, wiring: str) -> None:
        """Refuse a method that a block asks for and its wiring does not have."""
        method, own = filled.get("method"), self.around.station.wiring[wiring].method
        if method is not None and method != own:
            self.ledger.refuse(
                filled.place,
                f"L005: method '{method}' on the wiring '{wiring}', which measures by '{own}'; leave the "
                "method out, or give the station a wiring for it",
            )

    def _averaged(self, filled: Filled) -> dict[str, Any]:
        average = filled.get("average")
        return {} if average is None else {"average": average}

    def _by_lock_in(self, wiring: str, readings: int) -> dict[str, Any]:
        """Return method and number of readings of a wiring that measures by lock-in; nothing for others.

        Its readings are independent some time constants apart, so fewer make a point.
        """
        if self.around.station.wiring[wiring].method != LOCK_IN:
            return {}
        return {"method": LOCK_IN, "average": readings}

    def _allowed(self, kind: str) -> float | None:
        """Return the most of a kind that station, samples and sequence allow together; None without one."""
        limits = self.around.limits.of(kind)
        return None if limits is None else limits.high

    def _current(self, filled: Filled, wiring: str | None) -> Typed | None:
        sample = self.around.samples.get(wiring or "")
        current = filled.get("current")
        if current is None:
            current = self._current_of_sample(filled, wiring)
        if not isinstance(current, Typed):
            if wiring is not None:
                self.ledger.refuse(
                    filled.place, lacks(filled.name, "current", "100 uA") + ", or in the sample file"
                )
            return None
        self.ledger.demands.append(Demand.of("current", current))
        if sample is not None and wiring is not None and sample.expected.resistance is not None:
            self._note_heating(current, sample.expected.resistance)
            self._look_at_heating(filled, wiring, float(current), float(sample.expected.resistance))
        return current

    def _current_of_sample(self, filled: Filled, wiring: str | None) -> Typed | None:
        sample = self.around.samples.get(wiring or "")
        number = None if sample is None else sample.defaults.current
        return None if number is None else Typed(number, "", readable(number, "current"), filled.place)

    def _look_at_heating(self, filled: Filled, wiring: str, current_a: float, ohm: float) -> None:
        if not hasattr(filled.block, "temperature"):
            return  # a check of the contacts, which asks for twice its current
        if (temperatures := filled.get("temperature")) is not None:
            self._say(filled, heating(current_a, ohm, lowest_of(temperatures)))
        self._look_at_compliance(filled, wiring, current_a, ohm)

    def _look_at_compliance(self, filled: Filled, wiring: str, current_a: float, ohm: float) -> None:
        compliance = self.around.station.wiring[wiring].compliance
        if compliance is not None:
            self._say(filled, near_compliance(current_a, ohm, float(compliance)))

    def _note_heating(self, current: Typed, ohm: Decimal) -> None:
        """Ask for the voltage and the power that the expected resistance makes of the current."""
        why = f"{show(current.number, 'current', current.unit)} through the expected {ohm.normalize():f} ohm"
        for kind, number in (("voltage", current.number * ohm), ("power", current.number**2 * ohm)):
            unit = readable(number, kind)
            said = f"{show(number, kind, unit)}, {why},"
            self.ledger.demands.append(Demand(kind, number, unit, said, current.place))
