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


def screening_emu(sample: SampleFile, mounting: str | None, field_oe: float) -> float | None:
    """Return the moment of a sample that screens all of ``field_oe``, emu: H V / (4 pi (1 - N)).

    None where the sample file does not say enough of its sizes.
    """
    body = body_of({"body": sample.body(mounting), "geometry": sample.geometry_cm()})
    if body.volume_cm3 is None or body.n is None:
        return None
    return abs(field_oe) * body.volume_cm3 / (4.0 * math.pi * (1.0 - body.n.n))
