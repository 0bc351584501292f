"""The listening socket's part of what the event loop reports; its pauses are in test_bounded_nodes.py."""

from __future__ import annotations

import asyncio
import errno

import pytest

from aip_magics.server.listener import handle_loop_exception


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"message": "socket.accept() out of system resource", "socket": None}, "no connection is accepted"),
        ({"message": "Task exception was never retrieved"}, "Task exception was never retrieved"),
    ],
)
def test_listener_pause_is_told_apart_from_other_failures_for_want_of_descriptors(caplog, context, expected):
    async def report():
        full = OSError(errno.EMFILE, "Too many open files")
        handle_loop_exception(asyncio.get_running_loop(), {**context, "exception": full})

    asyncio.run(report())
    assert [record.message.startswith(expected) for record in caplog.records] == [True]
