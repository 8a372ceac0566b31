"""The SQUID magnetometer of a lab: a sample on its holder, moved through the coils, and what the fits say."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from onnes.sim.ac_option import AcOption
from onnes.sim.magnetometer_machines import (
    FULL_SCALE_V,
    LARGEST_EMU,
    RANGES,
    TIMINGS,
    MagnetometerSettings,
    Mode,
    Timing,
)
from onnes.sim.noise import microseconds, stream_key, white, white_array
from onnes.sim.sample_history import SampleHistory
from onnes.sim.samples import MagneticSample
from onnes.sim.squid import (
    DipoleFit,
    fit_error_per_volt,
    fit_fixed,
    fit_free,
    positions,
    response,
    vibrating,
)

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_CHECKPOINT_S: Final = 600.0  # the cryostat keeps as much of its past, the magnet more
_NOISE_OF_SCANS: Final = 3.0  # the scans that the noise of a moment is told for
_NOISE_OF_S: Final = 2.0  # as much of a VSM
_WHITE_SHARE: Final = 0.3  # of the noise that differs from point to point of a scan, the rest is common (a)
_FILL: Final = 0.9  # of the full scale that a range is used up to
_CM_PER_MM: Final = 0.1


@dataclass(frozen=True, slots=True)
class MomentScan:
    """How a moment is asked for: ``length_mm`` of the way; 0 Hz and 0 cycles are the machine's own."""

    mode: Mode
    length_mm: float
    scans: int
    frequency_hz: float
    cycles: int


@dataclass(frozen=True, slots=True)
class OneScan:
    """Both fits of one scan (a VSM has one), the range it was made in, its lowest and highest voltage."""

    fixed: DipoleFit
    free: DipoleFit
    range_number: int
    lowest_v: float
    highest_v: float


@dataclass(frozen=True, slots=True)
class MeasuredMoment:
    """One moment as the machine reports it: temperatures in K, fields in Oe, moments in emu, centres in cm.

    ``points``, ``scan_s`` in s and ``frequency_hz`` are those of one scan as the machine did it.
    ``fixed`` and ``free`` are the fits, averaged over the scans; of a VSM both have its one moment.
    ``spread_emu`` is the standard deviation of the scans' moments at the fixed centre.
    """

    scan: MomentScan
    points: int
    scan_s: float
    frequency_hz: float
    temperatures_k: tuple[float, ...]
    fields_oe: tuple[float, ...]
    fixed: DipoleFit
    free: DipoleFit
    spread_emu: float
    range_number: int
    lowest_v: float
    highest_v: float

    @property
    def temperature_k(self) -> float:
        """Return the mean reported temperature, K."""
        return math.fsum(self.temperatures_k) / len(self.temperatures_k)

    @property
    def field_oe(self) -> float:
        """Return the mean reported field, Oe."""
        return math.fsum(self.fields_oe) / len(self.fields_oe)


