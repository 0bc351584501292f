"""The end of a CREATE_VERSION operation, as another process would find it in the database."""

import asyncio
import sqlite3
import sys
from datetime import datetime, timezone

from test_database import operation

from aip_magics.errors import PredictionError
from aip_magics.server.gcs import ObjectStore
from aip_magics.server.names import ModelKey
from aip_magics.server.serving.node_groups import NodeGroups
from aip_magics.server.state.database import Database, ModelRow, VersionRow
from aip_magics.server.state.installations import Installations
from aip_magics.server.state.model_snapshots import ModelSnapshots
from aip_magics.server.version_creation import VersionCreator
from aip_magics.spec import Model, Version

KEY = ModelKey("global", "proj", "m").child("v1")


def now():
    return datetime(2026, 1, 1, tzinfo=timezone.utc)


async def no_worker(node_spec):
    raise PredictionError("FAILED_TO_LOAD_MODEL", "it does not load")


def test_version_creation_that_fails_keeps_its_snapshots_until_its_end_is_written(tmp_path):
    """A server that is killed before runs it again, with the same files: an upload's may have changed since."""
    database, objects = Database(tmp_path / "db"), ObjectStore(tmp_path, now)
    snapshots = ModelSnapshots(tmp_path / "artifacts")
    seen = []

    def finish(key, version, row):
        with sqlite3.connect(tmp_path / "db") as other:
            seen.append(other.execute("SELECT state, artifact FROM versions").fetchone())
        other.close()
        database.finish_version(key, version, row)

    async def run():
        creator = VersionCreator(
            database,
            objects,
            snapshots,
            NodeGroups(no_worker, lambda *_: None),
            now,
            lambda _: None,
            Installations(tmp_path, snapshots.path("")),
            finish,
        )
        running = database.list_running_operations()[0]
        creator.start(running)
        await creator.wait(running, 60)

    snapshot = snapshots.create(objects, [])
    database.create_model(ModelRow(KEY.parent, Model(), None))
    row = VersionRow(KEY, Version(deploymentUri="gs://b/m", state="CREATING"), sys.executable, artifact=snapshot)
    database.create_version(row, operation("one"))
    asyncio.run(run())
    assert seen == [("CREATING", snapshot)]
    found = database.get_version(KEY)
    assert (found.version.state, found.artifact) == ("FAILED", None)
    assert "it does not load" in found.version.errorMessage
    assert not snapshots.path(snapshot).exists()
    objects.close()
    database.close()
