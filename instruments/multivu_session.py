"""One client's talk with a MultiVu server (MultiPyVu 3.8): who it is, requests, their two replies.

What is done here against faults was seen with server 3.8.0: it has one slot for a client, dies of a frame in
two pieces and of a reply that nobody confirms, and swallows a request that comes with a confirmation.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from onnes.instruments.errors import CommunicationError, InstrumentFault
from onnes.instruments.link import Link
from onnes.instruments.multivu_frames import PREFIX_BYTES, body_bytes, body_of, frame, header_bytes

T = TypeVar("T")

_START_S: Final = 5.0  # a server that holds a dead client never answers (seen)
_CONFIRMED_S: Final = 2.0
_COMPLETED_S: Final = 5.0  # a set is answered up to 2 s later, when the setpoint was adopted or not
_QUIET_S: Final = 0.005  # after a confirmation, so that it and the next request are read apart
_VERSIONS: Final = re.compile(r"3\.8\.\d+")  # whose replies are known
_NEVER: Final = -1


class MultiVuSession:
    """Requests to a MultiVu server over ``link``; begins by itself, anew after each reopening.

    ``flavor`` is the kind of MultiVu (``MPMS3``), ``version`` that of the server, ``multivu`` that of MultiVu
    itself; empty before the first request. The slot of the server is given back when the link closes.
    """

    def __init__(self, link: Link) -> None:
        self.flavor = self.version = self.multivu = ""
        self._link = link
        self._greeted = _NEVER  # how often the link had been opened anew when START was sent
        self._why_not = ""  # what came of that; empty if the slot is ours
        self._number = 0
        self._quiet_until = 0.0
        link.farewell = self.close

    def begin(self) -> None:
        """Take the client's slot of the server, unless this session has it.

        START is sent once to a connection: a server that took it late would take the second for another's.

        Raises:
            CommunicationError: if it is taken, or the server is silent, of another version or another flavor.
        """
        if self._greeted != self._link.reopened:
            self._greeted = self._link.reopened
            self._why_not = f"{self._link.name} was not answered to START"
            self._why_not = self._refusal()
        if self._why_not:
            raise CommunicationError(self._why_not)

    def _refusal(self) -> str:
        """Send START, take over what the server is, and return why it cannot be used; empty if it can."""
        name = self._link.name
        try:
            reply = self._exchange("START", "", _START_S, _START_S)
        except CommunicationError as error:
            return (
                f"{name} has no answer to START within {_START_S:g} s ({error}): the MultiVu server is not "
                "running or still holds a dead client; restart it on the MultiVu PC"
            )
        found = re.match(r"Connected to (\w+) MultiVuServer", reply["result"])
        if found is None:
            return f"{name} refuses this client: {reply['result']!r}; close the other client of its server"
        version, *options = reply["query"].split(";")
        if not _VERSIONS.fullmatch(version):
            return (
                f"{name}: the MultiVu server is of version {version!r}, and this client speaks 3.8; "
                "install MultiPyVu 3.8 on the MultiVu PC"
            )
        if self.flavor not in ("", found[1]):
            return f"{name} was a {self.flavor} and now is a {found[1]}; look which MultiVu runs there"
        self.flavor, self.version = found[1], version
        self.multivu = next((option[3:] for option in options if option.startswith("mv=")), "unknown")
        return ""

    def query(self, action: str, parse: Callable[[str], T]) -> T:
        """Ask ``action`` until ``parse`` accepts the result, and return what it makes of it.

        Args:
            parse: raises ValueError for a result that does not fit.

        Raises:
            CommunicationError: if no try gave a usable result.
        """

        def ask() -> T:
            self.begin()
            return parse(_usable(self._exchange(action)["result"]))

        return self._link.attempt(ask, action)

    def tell(self, action: str, query: str) -> None:
        """Set something, once.

        A reply that fails to come leaves open whether it arrived, which only a read-back can tell.

        Raises:
            InstrumentFault: if the server refuses.
            CommunicationError: if the request could not be made, or got no reply.
        """
        self.begin()
        result = self._exchange(action, query)["result"]
        if not result.startswith(f"{action} Command Received"):
            raise InstrumentFault(
                f"{self._link.name} refuses {action} {query}: {result!r}; look at MultiVu on its PC"
            )

    def close(self) -> None:
        """Give the client's slot back, also one that a late server may have given; once is enough.

        Raises:
            CommunicationError: if the server does not answer; it may keep the slot.
        """
        if self._greeted == self._link.reopened:
            self._greeted = _NEVER
            self._exchange("CLOSE")

    def _exchange(
        self,
        action: str,
        query: str = "",
        confirmed_s: float = _CONFIRMED_S,
        completed_s: float = _COMPLETED_S,
    ) -> dict[str, str]:
        """Send a request, confirm its completion at once, and return that.

        Raises:
            CommunicationError: if it could not be sent, or no completion came, or one that does not fit.
        """
        link, clock = self._link, self._link.clock
        clock.sleep_until(self._quiet_until)
        self._number += 1
        number = f"00000000-0000-4000-8000-{self._number:012x}"
        link.send_bytes(frame({"id": number, "action": action, "query": query, "result": ""}), action)
        until = clock.now() + confirmed_s
        while True:
            reply = self._next_frame(action, until)
            kind = reply.get("message_type") if reply.get("id") == number else None  # others come too late
            if kind == "confirmed":
                until = clock.now() + completed_s
            elif kind == "completed":
                break
        link.send_bytes(_confirmation(reply), action)
        self._quiet_until = clock.now() + _QUIET_S
        if reply.get("action") != action or not {"query", "result"} <= set(reply):
            raise CommunicationError(f"{link.name} answered {action!r} with {reply}, which does not fit")
        return reply

    def _next_frame(self, action: str, until: float) -> dict[str, str]:
        link = self._link

        def receive(count: int) -> bytes:
            left_s = until - link.clock.now()
            if left_s <= 0:
                raise CommunicationError(f"{link.name} did not answer {action!r} in time")
            return link.receive_bytes(count, action, left_s)

        try:
            header = receive(header_bytes(receive(PREFIX_BYTES)))
            return body_of(receive(body_bytes(header)))
        except ValueError as error:  # also where nothing is asked again: after a set, and at the farewell
            raise CommunicationError(f"{link.name} did not answer {action!r} properly: {error}") from error


def _confirmation(reply: dict[str, str]) -> bytes:
    """Return the echo of a completion; a result too long to be echoed is left out: the id is what counts."""
    echo = {**reply, "message_type": "confirmed"}
    try:
        return frame(echo)
    except ValueError:
        return frame({**echo, "result": ""})


def _usable(result: str) -> str:
    """Return ``result``; raise ValueError for an error, such as that for a moment MultiVu has no state."""
    if result.startswith("MultiPyVuError") or "has not been implemented" in result:
        raise ValueError(result)
    return result
