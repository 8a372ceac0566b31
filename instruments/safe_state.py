"""Each instrument into its safe state, guarded by itself, and all connections closed together."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from onnes.instruments.drivers import Instrument
from onnes.instruments.lakeshore import LakeShore336, LakeShore340
from onnes.instruments.mpms import Mpms
from onnes.instruments.multivu import MultiVu
from onnes.instruments.ppms import PPMS
from onnes.instruments.sourced import Source
from onnes.instruments.station_file import StationFile


@dataclass(frozen=True, slots=True)
class SafeStep:
    """One step into the safe state: of which instrument, and what was read back or went wrong."""

    instrument: str
    confirmed: bool
    message: str


def made_safe(
    file: StationFile, name: str, instrument: Instrument, *, abort: bool = False, temperature: bool = False
) -> SafeStep:
    """Bring one instrument into its safe state, or hold it with its temperature; never raises."""
    try:
        if "current_source" in file.instruments[name].can_be:
            done = cast(Source, instrument).safe_state(_rate_to_zero(file, name, abort=abort))
        elif temperature and isinstance(instrument, PPMS | MultiVu | Mpms | LakeShore336 | LakeShore340):
            done = instrument.hold(temperature=True)
        else:
            done = instrument.safe_state()
    except Exception as error:  # noqa: BLE001 - the failure of one must not keep the others from their safe state
        return SafeStep(name, False, f"{type(error).__name__}: {error}")
    return SafeStep(name, True, done)


def _rate_to_zero(file: StationFile, source: str, *, abort: bool) -> float | None:
    """Return how fast a source goes to 0, A/s: as the most careful of its wirings says; None: within 1 s."""
    wirings = [wiring for wiring in file.wiring.values() if wiring.source == source]
    rates = [wiring.abort_ramp if abort else wiring.ramp for wiring in wirings]
    return min((float(rate) for rate in rates if rate is not None), default=None)


def close_all(instruments: Mapping[str, Instrument]) -> None:
    """Close all connections together; never raises."""
    for instrument in instruments.values():
        # Whatever happens at one, the others are closed too; a link that is gone is as good as closed.
        with suppress(Exception):
            if instrument.link is not None:
                instrument.link.close()
