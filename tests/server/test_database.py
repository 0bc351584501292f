import dataclasses
import sqlite3
from datetime import datetime, timedelta, timezone

import pytest
from mounts import fill, mounted

from aip_magics.errors import AlreadyExists, ServerError
from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database, ModelRow, VersionRow
from aip_magics.server.state.migrations import MIGRATIONS
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.spec import Model, Operation, OperationMetadata, Version

MODEL = ModelKey("global", "proj", "m")
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def operation(name: str, version: str | None = "v1", done: bool | None = None) -> OperationRow:
    value = Operation(f"projects/proj/operations/{name}", OperationMetadata(modelName=MODEL.name), done)
    return OperationRow("global", "proj", "m", version, value)


def version(name: str, state: str = "CREATING") -> VersionRow:
    return VersionRow(MODEL.child(name), Version(deploymentUri="gs://b/d", state=state), "/usr/bin/python3")


@pytest.fixture
def store(tmp_path):
    store = Database(tmp_path / "db")
    store.create_model(ModelRow(MODEL, Model(regions=("us-central1",)), None))
    yield store
    store.close()


def test_database_takes_a_name_once_per_location(store):
    with pytest.raises(AlreadyExists) as caught:
        store.create_model(ModelRow(MODEL, Model(), None))
    assert caught.value.message == "Field: model.name Error: A model with the same name already exists."
    store.create_model(ModelRow(ModelKey("us-east1", "proj", "m"), Model(), None))


def test_database_keeps_no_operation_of_a_version_whose_name_is_taken(store):
    store.create_version(version("v1"), operation("one"))
    with pytest.raises(AlreadyExists):
        store.create_version(version("v1"), operation("two"))
    assert store.get_operation("global", "proj", "one") is not None
    assert store.get_operation("global", "proj", "two") is None


def test_database_makes_the_first_version_that_becomes_ready_the_default(store):
    for name, state in (("broken", "FAILED"), ("good", "READY"), ("later", "READY")):
        store.create_version(version(name), operation(name, name))
        row = store.get_operation("global", "proj", name)
        store.finish_version(MODEL.child(name), version(name, state).version, row)
    assert store.get_model(MODEL).default_version == "good"
    assert [row.is_default for row in store.list_versions(MODEL, "", 9)] == [False, True, False]


def test_database_operation_runs_until_it_is_done(store):
    store.create_version(version("v1"), operation("op"))
    (running,) = store.list_running_operations()
    assert running.version_key == MODEL.child("v1")
    done = OperationRow("global", "proj", "m", "v1", running.operation.replace(done=True), running.number)
    store.finish_version(MODEL.child("v1"), version("v1", "READY").version, done)
    assert store.list_running_operations() == []
    assert store.get_operation("global", "proj", "op").operation.done is True


def test_database_never_gives_an_operation_id_twice(store):
    store.create_version(version("v1"), operation("create_m_v1-1000"))
    assert store.unused_operation_id("global", "proj", "create_m_v1", 1000) == "create_m_v1-1001"
    assert store.unused_operation_id("us-east1", "proj", "create_m_v1", 1000) == "create_m_v1-1000"


def test_database_has_everything_after_opening_it_again(tmp_path):
    path = tmp_path / "db"
    first = Database(path)
    first.create_model(ModelRow(MODEL, Model(description="Modell für später", labels={"a": "b"}), None))
    first.create_version(version("v1"), operation("op"))
    first.set_snapshots(MODEL.child("v1"), "abc", "def")
    first.set_runtime(MODEL.child("v1"), {"libraries": {"numpy": "2"}})
    first.close()
    second = Database(path)
    assert second.get_model(MODEL).model == Model(description="Modell für später", labels={"a": "b"})
    row = second.get_version(MODEL.child("v1"))
    assert (row.artifact, row.runtime, row.python) == ("abc", {"libraries": {"numpy": "2"}}, "/usr/bin/python3")
    assert second.list_snapshots() == {"abc", "def"}
    second.close()


def test_database_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "db"
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(ServerError, match="newer version"):
        Database(path)


def test_database_interrupted_migration_leaves_nothing_half_done(tmp_path, monkeypatch):
    path = tmp_path / "db"
    broken = (*MIGRATIONS, ("CREATE TABLE extra (a)", "this is no SQL"))
    monkeypatch.setattr("aip_magics.server.state.transactions.MIGRATIONS", broken)
    with pytest.raises(sqlite3.OperationalError):
        Database(path)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert database.execute("SELECT 1 FROM sqlite_master WHERE name = 'extra'").fetchone() is None
    database.close()


def create_many(store):
    for number in range(100):
        store.create_version(version(f"v{number}"), operation(f"o{number}", f"v{number}"))


def test_database_on_a_full_disk_goes_on_when_there_is_space_again(tmp_path):
    with mounted(tmp_path / "disk", "size=300k") as disk:
        store = Database(disk / "db")
        store.create_model(ModelRow(MODEL, Model(regions=("us-central1",)), None))
        filler = fill(disk)
        with pytest.raises(sqlite3.OperationalError, match="database or disk is full"):
            create_many(store)
        kept = store.list_versions(MODEL, "", 100)
        assert len(kept) == len(store.list_operations("global", "proj", None, 100)) < 100  # each with its operation
        filler.unlink()
        store.create_version(version("late"), operation("late", "late"))
        assert store.get_version(MODEL.child("late")) is not None
        store.close()


