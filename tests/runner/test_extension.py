"""A program whose end was moved while it was measured, when its night is taken up."""

from dataclasses import asdict
from unittest.mock import Mock

from onnes.procedures.resistance_vs_temperature import ResistanceVsTemperature
from onnes.runner.measuring import take_up_extension


def measured() -> ResistanceVsTemperature:
    program = {"sweep_k": [20.0, 32.0], "rate_k_per_min": 2.0, "every_s": 4.0}
    return ResistanceVsTemperature(wiring="film", temperature_program=program)


def test_a_program_that_was_extended_for_the_outline_is_not_extended_again_for_the_run() -> None:
    longer, again = measured(), measured()
    longer.extend(40.0)
    planned = [asdict(setpoint) for setpoint in longer.setpoints()]
    stored = Mock(manifest={"extended_to": 40.0, "setpoints": planned})
    for _ in ("outline", "run"):
        take_up_extension(again, stored)
        assert again.setpoints() == longer.setpoints()
