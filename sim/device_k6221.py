"""Keithley 6221 current source: dc, waves, and delta and differential conductance with a 2182A.

Facts from the manual's command tables and the ranges in PyMeasure's driver; (k) is general knowledge to be
checked against the manual. Sweeps by list or staircase without a 2182A are refused with -221.
"""

from onnes.sim.current_reversals import Delta, Differential
from onnes.sim.device_k6221_relay import K6221Settings
from onnes.sim.device_k6221_reversal import K6221Reversal
from onnes.sim.device_k6221_source import LARGEST_A
from onnes.sim.device_k6221_wave import K6221Wave
from onnes.sim.scpi import Param, command, query
from onnes.sim.scpi_kinds import Boolean, Choice, Integer, Number, ScpiError

_INFINITE = 9.9e37
_DELAYS = Number(1e-3, 9999.999)


class K6221Delta(K6221Reversal):
    """Delta: high, low, high, ... with a reading for every three A/D values in a row."""

    delta_low_a = Param("[SOURce[1]]:DELTa:LOW", Number(-LARGEST_A, 0.0), -1e-5)
    delta_high_a = Param("[SOURce[1]]:DELTa:HIGH", Number(0.0, LARGEST_A), 1e-5)
    delta_delay_s = Param("[SOURce[1]]:DELTa:DELay", Number(0.0, 9999.999, infinite=True), 2e-3)
    delta_count = Param("[SOURce[1]]:DELTa:COUNt", Integer(1, 65536, infinite=True), _INFINITE)
    delta_compliance_abort = Param("[SOURce[1]]:DELTa:CABort", Boolean(), False)
    delta_cold_switching = Param("[SOURce[1]]:DELTa:CSWitch", Boolean(), False)

    def assign(self, name: str, value: object, t: float) -> None:
        """Set a Param; ``low`` follows ``high``."""
        super().assign(name, value, t)
        if name == "delta_high_a":
            super().assign("delta_low_a", -self.delta_high_a, t)

    @command("[SOURce[1]]:DELTa:ARM")
    def arm_delta(self, t: float) -> None:
        """Prepare the 2182A, and be ready a few seconds later."""
        delta = Delta(self.delta_high_a, self.delta_low_a, self.delta_count)
        self.arm_reversals("delta", delta, self.delta_delay_s, self.delta_compliance_abort, t)

    @query("[SOURce[1]]:DELTa:ARM")
    def is_delta_armed(self, t: float) -> str:
        """Say whether delta is ready to start."""
        return self.is_armed("delta", t)

    @query("[SOURce[1]]:DELTa:NVPResent")
    def delta_hears_meter(self, t: float) -> str:
        """Say whether a 2182A answers."""
        return self.hears_meter(t)


class K6221Differential(K6221Reversal):
    """Differential conductance: a staircase whose current is lifted and lowered in turns."""

    differential_start_a = Param("[SOURce[1]]:DCONductance:STARt", Number(-LARGEST_A, LARGEST_A), -1e-5)
    differential_stop_a = Param("[SOURce[1]]:DCONductance:STOP", Number(-LARGEST_A, LARGEST_A), 1e-5)
    differential_step_a = Param("[SOURce[1]]:DCONductance:STEP", Number(1e-13, LARGEST_A), 1e-6)
    differential_delta_a = Param("[SOURce[1]]:DCONductance:DELTa", Number(0.0, LARGEST_A), 1e-6)
    differential_delay_s = Param("[SOURce[1]]:DCONductance:DELay", _DELAYS, 2e-3)
    differential_compliance_abort = Param("[SOURce[1]]:DCONductance:CABort", Boolean(), False)

    @command("[SOURce[1]]:DCONductance:ARM")
    def arm_differential(self, t: float) -> None:
        """Prepare the 2182A, and be ready a few seconds later."""
        stairs = Differential(
            self.differential_start_a,
            self.differential_stop_a,
            self.differential_step_a,
            self.differential_delta_a,
        )
        aborts = self.differential_compliance_abort
        self.arm_reversals("differential", stairs, self.differential_delay_s, aborts, t)

    @query("[SOURce[1]]:DCONductance:ARM")
    def is_differential_armed(self, t: float) -> str:
        """Say whether differential conductance is ready to start."""
        return self.is_armed("differential", t)

    @query("[SOURce[1]]:DCONductance:NVPResent")
    def differential_hears_meter(self, t: float) -> str:
        """Say whether a 2182A answers."""
        return self.hears_meter(t)

    @query("[SOURce[1]]:DCONductance:NVZero")
    def get_zero(self, t: float) -> str:
        """Return the zero of the 2182A that is taken away, V; this one has none."""
        del t
        return "+0.000000E+00"


class K6221(K6221Wave, K6221Delta, K6221Differential):
    """The source on the port ``<name>.out``, with the marker ``<name>.phase_marker`` of its waves."""

    model = "k6221"
    settings_model = K6221Settings
    terminals = ("out", "phase_marker")
    identity = "KEITHLEY INSTRUMENTS INC.,MODEL 6221,SIM0001,A01"

    # The trigger model, which only a sweep would go through (k).
    sweep_ranging = Param("[SOURce[1]]:SWEep:RANGing", Choice("AUTO", "BEST", "FIXed"), "BEST")
    arm_source = Param(
        "ARM:SOURce",
        Choice("IMMediate", "TIMer", "BUS", "TLINk", "BSTest", "PSTest", "NSTest", "MANual"),
        "IMM",
    )
    arm_timer_s = Param("ARM:TIMer", Number(1e-3, 99999.99), 0.1)
    arm_input_line = Param("ARM:ILINe", Integer(1, 6), 1)
    arm_output_line = Param("ARM:OLINe", Integer(1, 6), 2)
    arm_output = Param("ARM:OUTPut", Choice("TENTer", "TEXit", "NONE"), "NONE")
    trigger_source = Param("TRIGger:SOURce", Choice("IMMediate", "TLINk"), "IMM")
    trigger_input_line = Param("TRIGger:ILINe", Integer(1, 6), 1)
    trigger_output_line = Param("TRIGger:OLINe", Integer(1, 6), 2)
    trigger_output = Param("TRIGger:OUTPut", Choice("SOURce", "DELay", "NONE"), "NONE")

    @command("[SOURce[1]]:SWEep:ARM")
    def refuse_sweep(self, t: float) -> None:
        """Refuse: a sweep has no engine here."""
        del t
        raise ScpiError(-221)

    @command("ABORt")
    def abort(self, t: float) -> None:
        """End what runs."""
        if self.armed:
            self.disarm(t)

    @command("SYSTem:BEEPer[:IMMediate]", Number(65.0, 2e6), Number(0.0, 7.9))
    def beep(self, t: float, hz: float, seconds: float) -> None:
        """Make no sound."""
