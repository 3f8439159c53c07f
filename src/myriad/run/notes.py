"""What a supervisor writes down: changes of its run together with the events that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from myriad.run.clock import Clock
from myriad.run.store import Store
from myriad.spec.run import RunEvent, SupervisorEventKind


@dataclass
class Notes:
    """Writes to the database for one run. Troubles wait until it can be written, and are told of once."""

    store: Store
    run: str
    clock: Clock
    tell: Callable[[str], None]
    """Gets every event as a line for people, once it is kept."""
    _troubles: dict[str, str] = field(default_factory=dict)
    _untold: list[RunEvent] = field(default_factory=list)

    def event(self, kind: SupervisorEventKind, **more: Any) -> RunEvent:
        """An event of now; it is kept with the next change that it is given to."""
        return RunEvent(time_s=self.clock.wall_s(), kind=kind, **more)

    def trouble(self, topic: str, text: str) -> None:
        """Leaves an event of what was met and gone on from: once, until it is `over` or says another thing."""
        if self.is_new(topic, text):
            self._untold.append(self.event("trouble", text=text))

    def is_new(self, topic: str, text: str) -> bool:
        """Whether a trouble was not known; it is from now on."""
        if self._troubles.get(topic) == text:
            return False
        self._troubles[topic] = text
        return True

    def over(self, topic: str) -> None:
        """Ends a trouble: it is told of again when it comes back."""
        self._troubles.pop(topic, None)

    def change(self, values: dict[str, Any] | None = None, events: Iterable[RunEvent] = (), **submissions: Any) -> None:
        """Writes changes, events, and those that waited, in one transaction; see `Store.change`."""
        told = [*self._untold, *events]
        if not (values or told or submissions):
            return
        self.store.change(self.run, values, told, **submissions)
        self._untold.clear()
        self.over("database")
        for event in told:
            self.tell(event_text(event))


def event_text(event: RunEvent) -> str:
    """An event as one line for people."""
    where = [
        f"submission {event.submission}" if event.submission is not None and event.life is None else "",
        f"life {event.life}" if event.life else "",
        f"rank {event.rank}" if event.rank is not None else "",
        f"on {event.node}" if event.node else "",
        f"step {event.step}" if event.step is not None else "",
    ]
    told = ", ".join(part for part in [*where, event.text] if part)
    return f"{event.kind}: {told}" if told else event.kind
