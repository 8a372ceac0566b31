"""The timestamps of a Model 6000: fresh, repeated, garbled, or begun anew after a restart."""

from dataclasses import dataclass, field

from onnes.instruments.errors import InstrumentFault

# A reply with the timestamp of the one before, asked for longer ago than this, was made for that one. A stamp
# in whole seconds is allowed one.
_STAMP_S = 0.05

# How far a stamp may be from where the clock says it should be, before it is asked for again: a fixed part
# for the delays of the bus, and a part of the time that passed for a controller whose clock is off.
_SLACK_S, _SLACK = 5.0, 0.01


@dataclass(frozen=True, slots=True)
class _Seen:
    stamp: float
    time: float

    def is_repeated_by(self, later: "_Seen") -> bool:
        """Say whether ``later`` can only be the same reply once more."""
        step = 1.0 if self.stamp.is_integer() else _STAMP_S
        return later.stamp == self.stamp and later.time - self.time > step

    def is_continued_by(self, later: "_Seen") -> bool:
        """Say whether the controller may have counted from here to ``later`` without a jump."""
        passed = later.time - self.time
        return 0.0 <= later.stamp - self.stamp <= passed + _SLACK_S + _SLACK * passed


@dataclass(slots=True)
class Stamps:
    """Judges the stamp of each reply by those before; times are of the clock, s.

    One stamp that does not follow from the one before is no proof of anything: it is asked for again. Two
    that do not, but agree with each other, are the truth.
    """

    _last: _Seen | None = field(default=None, init=False)
    _doubted: _Seen | None = field(default=None, init=False)

    def check(self, stamp: float, now: float, reply: str) -> None:
        """Take the stamp of a reply, or refuse the reply.

        Raises:
            ValueError: if the reply is an old one, or its stamp must be confirmed by another.
            InstrumentFault: if two stamps say that the controller was restarted.
        """
        seen, last, doubted = _Seen(stamp, now), self._last, self._doubted
        if last is not None:
            passed = now - last.time
            if last.is_repeated_by(seen) or (doubted is not None and doubted.is_repeated_by(seen)):
                raise ValueError(f"the reply {reply!r} is the one before, {passed:.3g} s old")
            if not last.is_continued_by(seen):
                self._doubted = seen
                if doubted is None or not doubted.is_continued_by(seen):
                    raise ValueError(
                        f"the time in the reply {reply!r} does not follow from {last.stamp:.9g} s, "
                        f"{passed:.3g} s before"
                    )
                if stamp < last.stamp - _SLACK_S:
                    raise InstrumentFault(
                        f"the controller of the PPMS was restarted: its time went from {last.stamp:.9g} s "
                        f"back to {stamp:.9g} s; look at the cryostat before going on"
                    )
        self._last, self._doubted = seen, None
