"""The tables, as numbered steps: a data directory of any earlier version of ours is brought up to date.

Never change a step that was released; add one. `PRAGMA user_version` counts the steps that were done.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE models (
            location TEXT NOT NULL, project TEXT NOT NULL, model TEXT NOT NULL,
            default_version TEXT,
            document TEXT NOT NULL,  -- Model as the API's JSON, without name, defaultVersion and etag
            PRIMARY KEY (location, project, model)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE versions (
            location TEXT NOT NULL, project TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
            state TEXT NOT NULL,
            artifact TEXT,           -- sha256 of the copied model directory's manifest, once it is copied
            python TEXT NOT NULL,    -- the interpreter that serves the version
            runtime TEXT NOT NULL,   -- JSON: the libraries that the worker really imported
            document TEXT NOT NULL,  -- Version as the API's JSON, without name, isDefault and etag
            PRIMARY KEY (location, project, model, version),
            FOREIGN KEY (location, project, model) REFERENCES models
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE operations (
            number INTEGER PRIMARY KEY,
            location TEXT NOT NULL, project TEXT NOT NULL, operation TEXT NOT NULL,
            model TEXT NOT NULL, version TEXT,
            state TEXT NOT NULL,     -- RUNNING or DONE
            document TEXT NOT NULL,  -- Operation as the API's JSON
            UNIQUE (location, project, operation)
        )
        """,
        "CREATE INDEX running_operations ON operations (state) WHERE state = 'RUNNING'",
        "CREATE INDEX versions_of_artifact ON versions (artifact)",
    ),
    (
        # name of the copy of the version's custom code, as `artifact` names that of its model
        "ALTER TABLE versions ADD COLUMN packages TEXT",
    ),
    (
        # the IAM policy of a model as JSON, once one was set
        "ALTER TABLE models ADD COLUMN policy TEXT",
    ),
)
