"""The door for PyVISA: every program that speaks VISA finds the virtual lab as ``@onnes``.

PyVISA looks for a module ``pyvisa_onnes``; what stands before the ``@`` is the name of a lab or the path of a
lab file. A lab that nobody registered runs on the wall clock, so that plain scripts just work.
"""

from pathlib import Path
from typing import Any, NoReturn

from pyvisa import attributes, constants, errors, rname
from pyvisa.constants import EventType, InterfaceType, ResourceAttribute, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import DebugInfo, LibraryPath

from onnes.instruments.clock import WallClock
from onnes.instruments.errors import ConfigurationError
from onnes.sim.device import Device
from onnes.sim.journal import JournalEntry
from onnes.sim.lab import VirtualLab, canonical, find_lab, set_lab
from onnes.sim.lab_file import lab_key, load_lab
from onnes.sim.lab_layers import SHIPPED
from onnes.sim.link import Link, ReadEnd

_STATUS = {
    ReadEnd.END: StatusCode.success,
    ReadEnd.TERMINATOR: StatusCode.success_termination_character_read,
    ReadEnd.COUNT: StatusCode.success_max_count_read,
}


class _Session:
    """One opened resource: its link, and what the attributes say about reading from it."""

    def __init__(self, lab: VirtualLab, device: Device, link: Link, resource: rname.ResourceName) -> None:
        self.lab = lab
        self.device = device
        self.link = link
        self.interface = InterfaceType[resource.interface_type.lower()]
        self.values = _defaults(self.interface, resource)
        self.timeout_s = 0.0
        self.terminator: int | None = None
        self.send_end = True
        self.settle()

    def settle(self) -> None:
        """Take over what the attributes say; called after each change of one."""
        values = self.values
        timeout_ms = values[ResourceAttribute.timeout_value]
        self.timeout_s = float("inf") if timeout_ms == constants.VI_TMO_INFINITE else timeout_ms / 1000.0
        is_terminated = bool(values.get(ResourceAttribute.termchar_enabled)) or (
            values.get(ResourceAttribute.asrl_end_in) == constants.SerialTermination.termination_char
        )
        self.terminator = int(values[ResourceAttribute.termchar]) if is_terminated else None
        self.send_end = bool(values.get(ResourceAttribute.send_end_enabled, True))
        if self.interface is InterfaceType.asrl:
            self.link.baud = values[constants.VI_ATTR_ASRL_BAUD]

    def note_terminator(self) -> None:
        """Write down, in strict mode, that a driver waits for a terminator which does not come."""
        if self.lab.strict:
            awaited = repr(chr(self.terminator or 0))
            self.lab.journal.append(JournalEntry(self.lab.now(), self.device.name, "terminator", awaited))


def _defaults(interface: InterfaceType, resource: rname.ResourceName) -> dict[int, Any]:
    kind = (interface, resource.resource_class)
    values = {
        number: attribute.default
        for number, attribute in attributes.AttributesByID.items()
        if attribute.in_resource(kind)
        and isinstance(attribute.default, int | str)
        and attribute.default != "N/A"
    }
    values[ResourceAttribute.interface_type] = interface
    values[ResourceAttribute.interface_number] = int(getattr(resource, "board", 0))
    values[ResourceAttribute.resource_class] = resource.resource_class
    values[ResourceAttribute.resource_name] = str(resource)
    values[ResourceAttribute.resource_manufacturer_name] = "Onnes"
    if interface is InterfaceType.gpib:
        values[ResourceAttribute.gpib_primary_address] = int(getattr(resource, "primary_address", 0))
        values[ResourceAttribute.gpib_secondary_address] = int(constants.VI_NO_SEC_ADDR)
        values[ResourceAttribute.gpib_ren_state] = constants.LineState.asserted
    if interface is InterfaceType.tcpip:
        values[ResourceAttribute.tcpip_address] = getattr(resource, "host_address", "")
        values[ResourceAttribute.tcpip_hostname] = getattr(resource, "host_address", "")
        values[ResourceAttribute.tcpip_port] = int(getattr(resource, "port", "0") or 0)
    return values


