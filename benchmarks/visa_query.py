"""What asking an instrument of the virtual lab for its state costs through PyVISA, against pyvisa-sim.

    uv run python benchmarks/visa_query.py

Target: at most 15 us, for a lock-in with a past to filter 150 us. The lab is in virtual time: the latency of
the bus passes in lab time, not here.
"""

import tempfile
import time
from pathlib import Path

import pyvisa
from pyvisa.resources import MessageBasedResource
from timing import machine

from onnes.instruments.clock import VirtualClock
from onnes.sim.lab import VirtualLab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.sim.tones import Tone

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


def listening(lab: VirtualLab) -> MessageBasedResource:
    """Return the lock-in with a tone on the sample and a filter of four poles."""
    lab.wiring.set_source("k6221.out", 0.0, 0.0, 10.0, Tone(17.77, 1e-4))
    lock_in = opened("benchmark@onnes", "GPIB0::8::INSTR")
    for message in ("FREQ 17.77", "OFLT 9", "OFSL 3"):  # 0.3 s, 24 dB
        lock_in.write(message)
    lab.clock.sleep(60.0)
    return lock_in


def main() -> None:
    lab = load_lab("default", VirtualClock())
    set_lab("benchmark", lab)
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
            "Onnes, SR830, SNAP? (filter, noise)": (listening(lab), "SNAP? 1,2"),
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
