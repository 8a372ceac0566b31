"""One instrument of a station file: which driver there is, and where the instrument is found."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from onnes.instruments import quantities
from onnes.instruments.spelling import nearest
from onnes.instruments.toml_file import Place, Problem, one_of

Capability = Literal[
    "thermostat",
    "magnet",
    "chamber",
    "helium_gauge",
    "magnetometer",
    "current_source",
    "alternating_source",
    "nanovoltmeter",
    "lock_in",
]

DRIVERS: Mapping[str, frozenset[Capability]] = {
    "ppms": frozenset({"thermostat", "magnet", "chamber", "helium_gauge"}),
    "multivu": frozenset({"thermostat", "magnet", "chamber"}),
    "mpms3": frozenset({"magnetometer", "thermostat", "magnet", "chamber"}),
    "mpms_xl": frozenset({"magnetometer"}),
    "acms": frozenset({"magnetometer"}),
    "keithley6221": frozenset({"current_source", "alternating_source"}),
    "keithley2182a": frozenset({"nanovoltmeter"}),
    "sr830": frozenset({"lock_in"}),
    "sr860": frozenset({"lock_in"}),
    "keithley2400": frozenset({"current_source"}),
    "keithley2450": frozenset({"current_source"}),
    "lakeshore336": frozenset({"thermostat"}),
    "lakeshore340": frozenset({"thermostat"}),
}
"""The names that ``driver`` may have, and what each driver can be; ``drivers.py`` has the classes."""

# How a magnetometer is reached; all need MultiVu and its files. The other routes of the specification are
# refused by name.
_ROUTE = "multivu_sequence"
_ROUTES_TO_COME = ("edc", "ole", "multipyvu")
_OF_MULTIVU = ("route", "host", "template", "data", "sequences")
_THROUGH_MULTIVU = ("multivu", "mpms3", "mpms_xl", "acms")
_PORT = 27183  # of the MultiVu server (seen)
_HOST = re.compile(r"[\w.-]+(:\d{1,5})?")

# Who is heard through whose serial line; 2182A user's manual (k): the rates its RS-232 has.
_RELAYED, _RELAY = "keithley2182a", "keithley6221"
BAUD_RATES = (300, 600, 1200, 2400, 4800, 9600, 19200)


class InstrumentEntry(BaseModel):
    """One instrument: driver by name, and where it is found.

    A magnetometer is found by the files of its MultiVu, and through ``host`` where that has a server. A 2182A
    may be found ``via`` the serial line of a 6221, at ``baud`` (default: as the 6221 has it).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: str
    resource: str | None = None
    via: str | None = None
    baud: int | None = None
    timeout: quantities.Time | None = None
    route: str | None = None
    host: str | None = None
    template: str | None = None
    data: str | None = None
    sequences: str | None = None

    @property
    def can_be(self) -> frozenset[Capability]:
        """Return what the driver can be; a magnetometer without a connection can be nothing else."""
        can_be = DRIVERS.get(self.driver, frozenset())
        return can_be & {"magnetometer"} if "magnetometer" in can_be and self.host is None else can_be

    @property
    def address(self) -> str:
        """Return the VISA address; "" where the instrument has none."""
        if self.host is None:
            return self.resource or ""
        host, _, port = self.host.partition(":")
        return f"TCPIP0::{host}::{port or _PORT}::SOCKET"


def instrument_problems(instruments: Mapping[str, InstrumentEntry], name: str) -> Iterator[Problem]:
    """Yield what is wrong in the table of one instrument."""
    entry, table = instruments[name], ("instruments", name)
    if entry.driver not in DRIVERS:
        known = f"; there are {', '.join(DRIVERS)}"
        yield Problem(
            (*table, "driver"), f"no driver {entry.driver!r}{nearest(entry.driver, DRIVERS)}{known}"
        )
    if "magnetometer" in DRIVERS.get(entry.driver, ()):
        yield from _magnetometer(table, name, entry)
        return
    for key in _OF_MULTIVU:
        if getattr(entry, key) is not None:
            yield Problem(
                (*table, key), f"{key} belongs to a magnetometer; {name} has driver {entry.driver!r}"
            )
    if entry.via is not None:
        yield from _relayed(instruments, table, name, entry)
    else:
        if entry.baud is not None:
            yield Problem((*table, "baud"), f"baud belongs to a meter with via; {name} has none; take it out")
        if entry.resource is None:
            yield Problem(table, f"{name} has no address; expected resource = 'GPIB0::15::INSTR' or the like")
    yield from _timeout(table, entry)


