"""What a magnetometer will make of a measurement, seen before the night: does it take it, and reach it?"""

import math

from onnes.instruments.clock import VirtualClock
from onnes.instruments.drivers import CLASSES
from onnes.instruments.errors import ConfigurationError, LimitError
from onnes.instruments.magnetometer_machines import Machine
from onnes.instruments.moments import MomentProgram
from onnes.instruments.mpms import Mpms
from onnes.instruments.mpms_open import described_mpms
from onnes.instruments.sequence_template import template_problems
from onnes.instruments.station_file import StationFile
from onnes.runner.moment_body import body_of
from onnes.runner.sample_file import SampleFile

# Models of the virtual lab that know one direction of the field, and have no ``orientation``.
_ALONG_ITS_LENGTH = frozenset({"nanocomposite"})


def machine_of(station: StationFile, magnetometer: str) -> Machine | None:
    """Return what the magnetometer of that name is; None where it is none."""
    driver = CLASSES[station.instruments[magnetometer].driver]
    return driver.model if issubclass(driver, Mpms) else None


def refused_by(station: StationFile, magnetometer: str, program: MomentProgram) -> str:
    """Return why the machine or its template cannot run ``program``; empty if they can.

    Where the template is not at hand nothing is said, nor where it is wrong by itself, which is told with the
    station; and nothing of setpoints outside limits, which are told at their places.
    """
    files = station.multivu_files(magnetometer)
    if files is None or not files.template.is_file() or template_problems(files.template):
        return ""
    machine = described_mpms(station, magnetometer, None, VirtualClock())
    try:
        machine.check_program(program)
    except ConfigurationError as error:
        return str(error)
    except LimitError:
        return ""
    return ""


def without_numbers(sample: SampleFile, mounting: str | None) -> str:
    """Return what the sample file lacks for a susceptibility inside the sample; empty if it is all there.

    A standard needs no more than its mass.
    """
    if sample.standard is not None:
        return ""
    why = body_of({"body": sample.body(mounting), "geometry": sample.geometry_cm()}).why
    return why.get("volume_cm3") or why.get("n", "")


def unlike_the_twin(sample: SampleFile, mounting: str | None) -> str:
    """Return why the virtual lab does not measure the sample as it is mounted; empty if it does."""
    mounted, model = sample.mounting.get(mounting or ""), str(sample.virtual.get("model"))
    if mounted is None or mounted.axis in (None, "length") or model not in _ALONG_ITS_LENGTH:
        return ""
    return (
        f"the virtual {model} has the field along its length, and mounting.{mounting}.axis is "
        f"{mounted.axis}: its moments are those of another mounting, and so is what the analysis finds"
    )


def screening_emu(sample: SampleFile, mounting: str | None, field_oe: float) -> float | None:
    """Return the moment of a sample that screens all of ``field_oe``, emu: H V / (4 pi (1 - N)).

    None where the sample file does not say enough of its sizes.
    """
    body = body_of({"body": sample.body(mounting), "geometry": sample.geometry_cm()})
    if body.volume_cm3 is None or body.n is None:
        return None
    return abs(field_oe) * body.volume_cm3 / (4.0 * math.pi * (1.0 - body.n.n))
