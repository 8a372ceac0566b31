"""The plan of a night: sequence, station and samples, expanded and checked without hardware."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from onnes.instruments.errors import ConfigurationError, SequenceError
from onnes.instruments.spelling import nearest
from onnes.instruments.station_file import StationFile, load_station_file
from onnes.runner.expansion import Expansion
from onnes.runner.limit_sources import driver_limits, sequence_limits, station_limits
from onnes.runner.on_error import OnError
from onnes.runner.plan_limits import Demand, PlanLimits, narrow, refused, wider
from onnes.runner.plan_steps import Finish, Measure, PlanStep, SetField, SetTemperature, Wait
from onnes.runner.problems import Place, Problem, choice, report
from onnes.runner.references import find
from onnes.runner.sample_file import SampleFile, load_sample_file
from onnes.runner.sequence import Limits, SequenceText, load_sequence
from onnes.runner.station_lint import station_problems
from onnes.runner.surroundings import Ledger, Surroundings

__all__ = [
    "Files",
    "Finish",
    "Measure",
    "OnError",
    "Plan",
    "PlanStep",
    "SetField",
    "SetTemperature",
    "Wait",
    "make_plan",
]


@dataclass(frozen=True, slots=True)
class Files:
    """Where the station file and, by mount, the sample files are, whatever the sequence calls them."""

    station: Path
    samples: Mapping[str, Path]


@dataclass(frozen=True)
class Plan:
    """Everything that a night will do.

    ``samples`` maps the mount, a wiring or the magnetometer, to its sample, ``limits`` are the narrowest of
    station, samples and sequence, ``demands`` is every setpoint, rate and current with its place in the file,
    so that they can be checked again against the instruments; ``notify`` is what somebody wants to hear of,
    ``end_by`` the time of day by which the night should be over; ``messages`` are notes for the person who
    runs it.
    """

    path: Path
    text: str
    title: str
    station: StationFile
    station_path: Path
    samples: Mapping[str, SampleFile]
    mounting: str | None
    limits: PlanLimits
    finish: Finish
    steps: tuple[PlanStep, ...]
    demands: tuple[Demand, ...]
    notify: tuple[str, ...]
    end_by: str | None
    messages: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Return the hash of the sequence text."""
        return sha256_of(self.text)

    @property
    def sample_id(self) -> str:
        """Return the name of the sample for the night's folder; ``multi`` for several."""
        ids = sorted({sample.id for sample in self.samples.values()})
        return ids[0] if len(ids) == 1 else "multi"


