"""Which VISA library was really opened, and what is told when an instrument is not there."""

import pytest
import pyvisa
from pyvisa import constants

from onnes.instruments import visa
from onnes.instruments.errors import CommunicationError, ConfigurationError
from onnes.instruments.visa import library_provenance, open_adapter, open_library


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYVISA_LIBRARY", raising=False)


def test_the_virtual_lab_is_opened_by_name_and_says_what_it_is() -> None:
    told = library_provenance(open_library("simulated", "demo"))
    assert told["backend"] == "simulated"
    assert told["library"] == "onnes.sim.visa.OnnesVisaLibrary"
    assert told["lab"] == "demo"
    assert isinstance(told["seed"], int)
    assert len(told["sha256"]) == 64


@pytest.mark.parametrize("library", ["@onnes", "demo@onnes"])
def test_the_virtual_lab_never_stands_in_for_hardware(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", library)
    with pytest.raises(
        ConfigurationError,
        match=rf"says backend = 'visa', but the environment selects PYVISA_LIBRARY = '{library}'.*unset",
    ):
        open_library("visa")


def test_hardware_never_stands_in_for_the_virtual_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVISA_LIBRARY", "@py")
    with pytest.raises(ConfigurationError, match=r"'simulated', but the environment selects.*'@py'"):
        open_library("simulated", "demo")


@pytest.mark.parametrize(("backend", "got"), [("visa", "demo@onnes"), ("simulated", "")])
def test_what_was_got_is_compared_with_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, backend: visa.Backend, got: str
) -> None:
    class Other:
        visalib = object() if not got else pyvisa.ResourceManager(got).visalib

    monkeypatch.setattr(pyvisa, "ResourceManager", lambda _: Other)
    with pytest.raises(ConfigurationError, match=f"says backend = '{backend}', but the VISA library is"):
        open_library(backend, "demo")


@pytest.mark.parametrize(
    "error",
    [ValueError("Could not locate a VISA implementation."), OSError("libvisa.so: no such file")],
)
def test_a_missing_visa_library_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def none(_: str) -> None:
        raise error

    monkeypatch.setattr(pyvisa, "ResourceManager", none)
    with pytest.raises(ConfigurationError, match=r"no VISA library for backend = 'visa': .*; install"):
        open_library("visa")


def test_an_unknown_lab_is_told_by_name() -> None:
    with pytest.raises(ConfigurationError, match="no_such_lab"):
        open_library("simulated", "no_such_lab")


def test_no_instrument_at_an_address_is_told_with_the_hint_of_the_driver() -> None:
    manager = open_library("simulated", "demo")
    with pytest.raises(CommunicationError, match=r"no instrument at GPIB0::1::INSTR \(ppms\); is MultiVu"):
        open_adapter(manager, "GPIB0::1::INSTR", name="ppms", hint="is MultiVu running?")


@pytest.mark.parametrize("resource", ["somewhere", ""])
def test_what_is_no_visa_name_is_told(resource: str) -> None:
    manager = open_library("simulated", "demo")
    with pytest.raises(ConfigurationError, match=r"VISA resource name"):
        open_adapter(manager, resource, name="ppms")


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (constants.StatusCode.error_resource_busy, CommunicationError, "is held by another program"),
        (constants.StatusCode.error_resource_locked, CommunicationError, "is held by another program"),
        (
            constants.StatusCode.error_library_not_found,
            ConfigurationError,
            "interface of .* not installed",
        ),
        (constants.StatusCode.error_connection_lost, CommunicationError, "cannot be opened: The connection"),
    ],
)
def test_each_reason_of_visa_is_told(
    monkeypatch: pytest.MonkeyPatch, code: constants.StatusCode, kind: type[Exception], text: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise pyvisa.errors.VisaIOError(code)

    manager = open_library("simulated", "demo")
    monkeypatch.setattr(visa, "VISAAdapter", fails)
    with pytest.raises(kind, match=text):
        open_adapter(manager, "GPIB0::15::INSTR", name="ppms")
