"""``onnes sim serve``."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from onnes.instruments.clock import WallClock
from onnes.runner.cli import cli


@pytest.fixture
def lab_file(tmp_path: Path) -> Path:
    """A lab with a MultiVu server on a port that was free a moment ago, and no other network."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = tmp_path / "mine.toml"
    path.write_text(
        "[instrument.k6221]\nresources = ['GPIB0::12::INSTR']\n"
        "[instrument.mpms]\nmodel = 'multivu'\nflavor = 'MPMS3'\n"
        f"resources = ['TCPIP0::192.168.0.20::{port}::SOCKET']\n",
        encoding="utf-8",
    )
    return path


def test_a_served_lab_says_that_it_is_simulated_and_where_it_is(
    lab_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(clock: WallClock, seconds: float) -> None:
        del clock, seconds
        raise KeyboardInterrupt

    monkeypatch.setattr(WallClock, "sleep", interrupt)
    arguments = ["sim", "serve", str(lab_file), "--seed", "5", "--speed", "60"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    first, door, *rest = result.output.splitlines()
    assert result.return_value == 0
    assert first == "SIMULATED: lab mine, seed 5, 60 s of lab time in 1 s"
    assert door.startswith("mpms: 127.0.0.1:")
    assert rest == ["Ctrl-C ends it", "closed"]
    port = int(door.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):  # it was given back
        pass


@pytest.mark.parametrize("lab", ["nothing.toml", "no-such-lab"])
def test_a_lab_that_is_not_there_is_told_without_a_traceback(lab: str) -> None:
    result = CliRunner().invoke(cli, ["sim", "serve", lab], standalone_mode=False)
    assert result.return_value == 2
    assert "lab" in result.output
    assert "Traceback" not in result.output
