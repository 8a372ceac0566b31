"""What a moment is divided by and judged with: volume, demagnetisation and cross-section of a sample.

All of it comes from the manifest of the run. What the sample file does not say is not guessed: it is None,
with the reason beside it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onnes.analysis.bean import Cylinder, Rectangle, Shape
from onnes.analysis.demagnetisation import Demagnetisation, disk, factor, given

# Relative, where the sample file gives no uncertainty of its sizes: a calliper on some mm.
_USUAL_SIGMA = 0.05
_BOXES = ("bar", "plate", "wire")
_EDGES = ("length", "width", "thickness")


@dataclass(frozen=True, slots=True)
class Body:
    """A sample in one mounting.

    ``volume_cm3`` with ``volume_sigma`` (relative; ``is_assumed`` says that the sample file does not tell all
    of it), the factor ``n`` along the field, the cross-section ``across`` it. Each is None where it is not
    known; ``why`` then has the reason, {attribute: reason}.
    ``area_cm2`` is the face of a film that stands across the field, None for everything else.
    """

    volume_cm3: float | None
    volume_sigma: float
    is_assumed: bool
    n: Demagnetisation | None
    across: Shape | None
    area_cm2: float | None
    mass_g: float | None
    standard: str
    background: str
    mounting: str
    why: Mapping[str, str]


def body_of(manifest: Mapping[str, Any]) -> Body:
    """Return the sample of the run with this manifest."""
    about = dict(manifest.get("body") or {})
    shape = str(about.get("shape", ""))
    sizes = {name: float(size) for name, size in (manifest.get("geometry") or {}).items()}
    why: dict[str, str] = {}
    edges = _edges(shape, sizes)
    volume = None
    if isinstance(edges, str):
        why["volume_cm3"] = edges
    else:
        volume = _filling(shape) * math.prod(edges.values())
    axis = about.get("axis")
    n = _factor(about, shape, edges, axis)
    if isinstance(n, str):
        why["n"] = n
    across = _cross_section(shape, edges, axis)
    if isinstance(across, str):
        why["across"] = across
    area = None
    if shape == "film" and axis == "thickness" and not isinstance(edges, str):
        area = edges["length"] * edges["width"]
    sigma, is_assumed = _volume_sigma(sizes, manifest.get("geometry_uncertainty") or {})
    return Body(
        volume_cm3=volume,
        volume_sigma=sigma,
        is_assumed=is_assumed,
        n=None if isinstance(n, str) else n,
        across=None if isinstance(across, str) else across,
        area_cm2=area,
        mass_g=None if "mass_g" not in about else float(about["mass_g"]),
        standard=str(about.get("standard", "")),
        background=str(about.get("background", "")),
        mounting=str(manifest.get("mounting") or ""),
        why=why,
    )


def _edges(shape: str, sizes: Mapping[str, float]) -> dict[str, float] | str:
    """Return the edges of the whole piece, cm, or why they are not known."""
    if not shape:
        return "the shape of the sample is not known; give a sample file that says geometry.shape"
    if shape == "powder":
        return "a powder has no edges; its volume is not known"
    whole = {name: sizes.get(f"{name}_cm") for name in _EDGES}
    if "lateral_1_cm" in sizes:
        whole |= {"length": sizes["lateral_1_cm"], "width": sizes["lateral_2_cm"]}
    elif shape == "film":
        # `length` of a film is that between its voltage contacts.
        return "the sample file has no geometry.lateral, the sides of the whole film"
    edges = {name: size for name, size in whole.items() if size is not None}
    missing = [name for name in _EDGES if name not in edges]
    if missing:
        return f"the sample file has no geometry.{missing[0]}"
    return edges


def _filling(shape: str) -> float:
    """Return the volume over that of the box with the same edges."""
    return {"disk": math.pi / 4, "sphere": math.pi / 6}.get(shape, 1.0)


def _factor(
    about: Mapping[str, Any], shape: str, edges: dict[str, float] | str, axis: str | None
) -> Demagnetisation | str:
    model = about.get("demagnetisation")
    try:
        if isinstance(model, int | float):
            return given(float(model))
        if shape == "sphere" and model is None:
            return Demagnetisation(1 / 3, "sphere")
        if isinstance(edges, str):
            return edges
        if axis is None:
            return (
                "the mounting has no axis, the edge along the field; say `axis` in the sample file, and "
                "`mounting` in the sequence"
            )
        across = tuple(size for name, size in edges.items() if name != axis)
        if shape == "disk" and axis == "thickness" and model is None:
            return disk(edges["length"], edges["thickness"])
        if shape not in (*_BOXES, "film") and model is None:
            return f"there is no formula for a {shape} along its {axis}; give geometry.demagnetisation"
        return factor(model or "prozorov_kogan", (across[0], across[1]), edges[axis])
    except ValueError as error:
        return str(error)


def _cross_section(shape: str, edges: dict[str, float] | str, axis: str | None) -> Shape | str:
    if isinstance(edges, str):
        return edges
    if axis is None:
        return "the mounting has no axis, the edge along the field; say `axis` in the sample file"
    if shape == "disk" and axis == "thickness":
        return Cylinder(edges["length"] / 2)
    if shape not in (*_BOXES, "film"):
        return f"Bean's model of a {shape} along its {axis} is not known here"
    across = tuple(size for name, size in edges.items() if name != axis)
    return Rectangle((across[0], across[1]))


def _volume_sigma(sizes: Mapping[str, float], given_cm: Mapping[str, float]) -> tuple[float, bool]:
    """Return the relative error of the volume, and whether some of it is assumed."""
    # Where the whole piece is given, the errors of length and width are of what lies between the contacts.
    names = ("thickness",) if "lateral_1_cm" in sizes else _EDGES
    known = [f"{name}_cm" for name in names if f"{name}_cm" in given_cm and f"{name}_cm" in sizes]
    relative = [given_cm[name] / sizes[name] for name in known]
    is_assumed = len(known) < len(_EDGES)
    return math.hypot(*relative, *([_USUAL_SIGMA] if is_assumed else [])), is_assumed
