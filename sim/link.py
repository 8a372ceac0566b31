"""The message exchange between a connection and one instrument: framing, output queue, latency, time-outs.

Every door goes through here, and wire faults are looked up nowhere else.
"""

import math
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from onnes.sim.device import Deferred, Device
from onnes.sim.fault_settings import FaultSettings

if TYPE_CHECKING:
    from onnes.sim.lab import VirtualLab

_FOREVER_S = 86_400.0  # what an infinite time-out means where nobody could interrupt it
_NEVER = float("inf")
_BLANKS = "\r\n\0 "
_POLL_S = 0.01  # how often a wait for a service request looks when nothing is planned
_SERVICE_REQUEST = 0x40
_BITS = 10  # of one byte on a serial line: start, eight, stop
_EPSILON_S = 1e-9  # a sum of latencies may miss the time it should reach by an ulp


class ReadEnd(Enum):
    """Why a read ended."""

    END = auto()  # the instrument said so (EOI)
    TERMINATOR = auto()
    COUNT = auto()
    TIMEOUT = auto()
    LOST = auto()  # the instrument has closed the connection


class _Pending:
    """One reply on its way: its bytes come no sooner than ``ready_at``, lab time in s."""

    __slots__ = ("data", "ready_at")

    def __init__(self, ready_at: float, data: bytes) -> None:
        self.ready_at = ready_at
        self.data = data


