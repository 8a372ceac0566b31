"""What is unwise in an electrical or ac block, seen before the night: each rule returns its text, or none.

The bounds are those of the specification's rules L051 to L063; what a rule has no input for it says nothing
about.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from onnes.instruments.limits import Limits
from onnes.instruments.lock_ins import LockInUse
from onnes.instruments.stanford_lock_in import SYNC_BELOW_HZ, StanfordLockIn
from onnes.instruments.susceptometer import AcLimits

# What a sample with its contacts stands, W: below 2 K, and log-log from 2 K to room temperature (k).
_BELOW_2_K_W: Final = 1e-7
_AT_2_K_W: Final = 1e-6
_AT_300_K_W: Final = 1e-4
_OF_COMPLIANCE = 0.8
_MAINS_HZ: Final = (50.0, 60.0)
_NEAR_MAINS_HZ = 0.5
_MOST_DIVISOR = 20  # of the mains: below 2 Hz the divisors lie closer than the band around each (a)
_THERMAL_WIDTH_MV_PER_K = 3.53 * 0.0861733  # of the derivative of the Fermi function, 3.53 kT/e
_GAPS = 3.0
_ISOTHERMS, _SPAN = 3, 2.0
_COLD_OF_TC = 0.5


def heating(current_a: float, ohm: float, lowest_k: float) -> str:
    """Return a text where the expected power is above what is usual at ``lowest_k``, K (L051)."""
    power_w, allowed_w = current_a**2 * ohm, usual_power_w(lowest_k)
    if power_w <= allowed_w:
        return ""
    return (
        f"L051: {power_w:.3g} W at {lowest_k:.4g} K, {current_a:.4g} A through the expected {ohm:.4g} ohm, "
        f"is above the usual {allowed_w:.3g} W; take at most {math.sqrt(allowed_w / ohm):.2g} A"
    )


def usual_power_w(kelvin: float) -> float:
    """Return what a sample stands at a temperature, W, by log-log interpolation.

    >>> f"{usual_power_w(2.0):.3g} {usual_power_w(300.0):.3g}"
    '1e-06 0.0001'
    """
    if kelvin < 2.0:
        return _BELOW_2_K_W
    part = min(1.0, math.log(kelvin / 2.0) / math.log(300.0 / 2.0))
    return _AT_2_K_W * math.pow(_AT_300_K_W / _AT_2_K_W, part)


def near_compliance(current_a: float, ohm: float, compliance_v: float) -> str:
    """Return a text where the expected voltage is near the compliance, V (L053)."""
    volts = current_a * ohm
    if volts <= _OF_COMPLIANCE * compliance_v:
        return ""
    return (
        f"L053: {volts:.3g} V, {current_a:.4g} A through the expected {ohm:.4g} ohm, is above "
        f"{_OF_COMPLIANCE:.0%} of the compliance of {compliance_v:.4g} V; take less current"
    )


def too_few_isotherms(temperatures_k: Sequence[float]) -> str:
    """Return a text where a set of isotherms allows no scaling (L040)."""
    if len(temperatures_k) >= _ISOTHERMS and max(temperatures_k) >= _SPAN * min(temperatures_k):
        return ""
    spread = f"{min(temperatures_k):.4g} to {max(temperatures_k):.4g} K"
    return (
        f"L040: {len(temperatures_k)} isotherms, {spread}, allow no scaling: it takes {_ISOTHERMS} at least "
        f"over a factor {_SPAN:g} in temperature; crossings and Hc are refused then"
    )


def near_mains(hertz: float) -> str:
    """Return a text where a frequency is near a multiple or a divisor of the mains (L054)."""
    for mains in _MAINS_HZ:
        multiple = mains * max(1, round(hertz / mains))
        for near in (multiple, *(mains / number for number in range(2, _MOST_DIVISOR + 1))):
            if abs(hertz - near) < _NEAR_MAINS_HZ:
                return (
                    f"L054: {hertz:.5g} Hz is within {_NEAR_MAINS_HZ} Hz of {near:.5g} Hz, of the mains "
                    f"at {mains:.0f} Hz; take another, e.g. 17.77 Hz"
                )
    return ""


def beyond_lock_in(use: LockInUse, lock_in: type[StanfordLockIn], source: Limits | None) -> str:
    """Return a text where a lock-in, or the wave of its ``source``, Hz, cannot do what is asked of it."""
    allowed = [lock_in.frequency_limits, *([] if source is None else [source])]
    for limits in allowed:
        if not limits.contains(use.frequency_hz):
            return (
                f"lockin.frequency = {use.frequency_hz:.9g} Hz is outside [{limits.low:g}, {limits.high:g}] "
                f"Hz, the range set by {limits.set_by}; take another, e.g. 17.77 Hz"
            )
    if use.time_constant_s not in lock_in.TIME_CONSTANTS:
        near = sorted(lock_in.TIME_CONSTANTS, key=lambda one: abs(one - use.time_constant_s))[:2]
        return (
            f"lockin.time_constant = {use.time_constant_s:.9g} s is not one that "
            f"{lock_in.frequency_limits.set_by} has; take {' or '.join(f'{one:g} s' for one in sorted(near))}"
        )
    if use.sync and use.frequency_hz >= SYNC_BELOW_HZ:
        return (
            f"lockin.sync at {use.frequency_hz:.9g} Hz is outside [0, {SYNC_BELOW_HZ:g}] Hz, where "
            f"{lock_in.frequency_limits.set_by} has it; leave it out"
        )
    return ""


def wide_modulation(volts_rms: float, lowest_k: float) -> str:
    """Return a text where a modulation smears more than the temperature does (L055)."""
    most_v = 0.5e-3 * _THERMAL_WIDTH_MV_PER_K * lowest_k
    if volts_rms <= most_v:
        return ""
    return (
        f"L055: a modulation of {1e3 * volts_rms:.3g} mV rms is above half the thermal width at "
        f"{lowest_k:.4g} K, {1e3 * most_v:.2g} mV; take at most that"
    )


def narrow_bias(biases_v: Sequence[float], gap_v: float | None) -> str:
    """Return a text where the bias ends before three gaps (L056)."""
    if gap_v is None or min(max(biases_v), -min(biases_v)) >= _GAPS * gap_v:
        return ""
    return (
        f"L056: the bias, {1e3 * min(biases_v):.3g} .. {1e3 * max(biases_v):.3g} mV, ends before "
        f"{_GAPS:.0f} expected gaps, {1e3 * _GAPS * gap_v:.3g} mV on either side; a fit needs what is beyond"
    )


def no_normal_reference(normal_k: float | None, tc_k: float | None) -> str:
    """Return a text where no curve above Tc will stand for the normal state (L056)."""
    if normal_k is None:
        return (
            "L056: no 'normal_at': without a curve above Tc the conductance is normalised at high bias alone"
        )
    if tc_k is not None and normal_k <= tc_k:
        return f"L056: normal_at = {normal_k:.4g} K is not above the expected Tc, {tc_k:.4g} K; raise it"
    return ""


def beyond_record(amplitude_oe: float, frequency_hz: float, limits: AcLimits) -> str:
    """Return a text where a drive is beyond the record of the instrument (L060)."""
    for what, value, allowed in (
        ("amplitude", amplitude_oe, limits.amplitude),
        ("frequency", frequency_hz, limits.frequency),
    ):
        if not allowed.contains(value):
            peak = " peak" if what == "amplitude" else ""
            return (
                f"L060: {what} = {value:.6g} {allowed.unit}{peak} is outside [{allowed.low:.6g}, "
                f"{allowed.high:.6g}] {allowed.unit}, the range set by {allowed.set_by}; change it, or "
                "measure with another option"
            )
    return ""


def not_rising(amplitudes_oe: Sequence[float]) -> str:
    """Return a text where amplitudes are not from small to large (L062)."""
    if list(amplitudes_oe) == sorted(amplitudes_oe):
        return ""
    return (
        "L062: the amplitudes are not from small to large; a large one before a small one leaves flux in the "
        "sample and heats it"
    )


@dataclass(frozen=True, slots=True)
class DrivenRun:
    """With what one run drives a sample: amplitudes in Oe peak, frequencies in Hz, dc fields in Oe."""

    amplitudes_oe: tuple[float, ...]
    frequencies_hz: tuple[float, ...]
    fields_oe: tuple[float, ...]

    def __str__(self) -> str:
        drives = zip(
            (self.amplitudes_oe, self.frequencies_hz, self.fields_oe), ("Oe peak", "Hz", "Oe"), strict=True
        )
        amplitude, frequency, dc_field = (
            f"{', '.join(f'{value:.6g}' for value in values)} {unit}" for values, unit in drives
        )
        return f"{amplitude} at {frequency} in {dc_field}"


def mixed_set(runs: Sequence[DrivenRun]) -> int | None:
    """Return the first of the runs whose amplitude has no other beside it to make rectangles with (L061).

    A set of rectangles has several amplitudes at one frequency and dc field. Where no run has several, and
    runs differ in amplitude, they were meant to be put together; it is refused where no two of them can be.
    """
    if any(len(set(run.amplitudes_oe)) > 1 for run in runs):
        return None
    at: dict[tuple[float, float], set[float]] = {}
    for run in runs:
        for hertz in run.frequencies_hz:
            for oersted in run.fields_oe:
                at.setdefault((hertz, oersted), set()).update(run.amplitudes_oe)
    if any(len(amplitudes) > 1 for amplitudes in at.values()):
        return None
    others = (number for number, run in enumerate(runs) if run.amplitudes_oe[0] != runs[0].amplitudes_oe[0])
    return next(others, None)


def no_phase(temperatures_k: Sequence[float], *, is_calibrated: bool, tc_k: float | None) -> str:
    """Return a text where nothing will tell the phase of the susceptometer (L063)."""
    if is_calibrated or tc_k is None or min(temperatures_k) < _COLD_OF_TC * tc_k:
        return ""
    return (
        f"L063: no phase calibration, and no point below half the expected Tc, {_COLD_OF_TC * tc_k:.4g} K; "
        "0.5 deg leaks 0.9 % of the screening into the loss; say 'phase: {calibrate_at: 10 K}'"
    )


def not_screening(calibrate_at_k: float, tc_k: float) -> str:
    """Return a text where the phase would be set above the expected Tc."""
    if calibrate_at_k < tc_k:
        return ""
    return (
        f"phase.calibrate_at = {calibrate_at_k:.9g} K is not below the expected Tc, {tc_k:.9g} K; the phase "
        "is set deep in the screening state, where there is no loss"
    )
