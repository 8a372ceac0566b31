"""The TCP door: instruments of a virtual lab on a port of this computer, for programs that are not ours.

A foreign process cannot join virtual time, so the lab runs on the wall clock, or faster than it.
"""

import math
import socket
import threading

from pyvisa import rname

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.device import Device
from onnes.sim.lab import VirtualLab
from onnes.sim.link import Link

LOOPBACK = "127.0.0.1"

_LOOK_S = 0.1  # real time between two looks at the agenda of the lab, and whether the door closes
_SEND_WITHIN_S = 5.0
_ENDS_WITHIN_S = 2.0


class Door:
    """One instrument on one port, 0 for a free one; each connection is a link of its own.

    Raises:
        ConfigurationError: if ``host`` is not this computer alone, the port is taken, or the lab runs in
            virtual time.
    """

    def __init__(self, lab: VirtualLab, device: Device, port: int = 0, host: str = LOOPBACK) -> None:
        if host != LOOPBACK:
            raise ConfigurationError(
                f"host = {host!r} is not allowed: nobody has to say who he is at this door, so it opens on "
                f"{LOOPBACK} only; tunnel with ssh from elsewhere"
            )
        if not isinstance(lab.clock, WallClock):
            raise ConfigurationError(
                f"the lab {lab.name!r} runs in virtual time, which no other program can join; "
                "make it on a WallClock"
            )
        try:
            self._listening = socket.create_server((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} of {host} cannot be opened for {device.name!r}: {error.strerror}; "
                "end the program that has it, or change the port in the lab file"
            ) from error
        self.device = device
        self.host, self.port = self._listening.getsockname()
        self._lab = lab
        self._speed = lab.clock.speed
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._welcome, name=f"door of {device.name}", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Close the door and all connections; a second call does nothing."""
        self._closing.set()
        for thread in self._threads:
            thread.join(_ENDS_WITHIN_S)
        self._listening.close()

    def _welcome(self) -> None:
        self._listening.settimeout(_LOOK_S)
        while not self._closing.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                with self._lab.lock:
                    self._lab.tick()  # what happens in the lab happens although nobody asks
                continue
            with self._lab.lock:
                is_welcome = self.device.accepts(self._lab.tick())
            if not is_welcome:
                connection.close()
                continue
            talk = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            self._threads = [thread for thread in self._threads if thread.is_alive()] + [talk]
            talk.start()

    def _talk(self, connection: socket.socket) -> None:
        link = Link(self._lab, self.device, has_end=False)
        link.pace = self._speed
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while not self._closing.is_set() and not (link.is_lost and math.isinf(link.due_s())):
                    self._pass_on(link, connection)
            except OSError:  # the other end is gone, with or without a word
                pass
            finally:
                link.close()

    def _pass_on(self, link: Link, connection: socket.socket) -> None:
        """Send what is ready, then wait for bytes until more is.

        Raises:
            OSError: if the connection is gone.
        """
        ready = link.take_ready()
        if ready:
            connection.settimeout(_SEND_WITHIN_S)
            connection.sendall(ready)
        connection.settimeout(min(max(link.due_s() / self._speed, 1e-3), _LOOK_S))
        try:
            data = connection.recv(65536)
        except TimeoutError:
            return
        if not data:
            raise ConnectionResetError
        link.write(data)


def open_doors(lab: VirtualLab) -> list[Door]:
    """Open a door for each ``SOCKET`` of the lab, on the port that its VISA name says.

    Raises:
        ConfigurationError: as for :class:`Door`, or if the lab has no such instrument.
    """
    doors: list[Door] = []
    try:
        for name, device in lab.resources.items():
            resource = rname.ResourceName.from_string(name)
            if resource.resource_class == "SOCKET":
                doors.append(Door(lab, device, int(getattr(resource, "port", 0))))
        if not doors:
            raise ConfigurationError(
                f"the lab {lab.name!r} has no instrument on a network; add a resource such as "
                "'TCPIP0::192.168.0.20::27183::SOCKET' to one"
            )
    except ConfigurationError:
        for door in doors:
            door.close()
        raise
    return doors
