"""Whether the console can answer: a view that can be read and is fresh, and the broker behind it."""

from collections.abc import Mapping
from typing import Any

from alerts.console.shapes import view_row
from streams.runtime.broker_probe import BrokerProbe
from streams.runtime.prompt import PromptQuestion
from streams.view.view_reader import ReadView, ViewAge, ViewUnavailableError


class ConsoleReadiness:
    """Answers within a tenth of a second, whatever Redis and the broker do. `was_ready` is the last answer."""

    def __init__(self, view: ReadView, probe: BrokerProbe | None, *, stale_after_seconds: float) -> None:
        self._question = PromptQuestion[ViewAge](view.positions)
        self._probe = probe
        self._stale_after_seconds = stale_after_seconds
        self.was_ready = False

    async def look(self) -> tuple[bool, Mapping[str, Any]]:
        """Return whether the console is ready, and the facts: what it waits for, and the age of the view."""
        waiting_for = [] if self._probe is None else self._probe.waiting_for()
        row: Mapping[str, Any] = {}
        detail = None
        try:
            age = await self._question.ask()
        except ViewUnavailableError as error:
            detail = str(error)
        else:
            if age is None:
                detail = "Redis does not answer in time"
            else:
                row = view_row(age, stale_after_seconds=self._stale_after_seconds)
                if row["stale"]:
                    waiting_for.append("the workers to write the read view: it is missing or old")
        if detail is not None:
            waiting_for.append(f"the read view: {detail}")
        self.was_ready = not waiting_for
        return self.was_ready, {"waiting_for": waiting_for, **row, **({"detail": detail} if detail else {})}

    def close(self) -> None:
        """Ask no more."""
        self._question.close()