def sha256_of(text: str) -> str:
    """Return the hash by which a night knows a file again; line ends as they are read, always a line feed."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def make_plan(
    path: Path, *, station: str | None = None, sample: str | None = None, files: Files | None = None
) -> Plan:
    """Return the plan of the sequence file at ``path``.

    Args:
        station: name or path of a station file; overrides the sequence's.
        sample: name or path of a sample file; overrides the sequence's.
        files: which files it was before, for a night that is resumed; nothing is looked for then.

    Raises:
        SequenceError: if the sequence or what it asks for is wrong: every problem, one a line.
        ConfigurationError: if the station or a sample file is wrong.
    """
    return _Planner(load_sequence(path), station, sample, files).plan()


class _Planner:
    def __init__(
        self, sequence: SequenceText, station: str | None, sample: str | None, files: Files | None
    ) -> None:
        self._sequence = sequence
        self._asked_station, self._asked_sample = station, sample
        self._files = files
        self._ledger = Ledger()
        self._faults: list[str] = []

    def plan(self) -> Plan:
        station_path, station = self._station()
        samples = self._samples(station)
        if self._faults and not self._ledger.problems:
            raise ConfigurationError("\n".join(self._faults))
        if station is None or station_path is None or self._ledger.problems:
            raise SequenceError(self._report())
        mounting = self._mounting(samples)
        limits, sources = self._limits(station, station_path, samples)
        rate = self._sequence.model.limits.field_rate
        around = Surroundings(
            station, station_path, samples, limits, None if rate is None else float(rate), mounting
        )
        expansion = Expansion(self._sequence, around, self._ledger)
        steps, finish = expansion.steps(), expansion.finish()
        self._ledger.problems += refused(self._ledger.demands, limits, sources)
        if self._ledger.problems:
            raise SequenceError(self._report())
        return Plan(
            path=self._sequence.path,
            text=self._sequence.text,
            title=self._sequence.model.title,
            station=station,
            station_path=station_path,
            samples=samples,
            mounting=mounting,
            limits=limits,
            finish=finish,
            steps=steps,
            demands=tuple(self._ledger.demands),
            notify=self._sequence.model.notify,
            end_by=self._sequence.model.end_by,
            messages=(*self._messages(), *station.not_enforced()),
        )

    def _messages(self) -> tuple[str, ...]:
        messages = list(self._ledger.messages)
        if self._sequence.model.end_by is not None:
            text = "end_by is recorded and not yet compared with the predicted end; nothing is stopped by it"
            messages.append((self._key("end_by"), text))
        return tuple(
            report(str(self._sequence.path), [Problem(*message) for message in messages]).splitlines()
        )

    def _report(self) -> str:
        lines = report(str(self._sequence.path), self._ledger.problems)
        return "\n".join([*lines.splitlines(), *self._faults])

    def _key(self, key: str) -> Place:
        return self._sequence.tree.key_places.get(key, Place(1, 1))

    def _refuse(self, place: Place, text: str) -> None:
        self._ledger.refuse(place, text)

    def _find(self, kind: str, typed: str | None, asked: str | None, place: Place) -> Path | None:
        """Return the file that the command line, else the sequence, names; None with a problem noted."""
        reference, beside = (typed, self._sequence.path.parent) if asked is None else (asked, Path())
        if reference is None:
            self._refuse(
                place, f"no {kind}; expected '{kind}: NAME' in the sequence, or --{kind} on the command line"
            )
            return None
        try:
            return find(kind, reference, beside)
        except ValueError as error:
            if asked is None:
                self._refuse(place, str(error))
                return None
        try:  # what is typed is meant from here, but a name may also be known beside the sequence
            return find(kind, reference, self._sequence.path.parent)
        except ValueError as error:
            self._faults.append(f"--{kind}: {error}")
            return None

    def _station(self) -> tuple[Path | None, StationFile | None]:
        typed = self._sequence.model.station
        place = typed.place if typed is not None else self._key("sequence")
        if self._files is not None:
            path: Path | None = self._files.station
        else:
            path = self._find("station", typed, self._asked_station, place)
        if path is None:
            return None, None
        try:
            station = load_station_file(path)
        except ConfigurationError as error:
            self._faults.append(str(error))
            return path, None
        self._faults += station_problems(station)
        return path, station

    def _samples(self, station: StationFile | None) -> dict[str, SampleFile]:
        mounts = None if station is None else _mounts(station)
        samples: dict[str, SampleFile] = {}
        for mount, reference, place in self._sample_references():
            mounted = self._mount(mount, mounts, place)
            path = self._sample(mounted, reference, getattr(reference, "place", place))
            if path is None:
                continue
            try:
                samples[mounted] = load_sample_file(path)
            except ConfigurationError as error:
                self._faults.append(str(error))
        return samples

    def _sample(self, mount: str, reference: str | None, place: Place) -> Path | None:
        if self._files is None:
            return self._find("sample", reference, self._asked_sample, place)
        if mount not in self._files.samples:
            self._refuse(place, f"the night was started without a sample on '{mount}'")
        return self._files.samples.get(mount)

    def _sample_references(self) -> list[tuple[str, str | None, Place]]:
        given = self._sequence.model.sample
        tree = self._sequence.tree.get("sample")
        places = getattr(tree, "key_places", {})
        if not given:
            return [("", None, self._key("sequence"))]
        if self._asked_sample is not None and len(given) > 1:
            self._faults.append(
                f"--sample: the sequence names {len(given)} samples; change the sample in the file instead"
            )
        return [
            (mount, reference, places.get(mount, reference.place) if mount else reference.place)
            for mount, reference in given.items()
        ]

    def _mount(self, mount: str, mounts: list[str] | None, place: Place) -> str:
        if mounts is None:
            return mount
        if mount and mount not in mounts:
            where = f"{choice(mounts)}{nearest(mount, mounts)}" if mounts else "a station that has one"
            self._refuse(
                place, f"'{mount}' is no wiring of the station, nor its magnetometer; expected {where}"
            )
        elif not mount and len(mounts) == 1:
            return mounts[0]
        elif not mount and len(mounts) > 1:
            example = f"{{{mounts[0]}: NAME}}"
            self._refuse(
                place,
                f"the station has the wirings {', '.join(mounts)}; expected a sample for each; '{example}'",
            )
        return mount

    def _mounting(self, samples: Mapping[str, SampleFile]) -> str | None:
        mounting = self._sequence.model.mounting
        names = sorted({name for sample in samples.values() for name in sample.mounting})
        tree = self._sequence.tree
        if mounting is not None:
            without = [sample.id for sample in samples.values() if mounting not in sample.mounting]
            if without:
                place = getattr(tree["mounting"], "place", self._key("mounting"))
                expected = f"{choice(names)}{nearest(mounting, names)}" if names else "no mounting"
                self._refuse(place, f"sample {without[0]} has no mounting '{mounting}'; expected {expected}")
            return mounting
        if any(len(sample.mounting) > 1 for sample in samples.values()):
            self._refuse(
                self._key("sample"),
                f"the sample can be mounted in several ways; expected 'mounting: ' with {choice(names)}",
            )
        return names[0] if len(names) == 1 else None

    def _limits(
        self, station: StationFile, station_path: Path, samples: Mapping[str, SampleFile]
    ) -> tuple[PlanLimits, list[PlanLimits]]:
        """Return the narrowest limits, and those they come from."""
        problems, own = self._ledger.problems, self._sequence.model.limits
        sources = [
            driver_limits(station),
            station_limits(station, station_path),
            *(each.plan_limits() for each in samples.values()),
        ]
        limits = PlanLimits()
        for source in sources:
            limits = narrow(limits, source, self._key("sample"), problems)
        for kind in Limits.model_fields:
            ends, outer = getattr(own, kind), limits.of(kind)
            if ends is not None and outer is not None and (problem := wider(kind, ends, outer)):
                problems.append(problem)
        sources.append(sequence_limits(own, str(self._sequence.path)))
        return narrow(limits, sources[-1], self._key("limits"), problems), sources


def _mounts(station: StationFile) -> list[str]:
    """Return where samples are: on the wirings, without any on the magnetometer."""
    magnetometer = station.roles.magnetometer
    return list(station.wiring) or ([] if magnetometer is None else [magnetometer])
