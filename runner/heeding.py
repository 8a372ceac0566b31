"""What people ask of a night that does not end it: heeded between two transactions, refused, or left."""

from collections.abc import Callable, Collection
from typing import Final

from onnes.runner.breaks import BrokenOff, HeliumFill, Paused
from onnes.runner.hand_over import HandOvers
from onnes.runner.monitors import Monitors
from onnes.runner.record import Record
from onnes.runner.requests import KINDS, Request, RequestKind, Requests

_ANSWERS: Final[frozenset[RequestKind]] = frozenset({"resume", "acknowledge"})  # to a night that stands still


class Heeding:
    """Heeds requests.

    Args:
        extend: moves the end of what is measured.
    """

    def __init__(
        self,
        requests: Requests,
        record: Record,
        monitors: Monitors,
        hand_overs: HandOvers,
        extend: Callable[[Request], None],
    ) -> None:
        self._requests = requests
        self._record = record
        self._monitors = monitors
        self._hand_overs = hand_overs
        self._extend = extend

    def asked(self) -> None:
        """Heed the requests that do not end the night.

        A pause while MultiVu measures by itself would cost the open curve and hold nothing: it is refused.
        In a helium transfer its points are marked.

        Raises:
            BrokenOff: for a pause or a helium transfer.
        """
        requests = self._requests
        self._monitors.say_what_was_asked()
        if self._hand_overs.is_under_way:
            if (pause := requests.withdraw_pause()) is not None:
                text = (
                    f"pause asked by {pause.who}: MultiVu measures by its own sequence, which cannot be held "
                    "from here; nothing has changed; pause it in MultiVu, or ask this night to stop"
                )
                self._record.event("request_refused", text, pause.values)
        elif (pause := requests.pause) is not None:
            raise BrokenOff(Paused(requests, pause))
        elif (fill := requests.helium_fill) is not None:
            raise BrokenOff(HeliumFill(requests, fill))
        self.answered(())

    def answered(self, answers: Collection[RequestKind]) -> None:
        """Heed what changes neither step nor state, and tell of what nothing waits for; nothing is kept.

        Args:
            answers: what the night waits for.
        """
        requests, state = self._requests, self._record.progress.state
        while (extend := requests.take("extend")) is not None:
            self._extend(extend)
        kinds = KINDS if requests.only_abort else _ANSWERS.difference(answers)
        for vain in requests.take_vain(kinds):
            why = "on its way out" if requests.only_abort else f"{state}, and nothing waits for that"
            text = f"{vain.kind} asked by {vain.who}: the night is {why}"
            self._record.event("request_refused", text, vain.values)
