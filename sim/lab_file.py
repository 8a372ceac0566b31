"""Lab files: read, laid over each other, checked, and made into a lab."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from onnes.instruments.clock import AttendedClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.chamber import Chamber
from onnes.sim.cryostat import Cryostat
from onnes.sim.device import InstrumentSettings
from onnes.sim.fault_settings import FaultSettings
from onnes.sim.lab import VirtualLab
from onnes.sim.lab_layers import Layer, Problems, is_path, merged, named_layer, shipped_layer
from onnes.sim.lab_tables import LabFile, checked_lab
from onnes.sim.magnet import Magnet
from onnes.sim.magnetometer import Magnetometer
from onnes.sim.magnetometer_machines import MagnetometerSettings
from onnes.sim.mounting import Mounting
from onnes.sim.opening_contacts import watch_contacts
from onnes.sim.samples import MagneticSample, Sample
from onnes.sim.sequencer import MultiVuFolders, Sequencer
from onnes.sim.susceptometer import Coil
from onnes.sim.virtual_operator import VirtualOperator
from onnes.sim.wiring import Wiring


def lab_key(name_or_path: str | Path) -> str:
    """Return the key under which a lab is registered: its name, or the resolved path of its file."""
    text = str(name_or_path)
    return str(Path(text).resolve()) if is_path(text) else text


def load_lab(
    name_or_path: str | Path,
    clock: AttendedClock,
    *,
    seed: int | None = None,
    sample: Mapping[str, Any] | None = None,
    under: Mapping[str, Any] | None = None,
    start: Mapping[str, Any] | None = None,
    opened_s: float = 0.0,
    multivu: MultiVuFolders | None = None,
) -> VirtualLab:
    """Make the lab of a shipped name or of a file, on ``clock``.

    The clock is attended by a lab with a magnetometer: its MultiVu goes on while others sleep.

    The default lab lies at the bottom, ``under`` on it, the file on top; a higher layer wins key by key, and
    replaces a list of tables as a whole. A layer that names another sample ``model`` replaces ``[sample]``.

    Args:
        seed: wins over that of the file.
        sample: what is mounted instead of ``[sample]``: ``{source instrument: table}`` for the loops that the
            source drives and ``{"magnetometer": table}`` for the magnetometer, or one table for all of them.
        under: tables of a lab file between the default lab and the file.
        start: tables with the state in which the lab opens, over everything else and not in its hash: that of
            a lab whose process was killed. What a sample remembers is lost with the process: it opens as if
            cooled through Tc in the field at the start, so that a zero-field curve that goes on is seen to be
            wrong.
        opened_s: how much of its time had passed by then, s: the date goes on from there, and faults that
            were over do not come again.
        multivu: the folders of the magnetometer's MultiVu; without them nobody runs a sequence.

    Raises:
        ConfigurationError: for an unknown name, a missing file, and all that is wrong in it, one problem a
            line, each with ``file:line:1``.
    """
    if seed is not None and seed < 0:
        raise ConfigurationError(f"seed = {seed} is negative; give 0 or more")
    layers = [shipped_layer("default")]
    if under is not None:
        layers.append(Layer("the lab under " + str(name_or_path), under))
    if str(name_or_path) != "default":
        layers.append(named_layer(str(name_or_path)))
    data: dict[str, Any] = {}
    for layer in layers:
        data = merged(data, layer.data)
    if seed is not None:
        data = merged(data, {"lab": {"seed": seed}})
    file, instruments = checked_lab(data, layers)
    sha256 = _hash(file, sample)
    if start is not None:
        layers.append(Layer("the state in which the lab opens", start))
        file, instruments = checked_lab(merged(data, start), layers)
    file = file.model_copy(update={"fault": tuple(_still_to_come(file.fault, opened_s))})
    mounting = Mounting(file.sample, layers[-1].source, sample, file.lab.name)
    loops = mounting.on_loops(file.drive, file.coil, has_magnetometer=file.magnetometer is not None)
    lab = _built(file, instruments, loops, mounting, clock, sha256)
    lab.epoch += timedelta(seconds=opened_s)
    if file.magnetometer is not None:
        _add_magnetometer(lab, file.magnetometer, mounting.on_magnetometer(), multivu)
        clock.attend(partial(_let_go_on, lab))
    _plan_faults(lab, file, Problems(layers))
    watch_contacts(lab, file.read)
    return lab


def _still_to_come(faults: Iterable[FaultSettings], opened_s: float) -> Iterator[FaultSettings]:
    """Yield the faults that are not over after ``opened_s``, with their times counted from there."""
    for fault in faults:
        until = None if fault.until is None else fault.until - opened_s
        at = fault.at - opened_s
        if until is not None and until <= 0:
            continue
        if at < 0 and fault.every is not None:
            at %= fault.every
        elif at < 0 and until is None and opened_s > 0:
            continue
        yield fault.model_copy(update={"at": max(0.0, at), "until": until})


# --- the lab ----------------------------------------------------------------------------------------------


def _hash(file: LabFile, sample: Mapping[str, Any] | None) -> str:
    """Return the hash of all that the lab does, without its seed, which is recorded beside it."""
    content = file.model_dump(mode="json")
    del content["lab"]["seed"]
    text = json.dumps([content, sample], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _built(
    file: LabFile,
    instruments: Mapping[str, InstrumentSettings],
    loops: Mapping[str, Sample],
    mounting: Mounting,
    clock: AttendedClock,
    sha256: str,
) -> VirtualLab:
    seed = file.lab.seed
    cryostat = Cryostat(file.cryostat, seed)
    magnet = Magnet(file.magnet, seed)
    lab = VirtualLab(
        clock,
        cryostat=cryostat,
        magnet=magnet,
        chamber=Chamber(file.helium, magnet),
        wiring=Wiring(file.drive, file.read, loops, cryostat, magnet, seed, file.reference),
        name=file.lab.name,
        seed=seed,
        line_hz=float(file.lab.line_hz),
        strict=file.lab.strict,
        sha256=sha256,
        epoch=file.lab.epoch,
    )
    for coil in file.coil:
        Coil(coil, lab.wiring, mounting.in_coil(coil), cryostat, magnet)
    for name, settings in instruments.items():  # after the coils, which hear what they give from the start on
        lab.add(name, settings)
    return lab


def _add_magnetometer(
    lab: VirtualLab,
    settings: MagnetometerSettings,
    sample: MagneticSample | None,
    folders: MultiVuFolders | None,
) -> None:
    lab.magnetometer = Magnetometer(settings, lab, sample)
    if folders is not None:
        lab.sequencer = Sequencer(lab, lab.magnetometer, folders)
        lab.operator = VirtualOperator(lab, lab.sequencer, settings.operator_s)


def _let_go_on(lab: VirtualLab) -> None:
    with lab.lock:
        lab.tick()


def _plan_faults(lab: VirtualLab, file: LabFile, problems: Problems) -> None:
    for place, fault in enumerate(file.fault):
        try:
            lab.faults.plan(fault)
        except ValueError as error:
            problems.add(
                f"fault.{place + 1}.{error}", ("fault", place, *str(error).partition(" ")[0].split("."))
            )
    problems.report()