class Magnetometer:
    """A machine with a sample, or an empty holder, in the plant of ``lab``."""

    def __init__(
        self, settings: MagnetometerSettings, lab: "VirtualLab", sample: MagneticSample | None
    ) -> None:
        self.settings = settings
        self.ac = AcOption(settings, lab, sample)
        self._lab = lab
        self._history = None if sample is None else SampleHistory(sample, lab)
        self._common = stream_key(lab.seed, "magnetometer/common")
        self._white = stream_key(lab.seed, "magnetometer/white")
        self._drift = stream_key(lab.seed, "magnetometer/drift")
        if self._history is not None:
            lab.at(_CHECKPOINT_S, self._checkpoint)

    def _checkpoint(self, t: float) -> None:
        self.bring(t)
        self._lab.at(t + _CHECKPOINT_S, self._checkpoint)

    def bring(self, t: float) -> float:
        """Bring the sample to lab time ``t``, s, and return the true moment of sample and holder, emu."""
        moment = 0.0 if self._history is None else self._history.bring(t)
        return moment + self._background(t)

    def moment_emu(self, t: float) -> float:
        """Return the true moment of sample and holder at ``t``, emu; asking changes nothing.

        Raises:
            ValueError: if ``t`` lies before the last time that the sample was brought to.
        """
        moment = 0.0 if self._history is None else self._history.moment_emu(t)
        return moment + self._background(t)

    def _background(self, t: float) -> float:
        settings = self.settings
        return settings.background_emu + settings.background_emu_per_oe * self._lab.magnet.at_sample(t)

    # --- measuring

    def timing(self, scan: MomentScan) -> Timing:
        """Return how this machine does such a scan.

        Raises:
            ValueError: if it cannot.
        """
        timings = TIMINGS[self.settings.machine]
        if scan.mode not in timings:
            raise ValueError(f"the {self.settings.machine} measures {' and '.join(timings)}, not {scan.mode}")
        return timings[scan.mode]

    def scan_s(self, scan: MomentScan) -> float:
        """Return how long one scan takes, s."""
        timing = self.timing(scan)
        if not timing.frequency_hz or not scan.cycles:
            return timing.scan_s
        return scan.cycles / (scan.frequency_hz or timing.frequency_hz)

    def begin(self, scan: MomentScan, t: float) -> "MomentUnderWay":
        """Begin to measure a moment at ``t``, s.

        Raises:
            ValueError: if the machine cannot scan like this.
        """
        timing = self.timing(scan)
        first, each = t + timing.lead_s, self.scan_s(scan)
        edges = tuple(first + k * each for k in range(scan.scans + 1))
        return MomentUnderWay(self, scan, edges, edges[-1] + timing.after_s)

    def readings(self, t: float) -> tuple[float, float]:
        """Return temperature in K and field in Oe as the machine reports them."""
        return self._lab.cryostat.reading(t), self._lab.magnet.reading(t)

    def _sigma_emu(self, moment_emu: float, t: float) -> float:
        """Return the noise of a moment of three scans, or of 2 s of a VSM, emu."""
        settings = self.settings
        of_field = settings.noise_emu_per_oe * self._lab.magnet.supply(t)
        return math.hypot(settings.noise_emu, settings.noise_fraction * moment_emu, of_field)

    def read(self, scan: MomentScan, moments_emu: tuple[float, float], t: float) -> "OneScan":
        """Return what one scan that ends at ``t``, s, gives.

        ``moments_emu`` are the true moments as it begins and ends; between them it drifts evenly.
        """
        return (self._vibrated if scan.mode == "vsm" else self._scanned)(scan, moments_emu, t)

    def _vibrated(self, scan: MomentScan, moments_emu: tuple[float, float], t: float) -> "OneScan":
        moment_emu = 0.5 * sum(moments_emu)
        share = vibrating(0.5 * scan.length_mm * _CM_PER_MM, self.settings.centre_mm * _CM_PER_MM)
        sigma = self._sigma_emu(moment_emu, t) * math.sqrt(_NOISE_OF_S / self.scan_s(scan))
        number, emu_per_v = self._range(abs(moment_emu))
        volts = (share * moment_emu + sigma * white(self._common, microseconds(t))) / emu_per_v
        volts = max(-FULL_SCALE_V, min(FULL_SCALE_V, volts))  # as the SQUID's output does
        fit = DipoleFit(volts * emu_per_v, sigma, share, 0.0, 0.0)
        return OneScan(fit, fit, number, -abs(volts), abs(volts))

    def _scanned(self, scan: MomentScan, moments_emu: tuple[float, float], t: float) -> "OneScan":
        points, is_rso = self.timing(scan).points, scan.mode == "rso"
        length_cm = scan.length_mm * _CM_PER_MM
        z = positions(length_cm, points, oscillating=is_rso)
        begin, end = moments_emu
        sigma = self._sigma_emu(0.5 * (begin + end), t) * math.sqrt(_NOISE_OF_SCANS)
        common = sigma * math.sqrt(1.0 - _WHITE_SHARE**2) * white(self._common, microseconds(t))
        alike = _WHITE_SHARE * sigma / fit_error_per_volt(length_cm, points, oscillating=is_rso)
        # One counter each microsecond: the scans of a night are seconds apart, their points are fewer.
        counters = microseconds(t) + np.arange(points, dtype=np.int64)
        drift = self.settings.drift_emu_per_s * self.scan_s(scan) * white(self._drift, microseconds(t))
        progress = np.linspace(0.0, 1.0, points)
        moment = begin + (end - begin) * progress + common
        signal = moment * response(z - self.settings.centre_mm * _CM_PER_MM)
        signal += alike * white_array(self._white, counters) + drift * progress
        number, emu_per_v = self._range(float(np.abs(signal).max()))
        volts = np.clip(signal / emu_per_v, -FULL_SCALE_V, FULL_SCALE_V)
        fixed, free = fit_fixed(z, volts, emu_per_v), fit_free(z, volts, emu_per_v)
        return OneScan(fixed, free, number, float(volts.min()), float(volts.max()))

    def _range(self, emu: float) -> tuple[int, float]:
        """Return the number of the range that suits this signal, and its scale, emu/V."""
        largest = LARGEST_EMU[self.settings.machine]
        for number in RANGES:
            full = largest * number / RANGES[-1]
            if emu <= _FILL * full:
                break
        return number, full / FULL_SCALE_V


