"""Which class drives what a station file names."""

from collections.abc import Mapping

from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.mpms import Acms, Mpms, Mpms3, MpmsXl
from onnes.instruments.multivu import MultiVu
from onnes.instruments.ppms import PPMS

Instrument = PPMS | MultiVu | Mpms | Keithley6221 | Keithley2182A

CLASSES: Mapping[str, type[Instrument]] = {
    "ppms": PPMS,
    "multivu": MultiVu,
    "mpms3": Mpms3,
    "mpms_xl": MpmsXl,
    "acms": Acms,
    "keithley6221": Keithley6221,
    "keithley2182a": Keithley2182A,
}
