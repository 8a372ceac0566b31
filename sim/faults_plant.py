"""What each fault of the plant does to cryostat, magnet, helium and chamber when it begins and ends."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from onnes.sim.cryostat import FILLING, STANDBY
from onnes.sim.disturbances import ControlOff
from onnes.sim.fault_settings import Spell

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_ROOM_K: Final = 300.0


def begin_in_plant(lab: "VirtualLab", part: str, spell: Spell) -> None:
    """Let a fault of the plant begin with ``part``."""
    fault, t = spell.fault, spell.begin
    number, kind = fault.number, fault.kind
    cryostat, magnet = lab.cryostat, lab.magnet
    if kind == "quench":
        # The energy of the coil goes as the square of the field, and boils helium.
        share = (magnet.supply(t) / magnet.settings.max_oe) ** 2
        lab.chamber.helium.change(t, -number("helium_percent") * share)
        magnet.quench(t)
        cryostat.kick(t, number("kick_k"))
    elif kind == "switch_heater_stuck":
        magnet.hold_switch(t)
    elif kind in {"persistent_leak", "field_offset"}:
        magnet.suffer(spell)
    elif kind in {"reservoir_fill", "heater_lost", "standby"}:
        cryostat.lose_control(t, _control(lab, spell))
        if kind == "standby":
            for device in lab.instruments.values():
                device.restart(t)
    elif kind == "overshoot":
        cryostat.swing(t, number("kelvin"))
    elif kind == "thermometer_error":
        cryostat.shift_thermometer(t, number("kelvin"))
    elif kind == "helium_low":
        lab.chamber.helium.drop_to(t, number("percent"))
    elif kind == "chamber_leak":
        lab.chamber.leak(t, number("tau_s"))
    elif part == "cryostat":
        kelvin, rate, approach = number("temperature_k"), *cryostat.setpoint()[1:]
        cryostat.command(t, kelvin, rate, approach)
    elif not magnet.has_quenched:  # then the controller refuses whoever asks
        magnet.command(t, number("field_oe"), *magnet.setpoint()[1:])


def end_in_plant(lab: "VirtualLab", part: str, spell: Spell) -> None:
    """Let a lasting fault of the plant end."""
    del part
    ends: dict[str, Callable[[float], None]] = {
        "quench": lab.magnet.clear_quench,
        "switch_heater_stuck": lab.magnet.free_switch,
        "helium_low": lab.chamber.helium.refill,
        "chamber_leak": lab.chamber.tighten,
    }
    kind, t = spell.fault.kind, spell.end
    if kind in {"reservoir_fill", "heater_lost", "standby"}:
        lab.cryostat.regain_control(t, _control(lab, spell))
    elif kind == "thermometer_error":
        lab.cryostat.shift_thermometer(t, -spell.fault.number("kelvin"))
    elif kind in ends:
        ends[kind](t)


def _control(lab: "VirtualLab", spell: Spell) -> ControlOff:
    fault = spell.fault
    if fault.kind == "reservoir_fill":
        return ControlOff(spell.begin, FILLING, None, 0.0)
    if fault.kind == "standby":
        return ControlOff(spell.begin, STANDBY, _ROOM_K, fault.number("k_per_min"))
    lowest = lab.cryostat.settings.lowest_k
    return ControlOff(spell.begin, int(fault.number("code")), lowest, fault.number("k_per_min"))
