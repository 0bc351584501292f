"""`lastUseTime`: written at the first use, then now and then, and whatever is left when it is asked for."""

import sqlite3
from datetime import datetime, timedelta, timezone

from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database, ModelRow, VersionRow
from aip_magics.server.state.last_use_times import LastUseTimes
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.spec import Model, Operation, Version

KEY = ModelKey("global", "proj", "m").child("v1")
BEGIN = datetime(2024, 3, 5, 6, 7, 8, tzinfo=timezone.utc)


class FullDatabase:
    """A database on a full disk."""

    def set_last_use(self, *_arguments):
        raise sqlite3.OperationalError("database or disk is full")


def test_last_use_on_a_full_disk_costs_no_prediction():
    uses = LastUseTimes(FullDatabase(), lambda: BEGIN)
    uses.note(KEY)
    uses.write()


def test_last_use_on_a_full_disk_is_written_once_there_is_space():
    class FullOnce(FullDatabase):
        written = ()

        def set_last_use(self, *arguments):
            if not self.written:
                self.written = (None,)
                super().set_last_use()
            self.written = arguments

    database = FullOnce()
    uses = LastUseTimes(database, lambda: BEGIN)
    uses.note(KEY)
    uses.write()  # as before the version is shown
    assert database.written == (KEY, "2024-03-05T06:07:08Z")
    database.written = "unchanged"
    uses.write()
    assert database.written == "unchanged"


def test_last_use_is_not_written_for_every_request(tmp_path):
    store, now = Database(tmp_path / "db"), [BEGIN]
    store.create_model(ModelRow(KEY.parent, Model(), None))
    operation = OperationRow("global", "proj", "m", "v1", Operation("projects/proj/operations/o"))
    store.create_version(VersionRow(KEY, Version(state="READY", description="한국어"), "/python"), operation)
    uses = LastUseTimes(store, lambda: now[0])

    def written():
        return store.get_version(KEY).version.lastUseTime

    assert written() is None
    uses.note(KEY)
    assert written() == "2024-03-05T06:07:08Z"
    now[0] += timedelta(seconds=10)
    uses.note(KEY)
    assert written() == "2024-03-05T06:07:08Z"
    uses.write()
    assert written() == "2024-03-05T06:07:18Z"
    now[0] += timedelta(seconds=60)
    uses.note(KEY)
    assert written() == "2024-03-05T06:08:18Z"
    assert store.get_version(KEY).version.description == "한국어"
    uses.forget(KEY)
    store.set_last_use(KEY.parent.child("gone"), "x")  # a version that is deleted while it predicts
    assert written() == "2024-03-05T06:08:18Z"
    store.close()
