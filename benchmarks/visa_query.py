"""What asking an instrument of the virtual lab for its state costs through PyVISA, against pyvisa-sim.

    uv run python benchmarks/visa_query.py

Target: at most 15 us. The lab is in virtual time: the latency of the bus passes in lab time, not here.
"""

import tempfile
import time
from pathlib import Path

import pyvisa
from pyvisa.resources import MessageBasedResource
from timing import machine

from onnes.instruments.clock import VirtualClock
from onnes.sim.lab import set_lab
from onnes.sim.lab_file import load_lab

QUERIES, ROUNDS = 2_000, 25
BASELINE = "pyvisa-sim, getter of a property"
DEVICES = """
spec: "1.1"
devices:
  source:
    eom:
      GPIB INSTR: {q: "\\n", r: "\\n"}
    properties:
      current:
        default: 1.0e-4
        getter: {q: "SOUR:CURR?", r: "{:.6E}"}
        setter: {q: "SOUR:CURR {}"}
        specs: {type: float}
resources:
  GPIB0::12::INSTR: {device: source}
"""


def opened(library: str, resource: str, read_termination: str | None = "\n") -> MessageBasedResource:
    instrument = pyvisa.ResourceManager(library).open_resource(resource)
    if not isinstance(instrument, MessageBasedResource):
        raise TypeError(f"{resource} takes no messages")
    instrument.read_termination, instrument.write_termination = read_termination, "\n"
    return instrument


def us_per_query(instrument: MessageBasedResource, query: str) -> float:
    start = time.perf_counter()
    for _ in range(QUERIES):
        instrument.query(query)
    return (time.perf_counter() - start) / QUERIES * 1e6


def main() -> None:
    set_lab("benchmark", load_lab("default", VirtualClock()))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "devices.yaml"
        file.write_text(DEVICES, encoding="utf-8")
        contestants = {
            BASELINE: (opened(f"{file}@sim", "GPIB0::12::INSTR"), "SOUR:CURR?"),
            "Onnes, 6221, SOUR:CURR?": (opened("benchmark@onnes", "GPIB0::12::INSTR"), "SOUR:CURR?"),
            "Onnes, PPMS, TEMP? (setpoint)": (opened("benchmark@onnes", "GPIB0::15::INSTR", None), "TEMP?"),
            "Onnes, PPMS, GETDAT? 7 (plant, noise)": (
                opened("benchmark@onnes", "GPIB0::15::INSTR", None),
                "GETDAT? 7",
            ),
        }
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(ROUNDS):
            for name, (instrument, query) in contestants.items():
                times[name].append(us_per_query(instrument, query))
    print(f"state query through PyVISA, best of {ROUNDS} rounds ({machine()})")
    baseline = min(times[BASELINE])
    for name, found in times.items():
        fastest = min(found)
        print(f"  {name:38} {fastest:6.1f} us  {fastest / baseline:5.2f} x {BASELINE}")


if __name__ == "__main__":
    main()
