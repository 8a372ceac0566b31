"""What a run records by itself: the plan it followed, the sample under it, how it was wired."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from onnes.instruments.station import Station
from onnes.procedures.measurement import Measurement, Setpoint
from onnes.runner.plan import Measure, Plan, PlanStep
from onnes.storage.table import RunHeader


def run_manifest(
    plan: Plan, step: PlanStep, measure: Measure, planned: Sequence[Setpoint], station: Station
) -> dict[str, Any]:
    """Return the entries of ``run.json`` that are known before the first point."""
    sample = plan.samples.get(measure.mount)
    wiring = station.file.wiring.get(measure.mount)
    return {
        "step": {"number": step.number, "name": step.name, "where": step.where, "note": step.note},
        "loop": dict(step.loop),
        "setpoints": [asdict(setpoint) for setpoint in planned],
        "sample": None
        if sample is None
        else {"id": sample.id, "version": sample.version, "title": sample.title},
        "geometry": {} if sample is None else sample.geometry_cm(),
        "geometry_uncertainty": {} if sample is None else sample.geometry_uncertainty_cm(),
        "body": {} if sample is None else sample.body(plan.mounting),
        "mounting": plan.mounting,
        "wiring": {} if wiring is None else wiring.model_dump(mode="json"),
        "instruments": dict(station.provenance["instruments"]),
    }


def run_header(night: str, measurement: Measurement, station: Station) -> RunHeader:
    """Return the head of the table: parameters as PyMeasure reads them, and where the data come from."""
    kind = type(measurement)
    parameters = {
        parameter.name: (parameter.value, getattr(parameter, "units", None) or "")
        for parameter in measurement.parameter_objects().values()
    }
    origin = {key: station.provenance[key] for key in ("backend", "lab", "seed") if key in station.provenance}
    return RunHeader(f"{kind.__module__}.{kind.__qualname__}", parameters, {"night": night, **origin})