def finished(number: int, day: int = 1, seconds: int = 0) -> OperationRow:
    """An operation that ended on a day of 2026, counted from 1."""
    moment = (BEGIN + timedelta(days=day - 1, seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = OperationMetadata(modelName=MODEL.name, endTime=moment)
    return OperationRow(
        "global", "proj", "m", None, Operation(f"projects/proj/operations/update_m-{number}", metadata, done=True)
    )


def operation_ids(store: Database) -> list[str]:
    return [row.id for row in store.list_operations("global", "proj", None, 10_000)]


def test_database_lists_the_newest_operations_first(store):
    store.create_version(version("v1"), operation("running"))
    for number in range(4):
        store.update_model(store.get_model(MODEL), finished(number))
    assert operation_ids(store) == ["update_m-3", "update_m-2", "update_m-1", "update_m-0", "running"]
    _, second = store.list_operations("global", "proj", None, 2)
    assert [row.id for row in store.list_operations("global", "proj", second.number, 2)] == ["update_m-1", "update_m-0"]
    assert store.list_operations("us-east1", "proj", None, 2) == []


@pytest.mark.slow
def test_database_keeps_a_thousand_finished_operations_and_all_that_run(store):
    store.create_version(version("v1"), operation("running"))
    store.create_version(version("v2"), operation("late", "v2"))
    late = store.get_operation("global", "proj", "late")
    model = store.get_model(MODEL)
    for number in range(1100):
        store.update_model(model, finished(number, seconds=number))
    expected = [f"update_m-{number}" for number in range(1099, 99, -1)]
    assert operation_ids(store) == [*expected, "late", "running"]
    # One that started before all others and ends after them is the last that is pruned.
    done = late.operation.replace(done=True, metadata=finished(0, day=2).operation.metadata)
    store.update_operation(dataclasses.replace(late, operation=done))
    assert operation_ids(store) == [*expected[:-1], "late", "running"]
    assert store.get_operation("global", "proj", expected[-1]) is None
    assert [row.id for row in store.list_running_operations()] == ["running"]
    plan = store.db.execute("EXPLAIN QUERY PLAN DELETE FROM operations WHERE finished < 'x'").fetchall()
    assert "finished_operations" in plan[0]["detail"]


def test_database_keeps_finished_operations_for_thirty_days(store):
    store.create_version(version("v1"), operation("running"))
    model = store.get_model(MODEL)
    for day in (1, 10, 31):
        store.update_model(model, finished(day, day=day))
    assert operation_ids(store) == ["update_m-31", "update_m-10", "update_m-1", "running"]
    store.update_model(model, finished(32, day=32))
    assert operation_ids(store) == ["update_m-32", "update_m-31", "update_m-10", "running"]
    store.prune_operations("2026-02-15T00:00:00Z")  # as at the start of a server
    assert operation_ids(store) == ["update_m-32", "update_m-31", "running"]


def test_database_of_an_earlier_release_keeps_its_operations(tmp_path):
    with sqlite3.connect(tmp_path / "db") as database:
        for number, statements in enumerate(MIGRATIONS[:3], 1):
            for statement in statements:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number}")
        insert = "INSERT INTO operations VALUES (?, 'global', 'proj', ?, 'm', 'v1', ?, '{}')"
        start = int(BEGIN.timestamp() * 1000)
        for number in range(4000):
            database.execute(insert, (number + 1, f"create_m_v1-{start + 1000 * number}", "DONE"))
        database.execute(insert, (4001, f"create_m_v1-{start}x", "RUNNING"))
    database.close()
    store = Database(tmp_path / "db")
    assert len(operation_ids(store)) == 4001
    store.prune_operations("2026-01-02T00:00:00Z")
    assert [row.number for row in store.list_operations("global", "proj", None, 3)] == [4001, 4000, 3999]
    assert len(store.list_operations("global", "proj", None, 5000)) == 1001
    store.prune_operations("2026-02-15T00:00:00Z")
    assert [row.number for row in store.list_operations("global", "proj", None, 5000)] == [4001]
    store.close()


def test_database_pages_rows_by_name(store):
    for name in ("c", "a", "b"):
        store.create_version(version(name), operation(name, name))
    assert [row.key.version for row in store.list_versions(MODEL, "", 2)] == ["a", "b"]
    assert [row.key.version for row in store.list_versions(MODEL, "b", 2)] == ["c"]
    assert store.has_versions(MODEL, besides="a")


def test_database_of_the_first_release_is_migrated(tmp_path):
    with sqlite3.connect(tmp_path / "db") as database:
        for statement in MIGRATIONS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute("INSERT INTO models VALUES ('global', 'proj', 'm', 'v1', '{}')")
        row = ("global", "proj", "m", "v1", "READY", "abc", "/usr/bin/python3", "{}", '{"state": "READY"}')
        database.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    store = Database(tmp_path / "db")
    found = store.get_version(MODEL.child("v1"))
    assert (found.artifact, found.packages, found.is_default) == ("abc", None, True)
    store.create_version(version("v2"), operation("op", "v2"))
    store.set_snapshots(MODEL.child("v2"), "abc", "def")
    assert store.get_version(MODEL.child("v2")).snapshots == {"abc", "def"}
    store.close()
