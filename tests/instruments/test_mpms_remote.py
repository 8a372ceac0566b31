"""An MPMS3 with a connection to its MultiVu: two masters never."""

import shutil
from pathlib import Path
from typing import cast

import pytest

from onnes.instruments.clock import VirtualClock
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.magnetometer_machines import MPMS3
from onnes.instruments.moments import Magnetometer, MeasureMoment, MomentProgram, Scan, SetTemperature
from onnes.instruments.mpms_remote import RemoteMpms3
from onnes.instruments.multivu import MultiVu
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.protocols import Reading, SealedCryostat

TEMPLATE = Path(__file__).parents[2] / "examples" / "stations" / "templates" / "mpms3-sim.seq"
PROGRAM = MomentProgram(
    "n_0001_zfc-fc_a1",
    "ZFC at 5 Oe",
    (SetTemperature(2.0, 7.0), MeasureMoment(2.0, 5.0, 1, "zfc", 60.0)),
    Scan("vsm"),
    20.0,
)
READING = Reading(4.2, 0.0, "stable", True, 0)


class Remote:
    """Stands in for the client of a MultiVu server; ``sent`` is what would go out."""

    temperature_limits = MPMS3.limits.temperature
    temperature_rate_limits = MPMS3.limits.temperature_rate
    field_limits = MPMS3.limits.field
    field_rate_limits = MPMS3.limits.field_rate

    def __init__(self) -> None:
        self.link = None
        self.sent: list[str] = []
        self.ours: float | None = None

    def connect(self) -> str:
        return "Quantum Design MPMS3"

    def set_temperature(self, kelvin: float, rate: float, approach: str) -> None:
        self.sent.append(f"temperature {kelvin} {rate} {approach}")
        self.ours = kelvin

    def set_field(self, field_oe: float, rate: float, approach: str, mode: str) -> None:
        self.sent.append(f"field {field_oe} {rate} {approach} {mode}")
        self.ours = field_oe

    def hold(self, *, temperature: bool = False) -> str:
        self.sent.append(f"hold {temperature}")
        return "field held at 5 Oe"

    def hold_temperature(self) -> None:
        self.sent.append("hold temperature")

    def hold_field(self) -> None:
        self.sent.append("hold field")

    def confirmed_temperature(self) -> float | None:
        return self.ours

    def confirmed_field(self) -> float | None:
        return self.ours

    def forget_setpoints(self) -> None:
        self.ours = None

    def commanded_rate_k_per_min(self) -> float:
        return 3.0

    def snapshot(self) -> tuple[Reading, Reading]:
        return READING, READING


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def mpms(tmp_path: Path, clock: VirtualClock, remote: Remote) -> RemoteMpms3:
    shutil.copy(TEMPLATE, tmp_path / "template.seq")
    files = MultiVuFiles(tmp_path / "template.seq", tmp_path, tmp_path)
    connection = cast(MultiVu, remote)
    return RemoteMpms3(connection, "mpms", files, MPMS3.limits, clock, simulated=False)


def test_it_is_magnetometer_thermostat_magnet_and_chamber_at_once(mpms: RemoteMpms3) -> None:
    assert isinstance(mpms, Magnetometer)
    assert isinstance(mpms, SealedCryostat)
    assert (mpms.flags.can_set, mpms.flags.reads_field_setpoint) == (True, False)
    assert mpms.connect().startswith("Quantum Design MPMS3; MPMS3, followed through the files")


def test_between_programs_it_is_set_and_held(mpms: RemoteMpms3, remote: Remote) -> None:
    mpms.set_temperature(10.0, 5.0)
    mpms.set_field(100.0, 20.0)
    mpms.hold_temperature()
    mpms.hold_field()
    assert (mpms.confirmed_temperature(), mpms.confirmed_field()) == (100.0, 100.0)
    assert (mpms.safe_state(), mpms.hold(temperature=True)) == ("field held at 5 Oe", "field held at 5 Oe")
    assert remote.sent == [
        "temperature 10.0 5.0 fast_settle",
        "field 100.0 20.0 linear driven",
        "hold temperature",
        "hold field",
        "hold False",
        "hold True",
    ]


def test_from_the_hand_over_on_nothing_is_sent_and_nothing_counts_as_ours(
    mpms: RemoteMpms3, remote: Remote
) -> None:
    mpms.set_temperature(10.0, 5.0)
    mpms.hand_over([PROGRAM])
    remote.sent.clear()
    sets = (
        r"may go on with its sequence n_0001_zfc-fc_a1\.seq, which sets temperature and field; mpms set no "
    )
    with pytest.raises(InstrumentFault, match=sets + "temperature"):
        mpms.set_temperature(20.0, 5.0)
    with pytest.raises(InstrumentFault, match=sets + "field"):
        mpms.set_field(5.0, 20.0)
    with pytest.raises(InstrumentFault, match=sets + "temperature"):
        mpms.hold_temperature()
    with pytest.raises(InstrumentFault, match=sets + "field"):
        mpms.hold_field()
    for hold in (mpms.safe_state, mpms.hold):
        with pytest.raises(InstrumentFault, match=r"MultiVu may go on with its sequence .*; stop it there"):
            hold()
    assert remote.sent == []
    assert (mpms.confirmed_temperature(), mpms.confirmed_field()) == (None, None)
    assert mpms.commanded_rate_k_per_min() == 7.0
    assert mpms.snapshot() == (READING, READING)


def test_a_program_that_was_broken_off_stays_the_master(mpms: RemoteMpms3, remote: Remote) -> None:
    mpms.hand_over([PROGRAM])
    mpms.follow(PROGRAM)
    mpms.let_go(ended=False)
    with pytest.raises(InstrumentFault, match="stop it there"):
        mpms.safe_state()
    assert remote.sent == []


def test_after_all_rows_have_come_it_is_set_again_and_old_setpoints_are_forgotten(
    mpms: RemoteMpms3, remote: Remote
) -> None:
    mpms.set_temperature(10.0, 5.0)
    mpms.hand_over([PROGRAM])
    mpms.follow(PROGRAM)
    mpms.let_go(ended=True)
    assert mpms.confirmed_temperature() is None
    assert mpms.commanded_rate_k_per_min() == 3.0
    mpms.set_temperature(20.0, 5.0)
    assert mpms.safe_state() == "field held at 5 Oe"
    assert remote.sent[-2:] == ["temperature 20.0 5.0 fast_settle", "hold False"]
