"""One film by reversal, by hardware delta and by lock-in, in one night: the three agree within their errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.runner.transport_nights import EXAMPLES, TransportNight, run_night, transport_plan

# A second nanovoltmeter, with an address of its own, on the same contacts as the one behind the 6221.
SECOND_METER = """
[instruments.k2182b]
driver = "keithley2182a"
resource = "GPIB0::17::INSTR"
[wiring.film_dc]
measures = "resistance"
method = "reversal"
source = "k6221"
meter = "k2182b"
leads = { i_plus = "1", i_minus = "4", v_plus = "2", v_minus = "3" }
compliance = "1 V"
ramp = "1 mA/s"
"""
LAB = """
[lab]
name = "three methods"

[instrument.k2182a]
interface = "rs232"
[instrument.k2182b]
model = "k2182a"
resources = ["GPIB0::17::INSTR"]
"""
PORTS = ("k2182a.ch1", "k2182b.ch1", "sr830.A")
READ = """
[[read]]
port = "{port}"
loop = "I"
emf_nv = {emf_nv}
emf_drift_nv_per_s = {drift}
"""
NIGHT = """\
mounting: perpendicular
contact_check: {declined: they are not what is compared}
finish: {field: 0 Oe}
steps:
  - for: {wiring: [film, film_dc, film_ac]}
    do:
      - resistivity: {temperature: [113 K, 112.5 K, 112 K, 111.5 K, 111 K], average: 24}
"""
METHODS = ("delta", "reversal", "lock_in")
MOUNTS = dict.fromkeys(("film", "film_dc", "film_ac"), "MB215-06")


def lab_text(*, emf_nv: float = 300.0, drift: float = 0.0) -> str:
    return LAB + "".join(READ.format(port=port, emf_nv=emf_nv, drift=drift) for port in PORTS)