class OnnesVisaLibrary(VisaLibraryBase):
    """The VISA functions that message-based instruments need, over the links of one virtual lab."""

    _next_session: int
    _sessions: dict[int, _Session]

    @staticmethod
    def get_library_paths() -> tuple[LibraryPath, ...]:
        """Return the one path of bare ``@onnes``.

        Not ``"unset"``: on that path PyMeasure closes the manager that all instruments share.
        """
        return (LibraryPath("default"),)

    @staticmethod
    def get_debug_info() -> DebugInfo:
        """Return what ``pyvisa-info`` prints."""
        return {"Labs that come along": ", ".join(SHIPPED)}

    def _init(self) -> None:
        self._sessions = {}
        self._next_session = 1
        if find_lab(self._key) is None and self._key not in SHIPPED and not Path(self._key).is_file():
            raise ConfigurationError(
                f"no virtual lab {str(self.library_path)!r}; there are {', '.join(SHIPPED)}, those that this "
                "program registered, and lab files by their path, such as labs/mine.toml"
            )

    @property
    def _key(self) -> str:
        return lab_key(str(self.library_path))

    @property
    def lab(self) -> VirtualLab:
        """Return the lab that this library leads to now; made on first use if nobody registered it.

        Raises:
            ConfigurationError: if its file is wrong.
        """
        # Looked up each time: a library that someone keeps alive must not go on serving a lab that is gone.
        lab = find_lab(self._key)
        if lab is None:
            lab = load_lab(self._key, WallClock())
            set_lab(self._key, lab)
        return lab

    def provenance(self) -> dict[str, str | int]:
        """Return what data files say about where they come from."""
        lab = self.lab
        return {"backend": "simulated", "lab": lab.name, "seed": lab.seed, "sha256": lab.sha256}

    # --- sessions -------------------------------------------------------------------------------------

    def _done(self, session: int, status: StatusCode = StatusCode.success) -> StatusCode:
        self._last_status = self._last_status_in_session[VISASession(session)] = status
        return status

    def _fail(self, session: int, status: StatusCode) -> NoReturn:
        self._done(session, status)
        raise errors.VisaIOError(status)

    def _session(self, session: int) -> _Session:
        try:
            return self._sessions[session]
        except KeyError:
            raise errors.InvalidSession from None

    def _new_session(self) -> int:
        number, self._next_session = self._next_session, self._next_session + 1
        return number

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Open the session of a resource manager."""
        number = self._new_session()
        return VISARMSession(number), self._done(number)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open an instrument by its VISA name."""
        lab = self.lab
        try:
            name = canonical(resource_name)
        except ValueError:
            self._fail(session, StatusCode.error_invalid_resource_name)
        device = lab.resources.get(name)
        if device is None:
            self._fail(session, StatusCode.error_resource_not_found)
        resource = rname.ResourceName.from_string(name)
        if resource.resource_class == "SOCKET":
            with lab.lock:
                if not device.accepts(lab.tick()):
                    self._fail(session, StatusCode.error_resource_not_found)  # as of a refused connection
            link = Link(lab, device, has_end=False)  # each connection has its own
        else:
            is_marked = resource.interface_type != "ASRL"
            link = lab.links.setdefault(name, Link(lab, device, has_end=is_marked))
        number = VISASession(self._new_session())
        self._sessions[number] = _Session(lab, device, link, resource)
        return number, self._done(number)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session; the instrument stays as it is."""
        at = self._sessions.pop(session, None)
        if at is not None and at.values[ResourceAttribute.resource_class] == "SOCKET":
            at.link.close()
        return self._done(session)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the VISA names in the lab that match ``query``."""
        self._done(session)
        return tuple(rname.filter(self.lab.resources, query))

    # --- messages -------------------------------------------------------------------------------------

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes."""
        at = self._sessions.get(session) or self._session(session)
        if at.link.is_lost:
            self._fail(session, StatusCode.error_connection_lost)
        at.link.write(data, at.send_end)
        self._last_status = self._last_status_in_session[session] = StatusCode.success
        return len(data), StatusCode.success

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read until the instrument ends its message, a terminator, ``count`` bytes or the time-out."""
        at = self._sessions.get(session) or self._session(session)
        data, end = at.link.read(count, at.timeout_s, at.terminator)
        if end is ReadEnd.TIMEOUT:
            self._fail(session, StatusCode.error_timeout)
        if end is ReadEnd.LOST:
            self._fail(session, StatusCode.error_connection_lost)
        if end is ReadEnd.END and at.terminator is not None and data[-1:] != bytes([at.terminator]):
            at.note_terminator()
        status = self._last_status = self._last_status_in_session[session] = _STATUS[end]
        return data, status

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Poll the status byte."""
        return self._session(session).link.status_byte(), self._done(session)

    def clear(self, session: VISASession) -> StatusCode:
        """Send a device clear."""
        self._session(session).link.clear()
        return self._done(session)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Throw away what was received; what was written is always sent already."""
        buffers = constants.BufferOperation
        if mask & (buffers.discard_read_buffer | buffers.discard_receive_buffer):
            self._session(session).link.discard_input()
        return self._done(session)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Send a group execute trigger."""
        self._session(session).link.trigger()
        return self._done(session)

    def gpib_control_ren(self, session: VISASession, mode: constants.RENLineOperation) -> StatusCode:
        """Accept a change of the remote line; front panels do not exist here."""
        self._session(session)
        return self._done(session)

    def lock(
        self, session: VISASession, lock_type: constants.Lock, timeout: int, requested_key: str | None = None
    ) -> tuple[str, StatusCode]:
        """Grant a lock: all sessions are of this process."""
        self._session(session)
        return requested_key or "onnes", self._done(session)

    def unlock(self, session: VISASession) -> StatusCode:
        """Give a lock back."""
        self._session(session)
        return self._done(session)

    # --- events ---------------------------------------------------------------------------------------

    def enable_event(
        self,
        session: VISASession,
        event_type: EventType,
        mechanism: constants.EventMechanism,
        context: None = None,
    ) -> StatusCode:
        """Accept; a service request is always seen."""
        return self._done(session)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: constants.EventMechanism
    ) -> StatusCode:
        """Accept."""
        return self._done(session)

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: constants.EventMechanism
    ) -> StatusCode:
        """Accept; nothing is queued."""
        return self._done(session)

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Let time pass until the instrument requests service."""
        at = self._session(session)
        if in_event_type not in {EventType.service_request, EventType.all_enabled}:
            self._fail(session, StatusCode.error_invalid_event)
        if at.link.wait_for_service(timeout / 1000.0):
            return EventType.service_request, VISAEventContext(0), self._done(session)
        self._fail(session, StatusCode.error_timeout)

    # --- attributes -----------------------------------------------------------------------------------

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: ResourceAttribute | constants.EventAttribute,
    ) -> tuple[Any, StatusCode]:
        """Return an attribute of a session."""
        values = self._session(session).values
        if attribute not in values:
            self._fail(session, StatusCode.error_nonsupported_attribute)
        return values[attribute], self._done(session)

    def set_attribute(
        self, session: VISASession, attribute: ResourceAttribute, attribute_state: Any
    ) -> StatusCode:
        """Set an attribute of a session."""
        at = self._session(session)
        if attribute not in at.values:
            self._fail(session, StatusCode.error_nonsupported_attribute)
        if not attributes.AttributesByID[attribute].write:
            self._fail(session, StatusCode.error_attribute_read_only)
        at.values[attribute] = attribute_state
        at.settle()
        return self._done(session)
