"""A mutual-inductance susceptometer: a drive coil, and a balanced pick-up coil that a lock-in listens to.

The pick-up gives the rate of change of the moment, ``k dm/dt / (2 pi)``. Driven by ``sin(2 pi f t)``, a
moment m' in phase and m'' of loss, both peak, give X = k f m''/sqrt 2 and Y = k f m'/sqrt 2 at the input; at
the third harmonic both have the other sign, as ``cos 3(x - 90 deg) = -sin 3x``. The electronics turn it all.
The coils are assumed (a).
"""

import cmath
import math
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from onnes.sim.cryostat import Cryostat
from onnes.sim.magnet import Magnet
from onnes.sim.samples import AcSample
from onnes.sim.wiring import Wiring

_PORT: Final = r"^\w+\.\w+$"  # instrument, dot, terminal
_HARMONICS: Final = 3  # of the drive that are heard
_SAME: Final = 1e-9  # relative, of two frequencies


class CoilSettings(BaseModel):
    """A table ``[[coil]]`` of a lab file: the terminal ``drive`` drives a coil, ``pickup`` hears the moment.

    ``series_ohm`` turns the voltage of a sine output into a current: coil, output and resistor together.
    ``field_oe_per_a`` is the drive coil's constant, ``pickup_v_per_hz_emu`` the pick-up's: V rms per Hz and
    emu rms. ``phase_deg`` is how far the signal lags at the fundamental, n times as much at harmonic n. What
    the pick-up is out of balance by looks like a moment of ``imbalance_emu_per_oe`` in phase and
    ``imbalance_loss_emu_per_oe`` of loss. ``position`` is the share of the moment that it sees with the
    sample where it sits; ``pickup_ohm`` gives its thermal noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    drive: str = Field(pattern=_PORT)
    pickup: str = Field(pattern=_PORT)
    series_ohm: float | None = Field(default=None, gt=0)
    field_oe_per_a: float = Field(default=100.0, gt=0)
    pickup_v_per_hz_emu: float = 2e-4
    phase_deg: float = Field(default=0.5, ge=-180, le=180)
    imbalance_emu_per_oe: float = 4e-6
    imbalance_loss_emu_per_oe: float = 1e-6
    position: float = Field(default=1.0, ge=0, le=1)
    pickup_ohm: float = Field(default=200.0, ge=0)


class Coil:
    """The coils with a sample, or empty, in temperature and field of the plant.

    It brings phasors to the pick-up's terminal (:class:`onnes.sim.lock_in.Phasors`). A direct current of the
    drive adds its field to that of the magnet.
    """

    def __init__(
        self,
        settings: CoilSettings,
        wiring: Wiring,
        sample: AcSample | None,
        cryostat: Cryostat,
        magnet: Magnet,
    ) -> None:
        self._settings = settings
        self._drive = wiring.output(settings.drive)
        self._sample = sample
        self._cryostat = cryostat
        self._magnet = magnet
        self._oe_per_unit = settings.field_oe_per_a / (settings.series_ohm or 1.0)
        wiring.add_provider(settings.pickup, self)

    def phasor(self, port: str, t: float, hz: float, phase: float, harmonic: int) -> complex:
        """Return X + iY at ``harmonic`` times the reference ``sin(2 pi hz t + phase)``, V rms, without noise.

        Nothing is heard beside the first harmonics of the drive.
        """
        del port
        level = self._drive.at(t)
        tone = level.tone
        if tone is None or not tone.peak:
            return 0j
        detected_hz = harmonic * hz
        n = round(detected_hz / tone.hz)
        if not 1 <= n <= _HARMONICS or abs(detected_hz - n * tone.hz) > _SAME * detected_hz:
            return 0j
        settings = self._settings
        amplitude_oe = self._oe_per_unit * tone.peak
        moment = self._moment_emu(amplitude_oe, tone.hz, level.amps, t, n)
        # cos(n w t) of a drive cos(w t) stands n quarters of a turn behind sin(n w t) of a drive sin(w t).
        angle = 0.5 * math.pi * (2 - n) + n * (tone.phase - math.radians(settings.phase_deg))
        rms = settings.pickup_v_per_hz_emu * detected_hz * moment.conjugate() / math.sqrt(2.0)
        return rms * cmath.exp(1j * (angle - harmonic * phase))

    def changes(self, port: str, t0: float, t1: float) -> list[float]:
        """Return the times inside (t0, t1), s, at which the drive was set."""
        del port
        return self._drive.changes(t0, t1)

    def ohms(self, port: str, t: float) -> float:
        """Return the resistance of the pick-up, ohm."""
        del port, t
        return self._settings.pickup_ohm

    def _moment_emu(
        self, amplitude_oe: float, drive_hz: float, direct: float, t: float, harmonic: int
    ) -> complex:
        settings = self._settings
        moment = 0j
        if self._sample is not None:
            kelvin = self._cryostat.sample(t)
            field_oe = self._magnet.at_sample(t) + self._oe_per_unit * direct
            found = self._sample.ac_moment_emu(amplitude_oe, drive_hz, kelvin, field_oe, harmonic)
            moment = settings.position * found
        if harmonic == 1:
            residual = complex(settings.imbalance_emu_per_oe, settings.imbalance_loss_emu_per_oe)
            moment += residual * amplitude_oe
        return moment
