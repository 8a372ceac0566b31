"""Quantum Design MPMS3, MPMS-XL and the ACMS of a PPMS: magnetometers behind MultiVu.

No public interface measures a moment: MultiVu runs a sequence and a file grows (:mod:`sequence_route`).
"""

from typing import ClassVar

from onnes.instruments.clock import Clock
from onnes.instruments.errors import SequenceMayGoOn
from onnes.instruments.link import Link
from onnes.instruments.magnetometer_machines import ACMS, MPMS3, MPMS_XL, Machine, MachineLimits
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.sequence_route import SequenceRoute
from onnes.instruments.sequence_template import load_template


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
            SequenceMayGoOn: as :meth:`safe_state`.
        """
        del temperature
        return self.safe_state()

    def safe_state(self) -> str:
        """Say that there is nothing to make safe; nothing can be sent.

        Raises:
            SequenceMayGoOn: if a sequence that was handed over may go on, so that this is not confirmed.
        """
        self.refuse_unsafe()
        return "nothing to make safe: no source; field and temperature are where the sequence left them"

    def refuse_unsafe(self) -> None:
        """Raise SequenceMayGoOn while a sequence that was handed over may be running, or be started."""
        if self.masters:
            raise SequenceMayGoOn(
                f"MultiVu may go on with its sequence {', '.join(self.masters)}; stop it there"
            )


class MpmsXl(Mpms):
    """MPMS-XL and the older MPMS with a 5 T magnet."""

    model = MPMS_XL


class Mpms3(Mpms):
    """MPMS3 without a connection to its MultiVu."""

    model = MPMS3


class Acms(Mpms):
    """The ACMS option of a PPMS, whose temperature and field are those of its sequence."""

    model = ACMS
