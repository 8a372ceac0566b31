"""What a night records by itself: who, where, with what, under which limits."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from onnes.instruments.clock import Clock
from onnes.instruments.station import Station
from onnes.instruments.toml_file import read_text
from onnes.runner.plan import Plan, sha256_of

_LIBRARIES = ("numpy", "pandas", "pymeasure", "pyvisa", "pydantic", "pint", "scipy")


def night_manifest(
    plan: Plan, station: Station, clock: Clock, compare_with: tuple[str, ...], twin: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the entries of ``night.json`` that are known before the first step.

    Args:
        compare_with: keys of ``paper_values.toml`` that the results are compared with.
        twin: how the virtual lab was chosen; empty for hardware.
    """
    zone = clock.datetime().astimezone()
    return {
        **station.provenance,
        "title": plan.title,
        "sequence": str(plan.path.resolve()),
        "station": {
            "name": station.file.name,
            "path": str(plan.station_path.resolve()),
            "sha256": sha256_of(read_text(plan.station_path)),
        },
        "samples": {
            wiring: {
                "id": sample.id,
                "version": sample.version,
                "path": str(sample.path.resolve()),
                "sha256": sha256_of(sample.text),
            }
            for wiring, sample in plan.samples.items()
        },
        "mounting": plan.mounting,
        "limits": {kind: limits for kind, limits in asdict(plan.limits).items() if limits is not None},
        "warnings": list(plan.messages),
        "steps": [],
        "started_lab": clock.datetime().isoformat(),
        "time_zone": zone.tzname(),
        "compare_with": list(compare_with),
        "twin": twin,
        "versions": {
            "onnes": version("onnes"),
            "python": platform.python_version(),
            "system": platform.platform(),
            **{library: version(library) for library in _LIBRARIES},
        },
    }
