"""Which class drives what a station file names."""

from collections.abc import Mapping

from onnes.instruments.keithley2182a import Keithley2182A
from onnes.instruments.keithley2400 import Keithley2400
from onnes.instruments.keithley2450 import Keithley2450
from onnes.instruments.keithley6221 import Keithley6221
from onnes.instruments.lakeshore import LakeShore336, LakeShore340
from onnes.instruments.mpms import Acms, Mpms, Mpms3, MpmsXl
from onnes.instruments.multivu import MultiVu
from onnes.instruments.ppms import PPMS
from onnes.instruments.sr830 import SR830
from onnes.instruments.sr860 import SR860

Instrument = (
    PPMS
    | MultiVu
    | Mpms
    | LakeShore336
    | LakeShore340
    | Keithley6221
    | Keithley2400
    | Keithley2450
    | Keithley2182A
    | SR830
    | SR860
)

CLASSES: Mapping[str, type[Instrument]] = {
    "ppms": PPMS,
    "multivu": MultiVu,
    "mpms3": Mpms3,
    "mpms_xl": MpmsXl,
    "acms": Acms,
    "keithley6221": Keithley6221,
    "keithley2182a": Keithley2182A,
    "keithley2400": Keithley2400,
    "keithley2450": Keithley2450,
    "sr830": SR830,
    "sr860": SR860,
    "lakeshore336": LakeShore336,
    "lakeshore340": LakeShore340,
}