def capability_problems(
    instruments: Mapping[str, InstrumentEntry], place: Place, name: str, *needed: Capability
) -> Iterator[Problem]:
    """Yield why the instrument ``name``, told at ``place``, cannot be any of what is ``needed``."""
    entry = instruments.get(name)
    if entry is None:
        yield Problem(place, f"no instrument {name!r}{one_of(name, instruments)}")
    elif entry.driver in DRIVERS and not entry.can_be & set(needed):
        can = ", ".join(sorted(entry.can_be)).replace("_", " ")
        hint = "; give it a host" if DRIVERS[entry.driver] & set(needed) else ""
        wanted = " or ".join(needed).replace("_", " ")
        article = "an" if wanted[0] in "aeiou" else "a"
        yield Problem(
            place, f"{name} (driver {entry.driver!r}) cannot be {article} {wanted}; it is {can}{hint}"
        )


def _relayed(
    instruments: Mapping[str, InstrumentEntry], table: tuple[str, str], name: str, entry: InstrumentEntry
) -> Iterator[Problem]:
    relay = instruments.get(entry.via or "")
    if relay is None:
        yield Problem((*table, "via"), f"no instrument {entry.via!r}{one_of(entry.via or '', instruments)}")
    elif (entry.driver, relay.driver) != (_RELAYED, _RELAY):
        yield Problem(
            (*table, "via"),
            f"{name} (driver {entry.driver!r}) via {entry.via} (driver {relay.driver!r}): only driver "
            f"{_RELAYED!r} is heard through another, which has driver {_RELAY!r}; take it out",
        )
    for key in ("resource", "timeout"):
        if getattr(entry, key) is not None:
            yield Problem(
                (*table, key),
                f"{key}: {name} is heard through {entry.via}, which has an address; take it out",
            )
    if entry.baud is not None and entry.baud not in BAUD_RATES:
        known = ", ".join(map(str, BAUD_RATES))
        yield Problem((*table, "baud"), f"baud = {entry.baud} is no rate of a 2182A; expected one of {known}")


def _timeout(table: tuple[str, str], entry: InstrumentEntry) -> Iterator[Problem]:
    if entry.timeout is not None and entry.driver in _THROUGH_MULTIVU:
        yield Problem((*table, "timeout"), "timeout: a MultiVu server has deadlines of its own; take it out")
    elif entry.timeout is not None and not entry.timeout > 0:
        yield Problem((*table, "timeout"), f"timeout = {entry.timeout} s must be above zero")


def _magnetometer(table: tuple[str, str], name: str, entry: InstrumentEntry) -> Iterator[Problem]:
    if entry.route is None:
        yield Problem(table, f"{name} has no route; expected route = {_ROUTE!r}")
    elif entry.route in _ROUTES_TO_COME:
        yield Problem(
            (*table, "route"), f"route = {entry.route!r} cannot be built yet; expected route = {_ROUTE!r}"
        )
    elif entry.route != _ROUTE:
        yield Problem((*table, "route"), f"no route {entry.route!r}{one_of(entry.route, [_ROUTE])}")
    for key, example in (("template", "templates/mpms3-dc.seq"), ("data", "//squid/QdData")):
        if getattr(entry, key) is None:
            yield Problem(table, f"{name} has no {key}; expected {key} = {example!r} or the like")
    for key in ("resource", "via"):
        if getattr(entry, key) is not None:
            yield Problem(
                (*table, key), f"{key}: a magnetometer is found by the files of its MultiVu; take it out"
            )
    if entry.host is not None and "thermostat" not in DRIVERS[entry.driver]:
        yield Problem(
            (*table, "host"), f"host: no server reaches the MultiVu of driver {entry.driver!r}; take it out"
        )
    elif entry.host is not None and not _HOST.fullmatch(entry.host):
        yield Problem(
            (*table, "host"), f"host = {entry.host!r} is no address; e.g. host = '192.168.0.20:{_PORT}'"
        )
    yield from _timeout(table, entry)
