"""Which sample sits where: in the loops, on the magnetometer, in the coils."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from onnes.instruments.errors import ConfigurationError
from onnes.sim.samples import (
    AcSample,
    MagneticSample,
    Sample,
    has_moment,
    make_magnetic_sample,
    make_sample,
)
from onnes.sim.susceptometer import CoilSettings
from onnes.sim.wiring import DriveSettings

MAGNETOMETER: Final = "magnetometer"  # what the sample on it is called beside those of the wiring


@dataclass(frozen=True, slots=True)
class Mounting:
    """The sample of a lab, and what is mounted instead of it.

    ``table`` is ``[sample]`` of the lab ``lab``, ``source`` where it stands. ``mounted`` is {instrument that
    drives, or ``magnetometer``: table}, one table for all of them, or None.
    """

    table: Mapping[str, Any]
    source: str
    mounted: Mapping[str, Any] | None
    lab: str

    @property
    def _by_place(self) -> Mapping[str, Any]:
        """Return {place: table}; empty where there is one for all."""
        tables = self.mounted or {}
        return tables if all(isinstance(table, Mapping) for table in tables.values()) else {}

    @property
    def _everywhere(self) -> tuple[Mapping[str, Any], str]:
        """Return the sample of the places that have none of their own, and who says so."""
        if self.mounted and not self._by_place:
            return self.mounted, "sample"
        return self.table, self.source

    def on_loops(
        self, drives: Sequence[DriveSettings], coils: Sequence[CoilSettings], *, has_magnetometer: bool
    ) -> dict[str, Sample]:
        """Return {loop: sample}.

        Raises:
            ConfigurationError: for a sample without contacts, or one that is mounted where nothing drives.
        """
        table, source = self._everywhere
        loops = {drive.loop: make_sample(table, source) for drive in drives}
        in_coils = {_instrument(coil.drive) for coil in coils}
        for place, own in self._by_place.items():
            if place in in_coils or (place == MAGNETOMETER and has_magnetometer):
                continue
            driven = [drive.loop for drive in drives if _instrument(drive.port) == place]
            if not driven:
                ports = ", ".join(_ports(drives, coils))
                raise ConfigurationError(
                    f"a sample is wired to {place!r}, which drives no loop of the lab {self.lab!r}; its "
                    f"drives are {ports}; add a [[drive]] to the lab file or correct the source of the wiring"
                )
            loops |= {loop: make_sample(own, f"sample at {place}") for loop in driven}
        return loops

    def on_magnetometer(self) -> MagneticSample | None:
        """Return the sample on the magnetometer, None if that of the lab has no moment: an empty holder.

        Raises:
            ConfigurationError: for a sample that is mounted there and has no moment.
        """
        if MAGNETOMETER in self._by_place:
            return make_magnetic_sample(self._by_place[MAGNETOMETER], f"sample at {MAGNETOMETER}")
        table, source = self._everywhere
        return make_magnetic_sample(table, source) if has_moment(table) else None

    def in_coil(self, coil: CoilSettings) -> AcSample | None:
        """Return the sample in a coil, None if that of the lab does not answer: an empty coil.

        Raises:
            ConfigurationError: for a sample that is mounted there and has no model of its answer.
        """
        place = _instrument(coil.drive)
        table, source = self._everywhere
        if place not in self._by_place:
            return _answering(make_magnetic_sample(table, source)) if has_moment(table) else None
        own = self._by_place[place]
        sample = _answering(make_magnetic_sample(own, f"sample at {place}"))
        if sample is None:
            raise ConfigurationError(
                f"sample at {place}: the sample model {own['model']!r} has no answer to an alternating field"
            )
        return sample


def _answering(sample: object) -> AcSample | None:
    return sample if isinstance(sample, AcSample) else None


def _instrument(port: str) -> str:
    return port.partition(".")[0]


def _ports(drives: Sequence[DriveSettings], coils: Sequence[CoilSettings]) -> Iterator[str]:
    yield from (drive.port for drive in drives)
    yield from (coil.drive for coil in coils)
