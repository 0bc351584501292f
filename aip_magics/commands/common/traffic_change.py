"""Change where the traffic of a model goes, and write the splits before and after into its journal."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aip_magics.commands.common import name_cache
from aip_magics.commands.common.traffic_journal import TrafficJournal

if TYPE_CHECKING:
    from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Where the traffic of a model goes.

    Attributes:
        name: The full name of the model.
        split: Percent by version; empty for a model without versions.
        before: The split before a change; None if nothing was changed.
        is_recorded: Whether a rollback will know the split before the change.
    """

    panel_kind: ClassVar[str] = "traffic"
    name: str
    split: Mapping[str, int]
    before: Mapping[str, int] | None = None
    is_recorded: bool = True

    @property
    def model(self) -> str:
        """The ID of the model."""
        return self.name.rpartition("/")[2]

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "traffic": dict(self.split),
            "before": None if self.before is None else dict(self.before),
        }


@dataclasses.dataclass
class RecordedChange:
    """A change that is being made: the splits before and after it, and whether the journal could be written."""

    before: Mapping[str, int]
    after: Mapping[str, int] = dataclasses.field(default_factory=dict)
    is_recorded: bool = True


def open_journal(target: Target, model: str) -> TrafficJournal:
    """Open the journal of a model of this target."""
    key = f"{name_cache.cache_key(target.settings)} {target.model_name(model)}"
    return TrafficJournal(target.settings.data_dir, key)


@contextlib.contextmanager
def recorded_change(target: Target, model: str) -> Iterator[RecordedChange]:
    """Record a change that the block makes, and whose `after` it sets to names as the target lists them.

    A block that fails leaves only the split before it in the journal.
    """
    journal = open_journal(target, model)
    change = RecordedChange(target.client.get_traffic(model))
    if change.before:
        change.is_recorded = journal.add(change.before)
    yield change
    change.is_recorded = journal.add(change.after) and change.is_recorded


def change_traffic(target: Target, model: str, split: Mapping[str, int]) -> Traffic:
    """Set the split of a model, unless it has it already."""
    name = target.model_name(model)
    with recorded_change(target, model) as change:
        change.after = split
        if change.before != split:
            target.client.set_traffic(model, split)
    if change.before == split:
        return Traffic(name, dict(split))
    return Traffic(name, dict(split), change.before, change.is_recorded)
