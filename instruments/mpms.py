"""Quantum Design MPMS3 and MPMS-XL: SQUID magnetometers behind MultiVu.

No public interface measures a moment: MultiVu runs a sequence and a file grows (:mod:`sequence_route`).
Marks of the numbers: (m) seen in real files, (s) published, (k) general knowledge, (a) assumed.
"""

from typing import ClassVar

from onnes.instruments.clock import Clock
from onnes.instruments.errors import InstrumentFault
from onnes.instruments.limits import Limits
from onnes.instruments.link import Link
from onnes.instruments.sequence_route import (
    Machine,
    MachineLimits,
    MultiVuFiles,
    SequenceRoute,
    Timing,
)
from onnes.instruments.sequence_template import load_template

MPMS3 = Machine(
    name="MPMS3",
    timings={
        "dc": Timing(per_scan_s=4.0, besides_s=6.0),  # 4 s (m); the ways before and after (a)
        "vsm": Timing(per_scan_s=2.0, besides_s=3.0),  # 12.8 s with its step of the field (m)
    },
    largest_emu=10.0,  # (k)
    limits=MachineLimits(
        temperature=Limits(1.8, 400.0, "K", "the MPMS3"),  # (k)
        temperature_rate=Limits(0.01, 20.0, "K/min", "the MPMS3"),  # what MultiPyVu takes (s)
        field=Limits(-70_000.0, 70_000.0, "Oe", "the MPMS3"),  # (k)
        field_rate=Limits(0.01, 700.0, "Oe/s", "the MPMS3"),  # (k); a rate of 0 would never arrive
    ),
)

MPMS_XL = Machine(
    name="MPMS-XL",
    timings={
        "dc": Timing(per_scan_s=8.0, besides_s=8.0),  # three scans in 20 to 60 s (a)
        "rso": Timing(per_scan_s=5.0, besides_s=3.0),  # 5 to 10 s (a); with cycles given, by those
    },
    largest_emu=1.25,  # (k), without the extended range
    limits=MachineLimits(
        temperature=Limits(1.9, 400.0, "K", "the MPMS-XL"),  # (k)
        temperature_rate=Limits(0.01, 10.0, "K/min", "the MPMS-XL"),  # the lower end (a), the upper (s)
        field=Limits(-70_000.0, 70_000.0, "Oe", "the MPMS-XL"),  # 7 T (k); a 5 T magnet says the station file
        field_rate=None,
    ),
)


class Mpms(SequenceRoute):
    """A magnetometer that only MultiVu sets; it has no link of its own."""

    model: ClassVar[Machine]
    link: Link | None = None

    def __init__(
        self, name: str, files: MultiVuFiles, limits: MachineLimits, clock: Clock, *, simulated: bool
    ) -> None:
        template = load_template(files.template)
        super().__init__(name, self.model, files, template, limits, clock, simulated=simulated)

    def connect(self) -> str:
        """Look whether MultiVu's folders are there, and return what the machine is.

        Raises:
            ConfigurationError: if one is not.
        """
        self.check_folders()
        marked = " SIMULATED" if self._simulated else ""
        return (
            f"{self.machine.name}{marked}, followed through the files of MultiVu in {self.files.data}, "
            f"sequences from {self.files.template.name}"
        )

    def answer(self) -> None:
        """Look whether MultiVu's folders are there; nothing else can be asked."""
        self.check_folders()

    def hold(self, *, temperature: bool = False) -> str:
        """Say that there is nothing to hold.

        Raises:
            InstrumentFault: as :meth:`safe_state`.
        """
        del temperature
        return self.safe_state()

    def safe_state(self) -> str:
        """Say that there is nothing to make safe; nothing can be sent.

        Raises:
            InstrumentFault: if a sequence that was handed over may go on, so that this is not confirmed.
        """
        self.refuse_two_masters()
        return "nothing to make safe: no source; field and temperature are where the sequence left them"

    def refuse_two_masters(self) -> None:
        """Raise InstrumentFault while a sequence that was handed over may be running, or be started."""
        if self.masters:
            raise InstrumentFault(
                f"MultiVu may go on with its sequence {', '.join(self.masters)}; stop it there"
            )


class MpmsXl(Mpms):
    """MPMS-XL and the older MPMS with a 5 T magnet."""

    model = MPMS_XL


class Mpms3(Mpms):
    """MPMS3 without a connection to its MultiVu."""

    model = MPMS3
