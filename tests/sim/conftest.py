"""A bench: a virtual lab in virtual time, and VISA sessions to the instruments on it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from onnes.instruments.clock import VirtualClock
from onnes.sim.lab import VirtualLab, forget_lab, set_lab
from onnes.sim.lab_file import load_lab
from onnes.sim.visa import OnnesVisaLibrary

SOURCE = "GPIB0::12::INSTR"
METER = "GPIB0::7::INSTR"
PPMS = "GPIB0::15::INSTR"


@dataclass(frozen=True)
class Bench:
    """One lab, its key and a resource manager."""

    key: str
    lab: VirtualLab
    clock: VirtualClock
    manager: pyvisa.ResourceManager

    @property
    def library(self) -> OnnesVisaLibrary:
        return cast(OnnesVisaLibrary, self.manager.visalib)

    def open(self, name: str, **settings: Any) -> MessageBasedResource:
        return cast(MessageBasedResource, self.manager.open_resource(name, **settings))


MakeBench = Callable[..., Bench]
_numbers = itertools.count(1)


@pytest.fixture
def make_bench() -> Iterator[MakeBench]:
    """Make a bench of its own lab; ``under`` are tables of a lab file."""
    benches: list[Bench] = []

    def make(seed: int | None = None, under: dict[str, Any] | None = None, lab: str = "default") -> Bench:
        key = f"bench-{next(_numbers)}"
        clock = VirtualClock()
        made = load_lab(lab, clock, seed=seed, under=under)
        set_lab(key, made)
        bench = Bench(key, made, clock, pyvisa.ResourceManager(f"{key}@onnes"))
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.manager.close()
        forget_lab(bench.key)


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """The default lab."""
    return make_bench()


@pytest.fixture
def strict_bench(make_bench: MakeBench) -> Bench:
    """The default lab in strict mode."""
    return make_bench(under={"lab": {"strict": True}})
