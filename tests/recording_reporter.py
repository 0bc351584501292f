"""A reporter that keeps what it is told."""

from __future__ import annotations

from typing import Any

from aip_magics.events import Event


class RecordingReporter:
    """`events` in their order, and the values `shown`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.shown: list[Any] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def show(self, value: Any) -> None:
        self.shown.append(value)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]
