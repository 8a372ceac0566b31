"""One instrument on the wire: what the link asks of it, and nothing of how bytes travel."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from onnes.sim.faults_front_end import FrontEnd

if TYPE_CHECKING:
    from onnes.sim.fault_settings import Spell
    from onnes.sim.lab import VirtualLab
    from onnes.sim.link import Link


class InstrumentSettings(BaseModel):
    """The table ``[instrument.NAME]`` of a lab file.

    ``model`` is a name of the registry in ``onnes.sim.lab``, ``resources`` the VISA names under which the
    instrument is found. A device with more keys has its own subclass in ``Device.settings_model``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    resources: tuple[str, ...] = Field(min_length=1)

    def conflicts(self, others: Mapping[str, "InstrumentSettings"]) -> Iterator[tuple[str, str]]:
        """Yield (key, what is wrong with it) where it does not fit to the other instruments of the lab."""
        del others
        return iter(())


@dataclass(frozen=True, slots=True)
class Deferred:
    """A reply that takes ``dt`` seconds: ``value`` is called with the lab time at which it is ready.

    The device never waits; the link schedules the reply, so that a VISA timeout works as on hardware.
    """

    dt: float
    value: "Callable[[float], str | bytes]"


Reply = str | bytes | Deferred | None


class Conversation(Protocol):
    """One connection to an instrument that frames its own bytes."""

    def receive(self, data: bytes, t: float) -> None:
        """Take bytes, in whatever pieces they come, and obey what is complete."""

    def close(self, t: float) -> None:
        """Note that the other end has closed the connection."""


class Device:
    """One instrument on the wire.

    Every ``t`` is lab time in s. A device never sleeps and never looks at a clock. All its physics is asked
    of ``self.lab``: cryostat, magnet, chamber, wiring.
    """

    model: ClassVar[str]
    settings_model: ClassVar[type[InstrumentSettings]] = InstrumentSettings
    terminals: ClassVar[tuple[str, ...]] = ()  # what a lab file may wire, as ``<name>.<terminal>``
    voltage_terminals: ClassVar[tuple[str, ...]] = ()  # those that give a voltage, not a current
    terminator: ClassVar[bytes] = b"\n"  # the link ends every reply of text with it
    drops_unread: ClassVar[bool] = False  # IEEE 488.2: a new message throws away a reply that nobody read
    has_error_queue: ClassVar[bool] = False
    is_server: ClassVar[bool] = False  # a program of its own, which can go wrong in its own ways
    write_latency_s: ClassVar[float] = 1e-3  # assumed
    query_latency_s: ClassVar[float] = 4e-3  # assumed

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        self.name = name
        self.lab = lab
        self.settings = settings
        self.front_end: FrontEnd | None = None  # of a meter
        self.busy_until = 0.0  # lab time before which no reply comes

    def execute(self, message: str, t: float) -> Reply:
        """Obey one framed message, without its terminator, and return the reply if it asks for one."""
        raise NotImplementedError(f"{type(self).__name__} understands no message yet")

    def converse(self, link: "Link") -> Conversation | None:
        """Return who takes the bytes of a new connection; None where messages are lines."""
        del link
        return None

    def hears(self, link: "Link") -> bool:
        """Say whether what comes on ``link`` reaches it: an instrument may listen on one interface only."""
        del link
        return True

    def accepts(self, t: float) -> bool:
        """Say whether it takes a new connection."""
        del t
        return True

    def suffer(self, spell: "Spell") -> None:
        """Take a fault of a server upon it (only where ``is_server``)."""

    def clear(self, t: float) -> None:
        """Forget a half-done message, as a device clear asks; settings stay."""

    def trigger(self, t: float) -> None:
        """Obey a group execute trigger."""

    def refuse(self, code: int, t: float, message: str = "") -> None:
        """Put an error into the queue (only where ``has_error_queue``)."""

    def restart(self, t: float) -> None:
        """Start anew as the controller does after a power cut (only a controller of the cryostat)."""

    def interrupted(self, t: float) -> None:
        """Note that a new message came while a reply was unread (only where ``drops_unread``)."""

    def unterminated(self, t: float) -> None:
        """Note that a reply was read that nobody had asked for."""

    def status_byte(self, t: float, message_available: bool) -> int:
        """Return the serial poll byte; bit 4 says that a reply waits."""
        del t
        return 0x10 if message_available else 0
