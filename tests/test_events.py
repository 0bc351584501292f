from __future__ import annotations

import dataclasses

import pytest

from aip_magics import events
from aip_magics.events import Event, Progress, StepFinished
from aip_magics.render import RunState
from aip_magics.render.json import event_json

KINDS = {kind.__name__: kind for kind in Event.__subclasses__()}


def test_events_stand_in_one_file():
    assert KINDS
    assert {kind.__module__ for kind in KINDS.values()} == {events.__name__}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_events_are_documented_values_of_a_step(kind):
    fields = dataclasses.fields(kind)
    assert fields[0].name == "step"
    assert kind.__doc__ or len(fields) > 1
    values = [field.name for field in fields if field.default is dataclasses.MISSING]
    assert kind(*values) == kind(*values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind(*values).step = "other"


def test_events_have_optional_fields():
    assert Progress("upload", 1, 2, "files").note == ""
    assert StepFinished("upload", "done").value is None


def test_events_unknown_to_the_renderers_are_written_and_stop_nothing():
    @dataclasses.dataclass(frozen=True)
    class Strange(Event):
        weight: int

    assert event_json(Strange("upload", 3)) == {"event": "strange", "step": "upload", "weight": 3}
    assert RunState().apply(Strange("upload", 3), 5.0).now == 5.0
