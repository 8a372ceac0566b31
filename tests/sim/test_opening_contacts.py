"""Contacts that open on cooling: what the meters see, the way back, what a lab file says of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.lab_file import load_lab
from tests.sim.conftest import METER, PPMS, SOURCE, Bench, MakeBench

CURRENT = 1e-4
IN_COMPLIANCE = 8
FAST_SETTLE = 0


class Probe:
    """A film whose contacts open on cooling, its meters and the cryostat it is in."""

    def __init__(self, make_bench: MakeBench, **keys: Any) -> None:
        read = {"port": "k2182a.ch1", "loop": "I", "emf_nv": 0.0, **keys}
        self.bench: Bench = make_bench(under={"read": [read]})
        self.lab = self.bench.lab
        self.source, self.meter = self.bench.open(SOURCE), self.bench.open(METER, timeout=60_000)
        self.source.write(f"SOUR:CURR {CURRENT};:OUTP ON")
        self.meter.write("SENS:VOLT:DFIL 0;NPLC 1")
        self.controller: MessageBasedResource = self.bench.open(PPMS)

    def go(self, kelvin: float) -> None:
        """Go to ``kelvin`` at 5 K/min and stay there for ten minutes."""
        self.controller.write(f"TEMP {kelvin} 5 {FAST_SETTLE}")
        minutes = abs(kelvin - self.lab.cryostat.sample(self.lab.now())) / 5.0 + 10.0
        self.bench.clock.sleep(60.0 * minutes)
        with self.lab.lock:
            self.lab.tick()

    def volts(self) -> float:
        return float(self.meter.query("READ?"))

    def is_in_compliance(self) -> bool:
        return int(self.source.query("STAT:MEAS:COND?")) == IN_COMPLIANCE

    def journal(self) -> list[tuple[str, str, str]]:
        return [(entry.instrument, entry.kind, entry.command) for entry in self.lab.journal]


def test_contacts_that_open_on_cooling_take_the_current_and_the_voltage(make_bench: MakeBench) -> None:
    probe = Probe(make_bench, opens_below_k=280.0, closes_above_k=290.0)
    closed = probe.volts()
    assert not probe.is_in_compliance()
    probe.go(270.0)
    assert probe.is_in_compliance()
    amid = np.array([probe.volts() for _ in range(20)])
    assert np.abs(amid - closed).max() > 1e-4  # noise of an open input, 1 mV rms
    assert amid.std() > 1e-5
    assert probe.journal() == [("I", "contact_open", "begins")]


def test_they_close_only_where_it_is_warmer_than_where_they_opened(make_bench: MakeBench) -> None:
    probe = Probe(make_bench, opens_below_k=280.0, closes_above_k=290.0)
    closed = probe.volts()
    open_at: dict[float, bool] = {}
    for kelvin in (285.0, 275.0, 286.0, 295.0, 285.5, 279.0):
        probe.go(kelvin)
        open_at[kelvin] = probe.is_in_compliance()
        if kelvin == 295.0:
            assert probe.volts() == pytest.approx(closed, rel=1e-2)
    assert open_at == {285.0: False, 275.0: True, 286.0: True, 295.0: False, 285.5: False, 279.0: True}
    assert [command for *_, command in probe.journal()] == ["begins", "ends", "begins"]


def test_without_a_temperature_to_close_at_they_stay_open(make_bench: MakeBench) -> None:
    probe = Probe(make_bench, opens_below_k=290.0)
    probe.go(280.0)
    probe.go(350.0)
    assert probe.is_in_compliance()
    assert probe.journal() == [("I", "contact_open", "begins")]


def test_a_lab_that_opens_cold_has_them_open_from_the_start(make_bench: MakeBench) -> None:
    lab = make_bench(
        under={
            "cryostat": {"start_k": 10.0},
            "read": [{"port": "k2182a.ch1", "loop": "I", "opens_below_k": 40.0}],
        }
    ).lab
    assert [(entry.t, entry.command) for entry in lab.journal] == [(0.0, "begins")]


def test_they_open_when_the_sample_is_there_and_not_the_thermometer(make_bench: MakeBench) -> None:
    probe = Probe(make_bench, opens_below_k=280.0)
    probe.go(270.0)
    opened = probe.lab.journal[0].t
    before, after = (probe.lab.cryostat.sample(t) for t in (opened - 2.0, opened))
    assert after < 280.0 <= before


def test_what_was_measured_before_they_opened_stays_as_it_was(make_bench: MakeBench) -> None:
    probe = Probe(make_bench, opens_below_k=280.0)
    probe.go(270.0)
    opened = probe.lab.journal[0].t
    wiring = probe.lab.wiring
    assert wiring.mean_voltage("k2182a.ch1", opened - 2.0, opened - 1.0) > 1e-4
    assert wiring.in_compliance("k6221.out", opened)
    assert not wiring.in_compliance("k6221.out", opened - 1.0)


def test_contacts_that_never_open_put_nothing_on_the_agenda(bench: Bench) -> None:
    assert bench.lab.next_event() is None


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (
            "closes_above_k = 60.0",
            r"closes_above_k = 60 K has no opens_below_k; give where the contacts open, or leave it out",
        ),
        (
            "opens_below_k = 60.0\ncloses_above_k = 40.0",
            r"closes_above_k = 40 K is below opens_below_k = 60 K, where the contacts open",
        ),
        ("opens_below_k = 0.0", r"read\.1\.opens_below_k = 0\.0: should be greater than 0"),
    ],
)
def test_contacts_that_cannot_be_are_refused_with_the_line(keys: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'[[read]]\nport = "k2182a.ch1"\nloop = "I"\n{keys}\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"mine\.toml:[14]:1: .*{text}"):
        load_lab(file, VirtualClock())
