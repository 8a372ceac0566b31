"""Open the instruments of a station file: all of them, or none is left open."""

from collections.abc import Mapping
from typing import cast

import pyvisa

from onnes.instruments.clock import Clock
from onnes.instruments.drivers import CLASSES, Instrument
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.link import DEADLINE_S
from onnes.instruments.mpms import Mpms
from onnes.instruments.mpms_open import open_mpms
from onnes.instruments.multivu import MultiVu
from onnes.instruments.relay import RelayedKeithley2182A
from onnes.instruments.safe_state import close_all, made_safe
from onnes.instruments.station import Station
from onnes.instruments.station_file import StationFile
from onnes.instruments.visa import library_provenance, open_adapter, open_library


def open_station(file: StationFile, clock: Clock, *, lab_key: str | None = None) -> Station:
    """Open the instruments of ``file``, look who they are, and return the station; nothing is set.

    If one fails, those opened before, and only those, go into their safe state and are closed.

    Args:
        lab_key: registered name of a virtual lab, for a simulated station; default the file's ``[twin]``.

    Raises:
        ConfigurationError: if the VISA library is not the one that the file asks for, or a name is wrong.
        CommunicationError: if an instrument is not found or does not answer.
    """
    manager = library_of(file, lab_key)
    opened: dict[str, Instrument] = {}
    identities: dict[str, str] = {}
    try:
        for name in sorted(file.instruments, key=lambda name: file.instruments[name].via is not None):
            opened[name] = open_instrument(manager, file, name, clock, opened)
            identities[name] = opened[name].connect()
        library = {"backend": file.backend} if manager is None else library_provenance(manager)
        provenance = {**library, "instruments": identities}
        return Station(file, clock, opened, provenance)
    except BaseException as error:  # whatever it was, what is open is made safe first; it is raised again
        connected = [name for name in opened if name in identities]
        steps = [made_safe(file, name, opened[name], abort=False) for name in reversed(connected)]
        for step in steps:
            if not step.confirmed:
                error.add_note(f"{step.instrument} is not in its safe state: {step.message}")
        close_all(opened)
        raise


def library_of(file: StationFile, lab_key: str | None) -> pyvisa.ResourceManager | None:
    """Return the VISA library of a station; None where nothing of it is found through one.

    Raises:
        ConfigurationError: if it is not the one that the file asks for.
    """
    if file.backend == "visa" and not any(entry.address for entry in file.instruments.values()):
        return None  # a magnetometer is followed through files alone
    return open_library(file.backend, lab_key or file.lab)


def open_instrument(
    manager: pyvisa.ResourceManager | None,
    file: StationFile,
    name: str,
    clock: Clock,
    opened: Mapping[str, Instrument],
) -> Instrument:
    """Open one instrument of a station file; nothing is sent.

    Args:
        opened: those opened before, of which one may hand messages on to it.

    Raises:
        ConfigurationError: if its resource is no VISA name, the interface is not installed, or the template
            of its sequences cannot be used.
        CommunicationError: if no instrument is found there, or another program holds it.
    """
    entry = file.instruments[name]
    kind = CLASSES[entry.driver]
    if entry.via is not None:
        return RelayedKeithley2182A(cast(Keithley6221, opened[entry.via]), name, clock, entry.baud)
    if manager is None or not entry.address:  # which only a magnetometer needs not have
        return open_mpms(file, name, None, clock)
    if issubclass(kind, Mpms | MultiVu):
        remote = MultiVu.open(manager, entry.address, name, clock)
        if issubclass(kind, MultiVu):
            return remote
        try:
            return open_mpms(file, name, remote, clock)
        except (ConfigurationError, OSError):  # nobody else knows of the connection
            remote.link.close()
            raise
    adapter = open_adapter(
        manager,
        entry.address,
        name=name,
        deadline_s=DEADLINE_S if entry.timeout is None else float(entry.timeout),
        reply_termination=kind.reply_termination,
        hint=kind.hint,
    )
    return kind(adapter, name, clock)