class MomentUnderWay:
    """One moment that is being measured: :meth:`look` at each of ``edges``, then :meth:`result` at ``done``.

    The edges, lab time in s, are where its scans begin and end.
    """

    def __init__(
        self, machine: Magnetometer, scan: MomentScan, edges: tuple[float, ...], done: float
    ) -> None:
        self.edges = edges
        self.done = done
        self._machine = machine
        self._scan = scan
        self._true: list[float] = []
        self._readings: list[tuple[float, float]] = []

    def look(self, t: float) -> None:
        """Take the true moment and the readings at one of the edges."""
        self._true.append(self._machine.bring(t))
        self._readings.append(self._machine.readings(t))

    def result(self) -> MeasuredMoment:
        """Return the moment, once all edges were looked at."""
        scan, true, machine = self._scan, self._true, self._machine
        timing = machine.timing(scan)
        scans = [machine.read(scan, both, t) for both, t in zip(pairwise(true), self.edges[1:], strict=True)]
        return MeasuredMoment(
            scan=scan,
            points=timing.points,
            scan_s=machine.scan_s(scan),
            frequency_hz=scan.frequency_hz or timing.frequency_hz,
            temperatures_k=tuple(kelvin for kelvin, _ in self._readings),
            fields_oe=tuple(oersted for _, oersted in self._readings),
            fixed=_mean([one.fixed for one in scans]),
            free=_mean([one.free for one in scans]),
            spread_emu=_spread([one.fixed for one in scans]),
            range_number=scans[-1].range_number,
            lowest_v=min(one.lowest_v for one in scans),
            highest_v=max(one.highest_v for one in scans),
        )


def _mean(fits: list[DipoleFit]) -> DipoleFit:
    """Return the mean of some fits; its error that of the fits, or of their scatter if larger."""
    n = len(fits)
    of_fits = math.sqrt(math.fsum(fit.error_emu**2 for fit in fits)) / n
    return DipoleFit(
        math.fsum(fit.moment_emu for fit in fits) / n,
        max(of_fits, _spread(fits) / math.sqrt(n)),
        math.fsum(fit.quality for fit in fits) / n,
        math.fsum(fit.centre_cm for fit in fits) / n,
        math.fsum(fit.drift for fit in fits) / n,
    )


def _spread(fits: list[DipoleFit]) -> float:
    if len(fits) < 2:
        return 0.0
    return float(np.std([fit.moment_emu for fit in fits], ddof=1))
