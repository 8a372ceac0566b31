"""A night of moments against another one: the fraction of a whole sample, the anisotropy of one."""

from pathlib import Path

import numpy as np
import pytest

from onnes.instruments.errors import ConfigurationError
from onnes.runner.analyse import analyse
from onnes.runner.nights import analyse_folder
from onnes.runner.results import NightResult
from tests.runner.moment_nights import Floats, MomentNight, N, emu

KELVIN = np.arange(2.0, 40.0, 2.0)
FIELD_OE = np.arange(0.0, 200.0, 10.0)


def _over_temperature(runs: Path, share: float, field_oe: float = 10.0) -> Path:
    zfc = emu(-field_oe / (1 - N) * share * np.clip(36.0 - KELVIN, 0, 1))
    return MomentNight(runs).over_temperature(field_oe, {"zfc": (KELVIN, zfc)}).close()


def _virgin(runs: Path, slope: float, kelvin: float = 10.0) -> Path:
    legs: dict[float, list[tuple[str, Floats, Floats]]] = {
        kelvin: [("virgin", FIELD_OE, emu(-slope * FIELD_OE))]
    }
    return MomentNight(runs).over_field("magnetization-virgin", legs).close()


def _named(night: Path, reference: Path) -> dict[str, NightResult]:
    return {result.id: result for result in analyse(night, reference=reference).results}


def test_the_moment_over_that_of_a_whole_sample_is_its_fraction(tmp_path: Path) -> None:
    whole, part = _over_temperature(tmp_path / "a", 1.0), _over_temperature(tmp_path / "b", 0.04)
    found = _named(part, whole)["fraction-of-reference-10Oe"]
    assert found.value == pytest.approx(0.04, rel=1e-3)
    assert found.sigma == pytest.approx(0.04 * 0.08, rel=0.3)  # two volumes of 5 %, two fields of 2 %
    assert found.criterion.endswith(f"; reference {whole.name}")


def test_the_slopes_of_two_mountings_have_a_ratio(tmp_path: Path) -> None:
    across, along = _virgin(tmp_path / "a", 0.9), _virgin(tmp_path / "b", 0.09)
    found = _named(across, along)["slope-ratio-10K"]
    assert found.value == pytest.approx(10.0, rel=0.02)
    assert found.quantity == "ratio of initial slopes to the reference, 10 K"


def test_a_reference_with_other_setpoints_is_refused(tmp_path: Path) -> None:
    night = _over_temperature(tmp_path / "a", 1.0)
    for reference in (_over_temperature(tmp_path / "b", 1.0, 20.0), _virgin(tmp_path / "c", 0.9)):
        with pytest.raises(ConfigurationError, match=f"the reference {reference.name} has no ZFC curve"):
            analyse(night, reference=reference)


def test_a_file_takes_no_reference(tmp_path: Path) -> None:
    file = tmp_path / "a.dat"
    file.write_text("[Header]\n", encoding="cp1252")
    with pytest.raises(ConfigurationError, match="--reference divides one night by another"):
        analyse_folder(str(file), None, reference="1")
