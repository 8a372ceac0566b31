"""VISA: the library that is really there, and the resources that it opens.

PyVISA takes ``PYVISA_LIBRARY`` from the environment when nobody names a library, so a stray variable would
turn a real night into a simulated one. What was asked for is therefore compared with what was got.
"""

import os
from collections.abc import Mapping
from typing import Any, Literal

import pyvisa
from pymeasure.adapters import VISAAdapter
from pyvisa.constants import StatusCode

from onnes.instruments.errors import CommunicationError, ConfigurationError, OnnesError
from onnes.instruments.link import DEADLINE_S, LOOK_AT

Backend = Literal["visa", "simulated"]


def open_library(backend: Backend, lab: str = "default") -> pyvisa.ResourceManager:
    """Return the resource manager of the library that ``backend`` asks for.

    Args:
        lab: name or path of the virtual lab; ignored for hardware.

    Raises:
        ConfigurationError: if there is no such library, or the environment selects the other kind.
    """
    named = os.environ.get("PYVISA_LIBRARY", "")
    if named and named.endswith("@onnes") != (backend == "simulated"):
        raise _wrong_backend(backend, f"the environment selects PYVISA_LIBRARY = {named!r}")
    try:
        manager = pyvisa.ResourceManager(f"{lab}@onnes" if backend == "simulated" else "")
    except OnnesError:
        raise
    except (pyvisa.errors.Error, OSError, ValueError) as error:
        if backend == "simulated":
            raise ConfigurationError(
                f"the virtual lab cannot be opened: {error}; install onnes anew"
            ) from error
        raise ConfigurationError(
            f"no VISA library for backend = {backend!r}: {error}; install that of the maker of the GPIB "
            "board (NI-VISA, Keysight IO Libraries), or pyvisa-py"
        ) from error
    found = library_kind(manager)
    if found != backend:
        raise _wrong_backend(backend, f"the VISA library is {_class_name(manager)}, which is {found}")
    return manager


def _wrong_backend(backend: Backend, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"station says backend = {backend!r}, but {found}; correct backend in the station file, "
        "or unset PYVISA_LIBRARY"
    )


def library_kind(manager: pyvisa.ResourceManager) -> Backend:
    """Return what the library behind ``manager`` really is."""
    return "simulated" if type(manager.visalib).__module__.startswith("onnes.sim") else "visa"


def _class_name(manager: pyvisa.ResourceManager) -> str:
    kind = type(manager.visalib)
    return f"{kind.__module__}.{kind.__qualname__}"


def library_provenance(manager: pyvisa.ResourceManager) -> Mapping[str, Any]:
    """Return what the library is: class and path, of a virtual lab also its name, seed and hash."""
    told = {"backend": library_kind(manager), "library": _class_name(manager)}
    if told["backend"] == "simulated":
        return told | dict(manager.visalib.provenance())  # type: ignore[attr-defined]  # the virtual lab's
    return told | {"library_path": str(manager.visalib.library_path)}


def open_adapter(
    manager: pyvisa.ResourceManager,
    resource: str,
    *,
    name: str,
    deadline_s: float = DEADLINE_S,
    termination: str = "\n",
    reply_termination: str | None = "\n",
    hint: str = LOOK_AT,
) -> VISAAdapter:
    """Open ``resource`` for PyMeasure.

    Raises:
        ConfigurationError: if ``resource`` is no VISA resource name, or its interface is not installed.
        CommunicationError: if no instrument is found there, or another program holds it.
    """
    try:
        return VISAAdapter(
            resource,
            visa_library=manager.visalib,
            timeout=round(1e3 * deadline_s),
            write_termination=termination,
            read_termination=reply_termination,
        )
    except OnnesError:
        raise
    except pyvisa.errors.VisaIOError as error:
        raise _not_opened(name, resource, error, hint) from error
    except (pyvisa.errors.Error, OSError, ValueError) as error:
        raise ConfigurationError(
            f"{name}: {resource!r} cannot be opened: {error}; "
            "expected a VISA resource name; e.g. 'GPIB0::15::INSTR'"
        ) from error


def _not_opened(name: str, resource: str, error: pyvisa.errors.VisaIOError, hint: str) -> OnnesError:
    code = error.error_code
    if code in (StatusCode.error_resource_not_found, StatusCode.error_timeout):
        return CommunicationError(f"no instrument at {resource} ({name}); {hint}")
    if code in (StatusCode.error_resource_busy, StatusCode.error_resource_locked):
        return CommunicationError(f"{name} at {resource} is held by another program; close it; {hint}")
    if code == StatusCode.error_invalid_resource_name:
        return ConfigurationError(
            f"{name}: {resource!r} is no VISA resource name; expected for example 'GPIB0::15::INSTR'"
        )
    if code in (StatusCode.error_library_not_found, StatusCode.error_interface_number_not_configured):
        return ConfigurationError(
            f"{name}: the interface of {resource} is not installed: {error.description}"
        )
    return CommunicationError(f"{name} at {resource} cannot be opened: {error.description}; {hint}")
