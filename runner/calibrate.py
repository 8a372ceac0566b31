"""Writing what a palladium standard found into a calibration file of the residual field."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.instruments.toml_file import read_text
from onnes.runner.palladium import StandardFindings
from onnes.runner.references import shown
from onnes.runner.residual_calibration import load_residual_calibration
from onnes.storage.manifest import replace_file

_NOT_PALLADIUM = "not_palladium"
_HEAD = """\
# Residual field of a magnet, from nights of a palladium standard. One way to zero leaves something else than
# the next: the spread of the entries, not the uncertainty of one, says how well the next one is known.
calibration = 1
magnet = "{magnet}"
"""
_ENTRY = """
# {run}{simulated}
[[entry]]
after = "{after}"
degauss_from = "{degauss_from:.9g} Oe"
residual = "{residual:.4g} Oe"
uncertainty = "{uncertainty:.3g} Oe"
measured = {measured}
method = "pd"
"""


def write_calibration(path: Path, found: Sequence[StandardFindings]) -> str:
    """Add an entry to the calibration at ``path`` for each run of a palladium standard; return what was done.

    A file that is not there is begun.

    Raises:
        ConfigurationError: if no run was one of a standard, one found no field or was not that of the mass
            given, the file has an entry of one already, or is not as it should be; it is then as it was.
        StorageError: if it cannot be written.
    """
    if not found:
        raise ConfigurationError(
            'no run here was one of a palladium standard: its sample file says `standard = "palladium"`'
        )
    for each in found:
        if each.field.value is None or not each.field.sigma:
            raise ConfigurationError(
                f"{each.measured.name} has no residual field to write: "
                f"{each.field.reason or 'its error is not known'}"
            )
        if _NOT_PALLADIUM in each.field.flags:
            ratio = each.field.goodness["slope_over_mass_chi"]
            raise ConfigurationError(
                f"{each.measured.name}: the slope over mass times chi = {ratio:.4g} is not 1, so the "
                "moment is not that of the standard alone and its field is not to be trusted; correct "
                "geometry.mass, clean the holder"
            )
    text = ""
    if path.exists():
        load_residual_calibration(path)  # nothing is added to a file that nobody can read
        text = read_text(path)
    instruments = found[0].measured.manifest.get("instruments") or {}
    text = text or _HEAD.format(magnet=", ".join(instruments))
    for each in found:
        name = f"{each.measured.manifest['night']}/{each.measured.name}"
        if f"# {name}" in text:
            raise ConfigurationError(
                f"{shown(path)} has an entry of {name} already; delete it to write it anew"
            )
        text = text.rstrip("\n") + "\n" + _entry(each, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode(), WallClock())
    return f"{len(found)} {'entry' if len(found) == 1 else 'entries'} added to {shown(path)}"


def _entry(found: StandardFindings, name: str) -> str:
    manifest = found.measured.manifest
    simulated = manifest.get("backend") == "simulated"
    return _ENTRY.format(
        run=name,
        simulated=f", SIMULATED lab={manifest.get('lab')} seed={manifest.get('seed')}" if simulated else "",
        after=found.recipe.approach,
        degauss_from=found.recipe.degauss_from_oe,
        residual=found.field.value,
        uncertainty=found.field.sigma,
        measured=datetime.fromisoformat(manifest["started"]).date().isoformat(),
    )
