"""An MPMS3 whose MultiVu server can be reached: set between programs, only read while one is followed."""

from collections.abc import Sequence

from onnes.instruments.clock import Clock
from onnes.instruments.errors import OnnesError, SequenceMayGoOn
from onnes.instruments.limits import Limits
from onnes.instruments.magnetometer_machines import MachineLimits
from onnes.instruments.moments import HandedOver, MagnetometerFlags, MomentProgram
from onnes.instruments.mpms import Mpms3
from onnes.instruments.multivu import MultiVu
from onnes.instruments.multivu_files import MultiVuFiles
from onnes.instruments.protocols import FieldApproach, FieldMode, Reading, TemperatureApproach


class RemoteMpms3(Mpms3):
    """MPMS3 with a connection to its MultiVu: thermostat, magnet and chamber besides.

    Two masters never: from the hand-over on until all rows have come, MultiVu's sequence sets temperature and
    field, and everything here that would set one of them is refused.
    """

    def __init__(
        self,
        remote: MultiVu,
        name: str,
        files: MultiVuFiles,
        limits: MachineLimits,
        clock: Clock,
        *,
        simulated: bool,
    ) -> None:
        super().__init__(name, files, limits, clock, simulated=simulated)
        self._remote = remote
        self.link = remote.link

    @property
    def flags(self) -> MagnetometerFlags:
        """Return what the machine can do; an MPMS3 does not tell the setpoint of its field."""
        return MagnetometerFlags(
            modes=tuple(self.machine.timings),
            can_set=True,
            reads_field_setpoint=False,
            largest_emu=self.machine.largest_emu,
            ac=self.machine.ac,
        )

    def connect(self) -> str:
        """Look for MultiVu's folders, take the slot of its server, and return what is there; nothing is set.

        Raises:
            ConfigurationError: if a folder is not there.
            CommunicationError: if the server does not answer.
        """
        followed = super().connect()
        return f"{self._remote.connect()}; {followed}"

    def answer(self) -> None:
        """Ask a question that changes nothing; raise CommunicationError if the answer does not fit."""
        self._remote.answer()

    def hand_over(self, programs: Sequence[MomentProgram]) -> HandedOver:
        """Write the sequences as every magnetometer does; no setpoint counts as ours any more."""
        handed = super().hand_over(programs)
        self._remote.forget_setpoints()
        return handed

    def follow(self, program: MomentProgram) -> None:
        """Follow the file of a program; no setpoint counts as ours any more."""
        super().follow(program)
        self._remote.forget_setpoints()

    # --- safe state

    def hold(self, *, temperature: bool = False) -> str:
        """Hold the field where it is, with ``temperature`` also that; return what was read back.

        Raises:
            SequenceMayGoOn: if a sequence may go on: nothing was sent.
            InstrumentFault: if the order is not taken.
            CommunicationError: if MultiVu does not answer.
        """
        self.refuse_unsafe()
        return self._remote.hold(temperature=temperature)

    def safe_state(self) -> str:
        """Hold the field where it is and leave the temperature setpoint; raises as :meth:`hold` does."""
        return self.hold()

    # --- temperature

    @property
    def temperature_limits(self) -> Limits:
        """Return the allowed setpoints, K."""
        return self._remote.temperature_limits

    @property
    def temperature_rate_limits(self) -> Limits:
        """Return the allowed rates, K/min."""
        return self._remote.temperature_rate_limits

    def set_temperature(
        self, kelvin: float, rate_k_per_min: float, approach: TemperatureApproach = "fast_settle"
    ) -> None:
        """Start a ramp to ``kelvin`` and confirm the setpoint by reading it back.

        Raises:
            SequenceMayGoOn: while MultiVu's sequence may set it; nothing was sent.
        """
        self._refuse("temperature")
        self._remote.set_temperature(kelvin, rate_k_per_min, approach)

    def temperature_setpoint(self) -> float:
        """Read the setpoint back, K."""
        return self._remote.temperature_setpoint()

    def commanded_rate_k_per_min(self) -> float:
        """Return the largest rate of what may set the temperature, K/min; 0 before anything did."""
        return super().commanded_rate_k_per_min() or self._remote.commanded_rate_k_per_min()

    def confirmed_temperature(self) -> float | None:
        """Return the setpoint that was set here and read back last, K; None while a sequence may set it."""
        return None if self.masters else self._remote.confirmed_temperature()

    def temperature(self) -> Reading:
        """Read the temperature; raise InstrumentFault in a fault state."""
        return self._remote.temperature()

    def hold_temperature(self) -> None:
        """Stop a ramp where it is; raises as :meth:`set_temperature`."""
        self._refuse("temperature")
        self._remote.hold_temperature()

    # --- field

    @property
    def field_limits(self) -> Limits:
        """Return the allowed setpoints, Oe."""
        return self._remote.field_limits

    @property
    def field_rate_limits(self) -> Limits:
        """Return the allowed rates, Oe/s."""
        return self._remote.field_rate_limits

    def set_field(
        self,
        field_oe: float,
        rate_oe_per_s: float,
        approach: FieldApproach = "linear",
        mode: FieldMode = "driven",
    ) -> None:
        """Start a ramp to ``field_oe`` and confirm that it is obeyed.

        Raises:
            SequenceMayGoOn: while MultiVu's sequence may set it; nothing was sent.
        """
        self._refuse("field")
        self._remote.set_field(field_oe, rate_oe_per_s, approach, mode)

    def field_setpoint(self) -> float:
        """Return the setpoint as far as an MPMS3 tells it, Oe; see :class:`MultiVu`."""
        return self._remote.field_setpoint()

    def confirmed_field(self) -> float | None:
        """Return the setpoint that was set here and confirmed last, Oe; None while a sequence may set it."""
        return None if self.masters else self._remote.confirmed_field()

    def field(self) -> Reading:
        """Read the field as MultiVu reports it; raise InstrumentFault in a fault state."""
        return self._remote.field()

    def hold_field(self) -> None:
        """Stop a ramp where it is; raises as :meth:`set_field`."""
        self._refuse("field")
        self._remote.hold_field()

    # --- shared

    def forget_setpoints(self) -> None:
        """Take no setpoint for ours any more: an operator accepts what somebody else set."""
        self._remote.forget_setpoints()

    def snapshot(self) -> tuple[Reading, Reading]:
        """Read temperature and field, one right after the other."""
        return self._remote.snapshot()

    def look(self) -> tuple[Reading | OnnesError, Reading | OnnesError, str | OnnesError]:
        """Read temperature, field and chamber; the fault of one takes only its own place."""
        return self._remote.look()

    def chamber_state(self) -> str:
        """Read the state of the chamber in words; raise InstrumentFault in a fault state."""
        return self._remote.chamber_state()

    def _refuse(self, quantity: str) -> None:
        if self.masters:
            raise SequenceMayGoOn(
                f"MultiVu may go on with its sequence {', '.join(self.masters)}, which sets temperature and "
                f"field; {self.name} set no {quantity}: wait until all moments have come, or stop it there"
            )
