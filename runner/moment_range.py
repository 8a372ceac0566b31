"""Whether a sample that screens all of the field would be beyond the range of its magnetometer."""

import math

from onnes.instruments.drivers import CLASSES
from onnes.instruments.magnetometer_machines import Machine
from onnes.instruments.mpms import Mpms
from onnes.instruments.station_file import StationFile
from onnes.runner.moment_body import body_of
from onnes.runner.sample_file import SampleFile


def machine_of(station: StationFile, magnetometer: str) -> Machine | None:
    """Return what the magnetometer of that name is; None where it is none."""
    driver = CLASSES[station.instruments[magnetometer].driver]
    return driver.model if issubclass(driver, Mpms) else None


def screening_emu(sample: SampleFile, mounting: str | None, field_oe: float) -> float | None:
    """Return the moment of a sample that screens all of ``field_oe``, emu: H V / (4 pi (1 - N)).

    None where the sample file does not say enough of its sizes.
    """
    body = body_of({"body": sample.body(mounting), "geometry": sample.geometry_cm()})
    if body.volume_cm3 is None or body.n is None:
        return None
    return abs(field_oe) * body.volume_cm3 / (4.0 * math.pi * (1.0 - body.n.n))
