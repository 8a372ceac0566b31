"""A magnetometer as the station file describes it."""

from collections.abc import Mapping

from onnes.instruments.clock import Clock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.magnetometer_machines import MachineLimits
from onnes.instruments.mpms import Acms, Mpms, Mpms3, MpmsXl
from onnes.instruments.mpms_remote import RemoteMpms3
from onnes.instruments.multivu import MultiVu
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.station_file import StationFile

_KINDS: Mapping[str, type[Mpms]] = {"mpms3": Mpms3, "mpms_xl": MpmsXl, "acms": Acms}


def open_mpms(file: StationFile, name: str, remote: MultiVu | None, clock: Clock) -> Mpms:
    """Return a magnetometer of a station file; its limits are the narrowest of machine and station.

    Of a simulated station MultiVu's folders are made where they are not there.

    Args:
        remote: the connection to its MultiVu, where there is one.

    Raises:
        ConfigurationError: if the template cannot be used.
    """
    files = _files(file, name)
    if file.backend == "simulated":  # of a real machine they are MultiVu's own
        for folder in (files.data, files.sequences):
            folder.mkdir(parents=True, exist_ok=True)
    return described_mpms(file, name, remote, clock)


def described_mpms(file: StationFile, name: str, remote: MultiVu | None, clock: Clock) -> Mpms:
    """Return a magnetometer of a station file without looking for MultiVu's folders.

    Raises:
        ConfigurationError: if the template cannot be used.
    """
    files, simulated = _files(file, name), file.backend == "simulated"
    kind = _KINDS[file.instruments[name].driver]
    limits = _narrowed(file, kind.model.limits)
    if remote is not None:
        return RemoteMpms3(remote, name, files, limits, clock, simulated=simulated)
    return kind(name, files, limits, clock, simulated=simulated)


def _files(file: StationFile, name: str) -> MultiVuFiles:
    files = file.multivu_files(name)
    if files is None:
        raise ConfigurationError(f"{file.path}: {name} has no template and data of its MultiVu")
    return files


def _narrowed(file: StationFile, limits: MachineLimits) -> MachineLimits:
    table, rate = file.limits, limits.field_rate
    return MachineLimits(
        temperature=file.narrowed(limits.temperature, *(table.temperature or (None, None))),
        temperature_rate=file.narrowed(limits.temperature_rate, None, table.temperature_rate),
        field=file.narrowed(limits.field, *(table.field or (None, None))),
        field_rate=None if rate is None else file.narrowed(rate, None, table.field_rate),
    )
