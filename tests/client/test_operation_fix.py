"""The embedded server gives the fix of a model that did not load; the failed operation has it."""

from __future__ import annotations

import pytest

from aip_magics.client.operation_watch import watch_operation
from aip_magics.errors import OperationFailed, PredictionError
from aip_magics.server.version_creation import _bad_model_status
from aip_magics.spec import Operation, Status


@pytest.mark.parametrize("log", ["", "Traceback\nValueError"])
def test_failed_operation_has_the_fix_of_the_server(log: str) -> None:
    status = _bad_model_status(PredictionError("FAILED_TO_LOAD_MODEL", "no op", fix="add --env model", log=log))
    assert failure(status).fix == "add --env model"
    without = _bad_model_status(PredictionError("FAILED_TO_LOAD_MODEL", "no op", log=log))
    assert failure(without).fix == ""


def test_failed_operation_of_another_server_has_no_fix() -> None:
    foreign = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "domain": "googleapis.com",
        "metadata": {"fix": "x"},
    }
    for details in (None, (foreign,), ({"domain": "aip-magics", "metadata": "text"},)):
        assert failure(Status(3, "bad", details)).fix == ""


def failure(status: Status) -> OperationFailed:
    operation = Operation.from_json({"name": "projects/p/operations/o", "done": True, "error": status.to_json()})
    with pytest.raises(OperationFailed) as caught:
        list(watch_operation(operation, lambda _name: operation, max_delay=1.0, sleep=lambda _seconds: None))
    return caught.value