class Link:
    """One way to an instrument. All sessions on one GPIB address share one; each TCP connection has its own.

    ``has_end`` says that the bus marks the last byte of a message (GPIB); a serial line or a socket does not.
    ``baud`` is the speed of a serial line; 0 for any other. ``pace`` is how many s of lab time pass in 1 s of
    whoever is at the other end: the patience of a foreign process does not scale with the lab's clock.
    ``is_lost`` says that the instrument has closed the connection.
    """

    def __init__(self, lab: "VirtualLab", device: Device, *, has_end: bool = True) -> None:
        self.lab = lab
        self.device = device
        self.has_end = has_end
        self.baud = 0
        self.pace = 1.0
        self.is_lost = False
        self._conversation = device.converse(self)
        self._input = b""
        self._queue: deque[_Pending] = deque()
        self._last_reply = b""

    @property
    def byte_s(self) -> float:
        """Return the time that one byte takes, s; 0 where that is too short to count."""
        return _BITS / self.baud if self.baud else 0.0

    @property
    def message_available(self) -> bool:
        """Return whether a reply waits that can be read now."""
        queue = self._queue
        return bool(queue) and queue[0].ready_at <= self.lab.now() + _EPSILON_S

    def write(self, data: bytes, end: bool = True) -> None:
        """Send bytes; each line of them, and what ``end`` closes, is a message that the instrument obeys."""
        lab = self.lab
        lab.clock.sleep(self.device.write_latency_s + len(data) * self.byte_s)
        with lab.lock:
            t = lab.tick()
            if self._conversation is not None:
                self._conversation.receive(data, t)
                return
            closes = end and self.has_end
            if closes and not self._input:  # nearly always one whole message
                message = data.decode("latin-1").strip(_BLANKS)
                if "\n" not in message:
                    if message:
                        self.obey(message, t)
                    return
            *lines, rest = (self._input + data).split(b"\n")
            if closes:
                lines.append(rest)
                rest = b""
            self._input = rest
            for line in lines:
                message = line.decode("latin-1").strip(_BLANKS)
                if message:
                    self.obey(message, t)

    def read(self, count: int, timeout_s: float, terminator: int | None = None) -> tuple[bytes, ReadEnd]:
        """Return up to ``count`` bytes and why it ended.

        Waits no longer than ``timeout_s``; a reply that comes too late stays for the next read.
        """
        lab, queue = self.lab, self._queue
        deadline = lab.clock.now() - lab.origin + min(timeout_s, _FOREVER_S)
        asked_in_vain = self._conversation is not None
        got = b""
        while True:
            try:
                ready_at = queue[0].ready_at
            except IndexError:
                ready_at = _NEVER
            if ready_at == _NEVER and not got and not asked_in_vain:
                with lab.lock:
                    t = lab.tick()
                    if self.device.hears(self):
                        self.device.unterminated(t)
                asked_in_vain = True
            if ready_at == _NEVER and self._conversation is not None:
                if self.is_lost:
                    return got, ReadEnd.LOST
                ready_at = lab.next_event() or _NEVER  # which may bring what nobody asked for
            lab.clock.sleep_until(min(ready_at, deadline) + lab.origin)
            with lab.lock:
                t = lab.tick() + _EPSILON_S
                while queue and queue[0].ready_at <= t:
                    head = queue[0]
                    chunk, end = self._take(head, head.data, count - len(got), terminator)
                    got += chunk
                    if end is not None:
                        break
                else:
                    end = ReadEnd.TIMEOUT if t >= deadline else None
            if end is not None:
                if self.byte_s:
                    lab.clock.sleep(len(got) * self.byte_s)
                return got, end

    def clear(self) -> None:
        """Empty input and output of the instrument, as a selected device clear does."""
        self.lab.clock.sleep(self.device.write_latency_s)
        with self.lab.lock:
            t = self.lab.tick()
            self._input = b""
            self._queue.clear()
            self.device.clear(t)

    def close(self) -> None:
        """Let the instrument know that the connection is closed."""
        with self.lab.lock:
            t = self.lab.tick()
            if self._conversation is not None and not self.is_lost:
                self._conversation.close(t)

    def hang_up(self) -> None:
        """Close the connection from the side of the instrument; what it has sent still arrives."""
        self.is_lost = True

    @property
    def ready_at(self) -> float:
        """Return the lab time, s, at which the next bytes are ready; infinity if none will be."""
        return self._queue[0].ready_at if self._queue else _NEVER

    def due_s(self) -> float:
        """Return how much lab time passes until the next bytes are ready, s; infinity if none will be."""
        return max(0.0, self.ready_at - self.lab.now())

    def take_ready(self) -> bytes:
        """Return all bytes that can be read now; none if there are none."""
        with self.lab.lock:
            return self.taken(self.lab.tick())

    def taken(self, t: float) -> bytes:
        """Take all bytes that can be read at ``t`` from the line; none if there are none. Hold the lock."""
        data = b""
        while self._queue and self._queue[0].ready_at <= t + _EPSILON_S:
            data += self._queue.popleft().data
        return data

    def discard_input(self) -> None:
        """Throw away the replies that wait on this side of the line."""
        with self.lab.lock:
            self.lab.tick()
            while self.message_available:
                self._queue.popleft()

    def trigger(self) -> None:
        """Send a group execute trigger."""
        self.lab.clock.sleep(self.device.write_latency_s)
        with self.lab.lock:
            self.device.trigger(self.lab.tick())

    def status_byte(self) -> int:
        """Return the serial poll byte."""
        self.lab.clock.sleep(self.device.write_latency_s)
        with self.lab.lock:
            t = self.lab.tick()
            return self.device.status_byte(t, self.message_available)

    def wait_for_service(self, timeout_s: float) -> bool:
        """Let time pass until the instrument requests service; return whether it did."""
        lab = self.lab
        deadline = lab.now() + min(timeout_s, _FOREVER_S)
        while True:
            with lab.lock:
                t = lab.tick()
                if self.device.status_byte(t, self.message_available) & _SERVICE_REQUEST:
                    return True
                planned = lab.next_event()
            if t >= deadline - _EPSILON_S:
                return False
            wake = t + _POLL_S if planned is None else min(planned, t + _POLL_S)
            lab.clock.sleep_until(min(wake, deadline) + lab.origin)

    def _take(
        self, head: _Pending, data: bytes, room: int, terminator: int | None
    ) -> tuple[bytes, ReadEnd | None]:
        """Take what fits of the first reply; the reason is None if the read must go on."""
        place = -1 if terminator is None else data.find(terminator)
        size = min(room, len(data)) if place < 0 else min(room, place + 1)
        if size < len(data):
            head.data = data[size:]
            return data[:size], ReadEnd.TERMINATOR if size == place + 1 else ReadEnd.COUNT
        self._queue.popleft()
        if self.has_end:
            return data, ReadEnd.END
        if place >= 0 and size == place + 1:
            return data, ReadEnd.TERMINATOR
        return data, ReadEnd.COUNT if size == room else None

    def obey(self, message: str, t: float) -> None:
        """Let the instrument obey one whole message that reaches it at ``t``, if it hears this line."""
        device = self.device
        if not device.hears(self):
            return
        if self._queue and device.drops_unread:
            self._queue.clear()
            device.interrupted(t)
        if not self.arrives(message, t):
            return
        reply = device.execute(message, t)
        if reply is not None:
            self.reply(reply, message, t)

    def arrives(self, message: str, t: float) -> bool:
        """Say whether ``message`` gets through to the instrument in one piece."""
        faults = self.lab.faults
        fault = faults.strike(self.device, message, t, arriving=True) if faults.armed else None
        if fault is not None and fault.kind == "scpi_error":
            self.device.refuse(int(fault.number("code")), t, message)
        return fault is None

    def reply(self, reply: str | bytes | Deferred, message: str, t: float) -> None:
        """Send the reply to ``message`` back, with what goes wrong on its way."""
        device, faults = self.device, self.lab.faults
        fault = faults.strike(device, message, t, arriving=False) if faults.armed else None
        if fault is None and isinstance(reply, str):  # nearly always
            self._last_reply = data = reply.encode("latin-1") + device.terminator
            self._queue.append(_Pending(max(t + device.query_latency_s, device.busy_until), data))
        elif fault is None or fault.kind == "busy":
            self._answer(reply, t, None)
        elif fault.kind == "stale":
            if self._last_reply:
                self._queue.append(_Pending(t + device.query_latency_s, self._last_reply))
            self._answer(reply, t, None)
        elif fault.kind != "timeout":
            self._answer(reply, t, fault)

    def push(self, data: bytes, ready_at: float) -> None:
        """Send bytes that answer no message; nothing goes wrong with them."""
        self._queue.append(_Pending(ready_at, data))

    def _answer(self, reply: str | bytes | Deferred, t: float, fault: FaultSettings | None) -> None:
        latency = self.device.query_latency_s
        if fault is not None and fault.kind == "latency":
            latency += fault.number("seconds")
        busy_until = self.device.busy_until
        if not isinstance(reply, Deferred):
            self._queue.append(_Pending(max(t + latency, busy_until), self._bytes(reply, fault)))
            return
        value = reply.value
        pending = _Pending(max(t + reply.dt + latency, busy_until), b"")  # filled before anyone may read it

        def fill(due: float) -> None:
            pending.data = self._bytes(value(due), fault)
            pending.ready_at = max(pending.ready_at, self.device.busy_until)  # as long as its value made it

        self._queue.append(pending)
        self.lab.at(t + reply.dt, fill)

    def _bytes(self, reply: str | bytes, fault: FaultSettings | None) -> bytes:
        data = reply.encode("latin-1") + self.device.terminator if isinstance(reply, str) else reply
        self._last_reply = data
        return data if fault is None else _spoilt(data, fault, self.device.terminator)


def _spoilt(data: bytes, fault: FaultSettings, terminator: bytes) -> bytes:
    body = data.removesuffix(terminator)
    if fault.kind == "garbage":
        text = fault.text("text")
        if text is not None:
            return text.encode("latin-1", "replace") + terminator
        return bytes(ord("?") if place % 2 else byte for place, byte in enumerate(body)) + terminator
    if fault.kind == "wrong_idn":
        return str(fault.text("text")).encode("latin-1", "replace") + terminator
    if fault.kind == "partial":
        left = fault.number("bytes")
        return body[: len(body) // 2 if math.isnan(left) else int(left)]
    return data
