"""The runs of lock-ins and sources beside R(T) and R(H): ac susceptibility, contacts, V(I)."""

from dataclasses import dataclass, field

from onnes.runner.ac_findings import SUSCEPTIBILITY, AcFindings, ac_findings
from onnes.runner.contact_findings import (
    CONDUCTANCE_BIAS,
    CONDUCTANCE_TEMPERATURE,
    ContactFindings,
    ZeroBiasFindings,
    contact_findings,
    zero_bias_findings,
)
from onnes.runner.current_voltage_findings import (
    CURRENT_VOLTAGE,
    CurrentVoltageFindings,
    current_voltage_findings,
)
from onnes.runner.results import Keyed
from onnes.storage.reader import Run

CONTACT_KINDS = frozenset({SUSCEPTIBILITY, CONDUCTANCE_BIAS, CONDUCTANCE_TEMPERATURE, CURRENT_VOLTAGE})


@dataclass(slots=True, eq=False)
class ContactRuns:
    """What these runs say, run by run."""

    susceptibilities: list[AcFindings] = field(default_factory=list)
    contacts: list[ContactFindings] = field(default_factory=list)
    zero_bias: list[ZeroBiasFindings] = field(default_factory=list)
    current_voltage: list[CurrentVoltageFindings] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Say whether there is such a run."""
        return bool(self.susceptibilities or self.contacts or self.zero_bias or self.current_voltage)

    def add(self, run: Run, kind: str) -> Keyed:
        """Analyse a run and return what it says.

        Raises:
            StorageError: if a file is damaged.
        """
        if kind == SUSCEPTIBILITY:
            susceptibility, keyed = ac_findings(run)
            self.susceptibilities.append(susceptibility)
        elif kind == CONDUCTANCE_BIAS:
            contact, keyed = contact_findings(run)
            self.contacts.append(contact)
        elif kind == CONDUCTANCE_TEMPERATURE:
            zero, keyed = zero_bias_findings(run)
            self.zero_bias.append(zero)
        else:
            curves, keyed = current_voltage_findings(run)
            self.current_voltage.append(curves)
        return keyed
