"""What in a station file can be seen to be wrong before an instrument is opened: addresses and ranges."""

from collections.abc import Iterator, Mapping

from pyvisa import rname

from onnes.instruments.limits import Limits
from onnes.instruments.sequence_template import template_problems
from onnes.instruments.station_file import StationFile
from onnes.instruments.toml_file import line_of, read_text

# 6220/6221 reference manual, specifications. It belongs to the setting and not to the instrument class, which
# refuses it only when a current is to flow.
_COMPLIANCE: Mapping[str, Limits] = {"keithley6221": Limits(0.1, 105.0, "V", "the Keithley 6221")}
_GPIB_ADDRESSES = range(31)


def station_problems(station: StationFile) -> list[str]:
    """Return ``file:line:1: problem`` for each such address and range, sorted by line."""
    text = read_text(station.path)
    found = [*_addresses(station), *_compliances(station)]
    lines = sorted((line_of(text, place), problem) for place, problem in found)
    return [f"{station.path}:{line}:1: {problem}" for line, problem in lines] + _multivu(station)


def _multivu(station: StationFile) -> list[str]:
    """Return what is wrong with the template of a magnetometer.

    Template and folders of a real one may be on the computer of its MultiVu alone; there they are looked at
    when the station is opened.
    """
    files = station.multivu_files()
    if files is None or (station.backend == "visa" and not files.template.is_file()):
        return []
    return [f"{problem} (L074)" for problem in template_problems(files.template)]


def _addresses(station: StationFile) -> Iterator[tuple[tuple[str, ...], str]]:
    holders: dict[str, str] = {}
    for name, entry in station.instruments.items():
        if entry.resource is None:
            continue
        place = ("instruments", name, "resource")
        address = _address(entry.resource)
        if address is None:
            yield (
                place,
                f"'{entry.resource}' is no VISA address; expected one written out, no alias; "
                "e.g. 'GPIB0::15::INSTR'",
            )
        elif (holder := holders.setdefault(address, name)) != name:
            yield place, f"'{entry.resource}' is the address of {holder} too; give each instrument its own"


def _address(resource: str) -> str | None:
    try:
        address = rname.ResourceName.from_string(resource)
    except rname.InvalidResourceName:
        return None
    if isinstance(address, rname.GPIBInstr):
        number = address.primary_address
        if not number.isdigit() or int(number) not in _GPIB_ADDRESSES:
            return None
    return str(address).upper()


def _compliances(station: StationFile) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, wiring in station.wiring.items():
        source = station.instruments[wiring.source].driver
        allowed = _COMPLIANCE.get(source)
        if allowed is None or wiring.compliance is None:
            continue
        if not allowed.contains(float(wiring.compliance)):
            yield (
                ("wiring", name, "compliance"),
                f"compliance = {float(wiring.compliance):.9g} V is outside [{allowed.low:.9g}, "
                f"{allowed.high:.9g}] V, the range set by {allowed.set_by}; choose one inside",
            )
