"""With what a sample is driven at each temperature: amplitudes, frequencies and harmonics, in which order."""

import json
from dataclasses import dataclass
from typing import ClassVar

from onnes.procedures.options import Options, number, numbers, positive, whole

PHASE, BACKGROUND = "phase", "background"


@dataclass(frozen=True, slots=True)
class PhaseCalibration(Options):
    """Where phase and background are measured, K; None: nowhere."""

    TITLE: ClassVar[str] = "phase"

    calibrate_at_k: float | None = None
    background_at_k: float | None = None

    def __post_init__(self) -> None:
        for name in ("calibrate_at_k", "background_at_k"):
            if getattr(self, name) is not None:
                positive(f"{self.TITLE}.{name}", getattr(self, name))

    def check(self, tc_k: float) -> None:
        """Look at whether both are on their side of the transition at ``tc_k``, K.

        Raises:
            ValueError: if one is not.
        """
        if self.calibrate_at_k is not None and not self.calibrate_at_k < tc_k:
            raise ValueError(
                f"phase.calibrate_at_k = {self.calibrate_at_k:.9g} K is not below {tc_k:.9g} K; the phase "
                "is set deep in the screening state, where there is no loss"
            )
        if self.background_at_k is not None and not self.background_at_k > tc_k:
            raise ValueError(
                f"phase.background_at_k = {self.background_at_k:.9g} K is not above {tc_k:.9g} K; the "
                "background is what is left without the sample's screening"
            )


@dataclass(frozen=True, slots=True)
class Drive:
    """One way of driving: ``amplitude_oe`` is the peak, Oe; ``branch`` is that of its points."""

    amplitude_oe: float
    frequency_hz: float
    harmonic: int
    branch: str


def amplitudes_of(text: str) -> tuple[float, ...]:
    """Return the amplitudes, Oe peak, that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of numbers above zero.
    """
    return _positives("amplitudes_oe", text)


def frequencies_of(text: str) -> tuple[float, ...]:
    """Return the frequencies, Hz, that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of numbers above zero.
    """
    return _positives("frequencies_hz", text)


def harmonics_of(text: str) -> tuple[int, ...]:
    """Return the harmonics that the JSON text lists.

    Raises:
        ValueError: if it is anything but a list of whole numbers from 1.
    """
    found = json.loads(text)
    if not isinstance(found, list) or not found:
        raise ValueError(f"harmonics is {text}; expected a list of whole numbers from 1")
    return tuple(whole("harmonics", item) for item in found)


def drives(
    amplitudes: tuple[float, ...],
    frequencies: tuple[float, ...],
    harmonics: tuple[int, ...],
    branch: str,
    *,
    heating_check: bool,
) -> tuple[Drive, ...]:
    """Return what is done at one temperature, in order.

    At each frequency from the smallest amplitude to the largest, so that what a large one leaves behind
    spoils no smaller one; then, with ``heating_check`` and more than one amplitude, the smallest again: a
    sample or a coil that the largest has warmed gives another moment then.

    >>> [(drive.amplitude_oe, drive.branch) for drive in
    ...     drives((1.0, 0.1), (97.0,), (1,), "curve", heating_check=True)]
    [(0.1, 'curve'), (1.0, 'curve'), (0.1, 'heating_check')]
    """
    rising = sorted(amplitudes)
    found: list[Drive] = []
    for frequency in frequencies:
        found += [
            Drive(amplitude, frequency, harmonic, branch) for amplitude in rising for harmonic in harmonics
        ]
        if heating_check and rising[0] < rising[-1]:
            found.append(Drive(rising[0], frequency, harmonics[0], "heating_check"))
    return tuple(found)


def _positives(what: str, text: str) -> tuple[float, ...]:
    found = numbers(what, json.loads(text))
    for value in found:
        if not number(what, value) > 0:
            raise ValueError(f"{what} has {value:.9g}; each must be above zero")
    return found
