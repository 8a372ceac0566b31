"""The ac option of a magnetometer: a drive field at one frequency, and the moment that answers it.

Its row is a closed form of the state of the sample; nothing is stepped. Marks: (s) published, (k) general
knowledge, (a) assumed.
"""

import cmath
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from onnes.sim.magnetometer_machines import Machine, MagnetometerSettings
from onnes.sim.noise import microseconds, stream_key, white
from onnes.sim.samples import AcSample, MagneticSample

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_NOISE_OF_S: Final = 10.0  # the averaging that the noise of the settings is told for


@dataclass(frozen=True, slots=True)
class AcRecord:
    """What an option drives: peak amplitudes in Oe, frequencies in Hz; what a row takes besides, s."""

    smallest_oe: float
    largest_oe: float
    lowest_hz: float
    highest_hz: float
    besides_s: float  # (a) the way through the coils and the nulling


_XL: Final = AcRecord(2e-4, 4.0, 0.01, 1000.0, 2.0)  # 0.2 mOe, 0.01 Hz to 1 kHz (s), up to 4 Oe (k)
AC_RECORDS: Final[Mapping[Machine, AcRecord]] = {
    "mpms3": AcRecord(5e-3, 10.0, 0.1, 1000.0, 2.0),  # (k), the smallest amplitude (a)
    "mpms_xl": _XL,
    "mpms5": _XL,  # (a)
    "acms": AcRecord(2e-3, 15.0, 10.0, 10_000.0, 2.0),  # (k)
}


@dataclass(frozen=True, slots=True)
class AcScan:
    """How an alternating moment is asked for: ``amplitude_oe`` is the peak of the drive field."""

    amplitude_oe: float
    frequency_hz: float
    averaging_s: float


@dataclass(frozen=True, slots=True)
class MeasuredAcMoment:
    """One alternating moment as the machine reports it: temperatures in K, fields in Oe, moments in emu.

    Moments are amplitudes (peak), positive in quadrature for loss, with the error of each of the two parts.
    """

    scan: AcScan
    temperatures_k: tuple[float, ...]
    fields_oe: tuple[float, ...]
    in_phase_emu: float
    quadrature_emu: float
    error_emu: float

    @property
    def temperature_k(self) -> float:
        """Return the mean reported temperature, K."""
        return math.fsum(self.temperatures_k) / len(self.temperatures_k)

    @property
    def field_oe(self) -> float:
        """Return the mean reported field, Oe."""
        return math.fsum(self.fields_oe) / len(self.fields_oe)


class AcOption:
    """The coils of a machine in the plant of ``lab``, with a sample or an empty holder in them."""

    def __init__(
        self, settings: MagnetometerSettings, lab: "VirtualLab", sample: MagneticSample | None
    ) -> None:
        self.settings = settings
        self._lab = lab
        self._sample: object = sample  # whether it is one with an answer is looked at where it is asked
        self._delay = cmath.rect(1.0, math.radians(settings.ac_phase_deg))
        self._in_phase = stream_key(lab.seed, "ac option/in phase")
        self._quadrature = stream_key(lab.seed, "ac option/quadrature")

    def begin(self, scan: AcScan, t: float) -> "AcUnderWay":
        """Begin to measure an alternating moment at ``t``, s.

        Raises:
            ValueError: if the machine cannot drive like this, or nothing is known of the sample.
        """
        machine = self.settings.machine
        record = AC_RECORDS[machine]
        for what, value, low, high, unit in (
            ("ac amplitude", scan.amplitude_oe, record.smallest_oe, record.largest_oe, "Oe"),
            ("ac frequency", scan.frequency_hz, record.lowest_hz, record.highest_hz, "Hz"),
        ):
            if not low <= value <= high:
                raise ValueError(
                    f"{what} = {value:.9g} {unit} is outside [{low:.9g}, {high:.9g}] {unit}, set by the ac "
                    f"option of the {machine}"
                )
        if self._sample is not None and not isinstance(self._sample, AcSample):
            raise ValueError(
                f"the sample {type(self._sample).__name__} has no model of its answer to an alternating field"
            )
        first = t + record.besides_s
        done = first + max(scan.averaging_s, 1.0 / scan.frequency_hz)
        return AcUnderWay(self, scan, (first, done), done)

    def look(self, t: float) -> tuple[float, float, float, float]:
        """Return true and reported temperature in K, true and reported field in Oe, at ``t``."""
        cryostat, magnet = self._lab.cryostat, self._lab.magnet
        return cryostat.sample(t), cryostat.reading(t), magnet.at_sample(t), magnet.reading(t)

    def moment_emu(self, scan: AcScan, temperature_k: float, field_oe: float) -> complex:
        """Return what sample and holder have in the coils, with the delay of their electronics, no noise."""
        moment = complex(self.settings.background_emu_per_oe * scan.amplitude_oe)
        if isinstance(self._sample, AcSample):
            moment += self._sample.ac_moment_emu(
                scan.amplitude_oe, scan.frequency_hz, temperature_k, field_oe
            )
        return moment * self._delay

    def read(self, scan: AcScan, moment_emu: complex, t: float) -> tuple[complex, float]:
        """Return a moment with the noise of a reading that ends at ``t``, and the size of that, emu."""
        settings = self.settings
        sigma = math.hypot(settings.ac_noise_emu, settings.ac_noise_fraction * abs(moment_emu))
        sigma *= math.sqrt(_NOISE_OF_S / scan.averaging_s)
        n = microseconds(t)
        return moment_emu + sigma * complex(white(self._in_phase, n), white(self._quadrature, n)), sigma


class AcUnderWay:
    """One alternating moment being measured: :meth:`look` at both ``edges``, then :meth:`result` at ``done``.

    The state in the middle between the edges stands for the whole, exact for even sweeps.
    """

    def __init__(self, option: AcOption, scan: AcScan, edges: tuple[float, float], done: float) -> None:
        self.edges = edges
        self.done = done
        self._option = option
        self._scan = scan
        self._looks: list[tuple[float, float, float, float]] = []

    def look(self, t: float) -> None:
        """Take the true state and the readings at one of the edges."""
        self._looks.append(self._option.look(t))

    def result(self) -> MeasuredAcMoment:
        """Return the moment, once both edges were looked at."""
        kelvins, reported_k, fields, reported_oe = zip(*self._looks, strict=True)
        true = self._option.moment_emu(self._scan, 0.5 * sum(kelvins), 0.5 * sum(fields))
        moment, error = self._option.read(self._scan, true, self.done)
        return MeasuredAcMoment(self._scan, reported_k, reported_oe, moment.real, moment.imag, error)
