"""A MultiVu server (MultiPyVu 3.8) over the plant: one slot, two replies to a request, no limits of its own.

Actions and replies were seen on the maker's server. It survives what kills that one, unless a fault of the
layer ``server`` says so.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from onnes.sim.device import Conversation, Device, InstrumentSettings
from onnes.sim.fault_settings import FaultSettings, Spell
from onnes.sim.journal import JournalEntry
from onnes.sim.multivu_actions import Refused, WaitFor, obey
from onnes.sim.multivu_frames import BrokenFrame, first_frame, framed

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab
    from onnes.sim.link import Link

_CONFIRM_S: Final = 1e-3  # (a)
_REPEAT_AFTER_S: Final = (1.0, 2.0)  # seen
_PATIENCE_S: Final = 3.0  # seen
_SWALLOWED_WITHIN_S: Final = 5e-3  # two frames in one read; the gap is ours (a)
_ADDRESS: Final = "('127.0.0.1', 50000)"


class MultiVuSettings(InstrumentSettings):
    """The table ``[instrument.NAME]`` of a MultiVu server: the machine it runs on and its own version."""

    flavor: Literal["PPMS", "DYNACOOL", "VERSALAB", "MPMS3", "OPTICOOL"]
    version: str = "3.8.0"


class MultiVuServer(Device):
    """The server beside MultiVu, found as ``TCPIP0::HOST::27183::SOCKET``."""

    model: ClassVar[str] = "multivu"
    settings_model: ClassVar[type[InstrumentSettings]] = MultiVuSettings
    terminator: ClassVar[bytes] = b""
    query_latency_s: ClassVar[float] = 0.04  # 43 ms for a whole request (seen)
    is_server: ClassVar[bool] = True

    def __init__(self, name: str, lab: "VirtualLab", settings: InstrumentSettings) -> None:
        super().__init__(name, lab, settings)
        self.about = cast(MultiVuSettings, settings)
        self.client: Client | None = None  # who has the slot
        self._has_exited = False
        self._spells: list[Spell] = []
        self._ghost: Spell | None = None  # the fault that keeps the slot of a dead client
        self._killed: Spell | None = None  # the fault that killed it

    def converse(self, link: "Link") -> Conversation:
        """Return the talk with one client."""
        return Client(self, link)

    def accepts(self, t: float) -> bool:
        """Say whether it takes a new connection."""
        return not self._has_exited and self.fault("connection_refused", t) is None

    def suffer(self, spell: Spell) -> None:
        """Take a fault of a server upon it."""
        self._spells.append(spell)

    def fault(self, kind: str, t: float) -> FaultSettings | None:
        """Return the fault of this kind that acts at ``t``, None if none does."""
        return next((s.fault for s in self._spells if s.fault.kind == kind and s.covers(t)), None)

    def die_of(self, kind: str, t: float) -> None:
        """Fall silent until the fault of this kind ends, where it acts."""
        self._killed = self._spell(kind, t) or self._killed

    def is_dead(self, t: float) -> bool:
        """Say whether the server has died and nobody has restarted it."""
        return self._killed is not None and self._killed.covers(t)

    def holds_dead_client(self, t: float) -> bool:
        """Say whether a client that died keeps the slot."""
        return self._ghost is not None and self._ghost.covers(t)

    def release(self, client: "Client", t: float, *, died: bool) -> None:
        """Free the slot of ``client``, if it has it."""
        if self.client is client:
            self.client = None
            if died:
                self._ghost = self._spell("dead_client", t) or self._ghost

    def exit(self) -> None:
        """End this server: it takes no connection any more. The lab goes on."""
        self._has_exited = True

    def _spell(self, kind: str, t: float) -> Spell | None:
        return next((s for s in self._spells if s.fault.kind == kind and s.covers(t)), None)


class Client:
    """One connection to the server."""

    def __init__(self, server: MultiVuServer, link: "Link") -> None:
        self._server = server
        self._link = link
        self._input = b""
        self._unconfirmed: object = None  # the id of the completion that waits for its confirmation
        self._confirmed_at = -1.0
        self._leaves = False

    def receive(self, data: bytes, t: float) -> None:
        """Take bytes, in whatever pieces they come, and obey the frames that are complete."""
        self._input += data
        try:
            while not self._link.is_lost:
                body, self._input = first_frame(self._input)
                if body is None:
                    break
                self._take(body, t)
        except BrokenFrame as error:
            self._note(t, "broken", str(error))
            self._hang_up(t)
        if self._input:
            self._server.die_of("split_frame", t)

    def close(self, t: float) -> None:
        """Note that the client is gone."""
        self._unconfirmed = None
        self._server.release(self, t, died=True)

    def _take(self, body: dict[str, Any], t: float) -> None:
        server, link = self._server, self._link
        if server.is_dead(t):
            return
        if body.get("message_type") == "confirmed":
            if body.get("id") == self._unconfirmed:
                self._unconfirmed, self._confirmed_at = None, t
                if self._leaves:
                    self._hang_up(t)
            return
        action, query = str(body.get("action", "")), str(body.get("query", ""))
        message = f"{action} {query}".strip()
        too_soon = t - self._confirmed_at < _SWALLOWED_WITHIN_S * link.pace
        if too_soon and server.fault("swallowed_request", t) is not None:
            self._note(t, "swallowed_request", message)
            return
        is_barred = action == "START" and server.holds_dead_client(t)
        if is_barred or not link.arrives(message, t):
            return
        link.push(framed({**body, "message_type": "confirmed"}), t + _CONFIRM_S)
        done = self._about_server(action, t) or self._about_machine(action, query, t)
        if isinstance(done, WaitFor):
            self._wait(body, done, t)
        else:
            self._complete({**body, **done}, message, t)

    def _about_server(self, action: str, t: float) -> dict[str, str] | None:
        """Return the reply to what concerns the server itself; None for all else."""
        server = self._server
        connected = f"Connected to {server.about.flavor} MultiVuServer at {_ADDRESS}"
        if action == "START":
            if server.client is not None:
                self._leaves = True
                return {
                    "result": f"Connection attempt rejected from {_ADDRESS}: another client is connected."
                }
            server.client = self
            other = server.fault("server_version", t)
            version = server.about.version if other is None else other.text("text")
            return {"query": f"{version};mv=sim", "result": connected}
        if action == "ALIVE":
            return {"query": action, "result": connected}
        if action == "STATUS":
            return {"query": action, "result": "idle" if server.client is None else "connected"}
        if action == "CLOSE":
            server.release(self, t, died=False)
            self._leaves = True
            return {"query": action, "result": f"Client {_ADDRESS} disconnected."}
        if action == "EXIT":
            server.exit()
            self._leaves = True
            return {"query": action, "result": "Closing client and exiting server."}
        return None

    def _about_machine(self, action: str, query: str, t: float) -> "dict[str, str] | WaitFor":
        server = self._server
        ignored = server.fault("set_ignored", t)
        if ignored is not None and action in ("TEMP", "FIELD"):
            received = f"{action} Command Received"
            says = {"nothing": "", "received": received, "unconfirmed": f"{received},SET_POINT_UNCONFIRMED"}
            return {"result": says[str(ignored.text("says"))]}
        try:
            result = obey(server.lab, server.about.flavor, action, query, t)
        except Refused as error:
            return {"result": f"MultiPyVuError: {error}"}
        except ValueError:  # a number that is none; the maker's server has these words for it
            return {"result": f"The command '{action}' has not been implemented."}
        return result if isinstance(result, WaitFor) else {"result": result}

    def _wait(self, body: dict[str, Any], wait: WaitFor, t: float) -> None:
        """Look again and again until what is waited for is steady."""
        code = wait.look(self._server.lab, t)
        if code is None:
            self._server.lab.at(t + wait.every_s, partial(self._wait, body, wait))
        elif not self._link.is_lost:
            self._complete({**body, "result": f"WAITFOR Command Received,{code}"}, "WAITFOR", t)

    def _complete(self, body: dict[str, Any], message: str, t: float) -> None:
        data = framed({**body, "message_type": "completed"})
        self._unconfirmed = number = body.get("id")
        self._link.reply(data, message, t)
        pace = self._link.pace
        for after_s in _REPEAT_AFTER_S:
            self._server.lab.at(t + after_s * pace, partial(self._repeat, number, data))
        self._server.lab.at(t + _PATIENCE_S * pace, partial(self._lose_patience, number))

    def _repeat(self, number: object, data: bytes, t: float) -> None:
        if number == self._unconfirmed and not self._server.is_dead(t):
            self._link.push(data, t)

    def _lose_patience(self, number: object, t: float) -> None:
        if number == self._unconfirmed:
            self._unconfirmed = None
            self._server.die_of("late_confirmation", t)

    def _hang_up(self, t: float) -> None:
        self._link.hang_up()
        self._server.release(self, t, died=False)

    def _note(self, t: float, kind: str, message: str) -> None:
        self._server.lab.journal.append(JournalEntry(t, self._server.name, kind, message))
