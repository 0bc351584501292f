"""The tables as numbered migrations: upgrades the data directory of any earlier version.

Never change a released migration; add one. `PRAGMA user_version` is the number of applied migrations.
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
            artifact TEXT,           -- name of the model directory's snapshot (sha256 of its manifest), once created
            python TEXT NOT NULL,    -- the interpreter that serves the version
            runtime TEXT NOT NULL,   -- JSON: the libraries that the worker imported
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
        # name of the snapshot of the version's custom code, like `artifact` for its model
        "ALTER TABLE versions ADD COLUMN packages TEXT",
    ),
    (
        # the IAM policy of a model as JSON; NULL before one is set
        "ALTER TABLE models ADD COLUMN policy TEXT",
    ),
    (
        # when a finished operation ended, as in its metadata; NULL while it runs
        "ALTER TABLE operations ADD COLUMN finished TEXT",
        # Ids end with the milliseconds of their creation, of which the end of an old operation is some minutes away.
        """
        UPDATE operations
        SET finished = strftime('%Y-%m-%dT%H:%M:%SZ', CAST(substr(operation, -13) AS INTEGER) / 1000, 'unixepoch')
        WHERE state = 'DONE'
        """,
        "CREATE INDEX finished_operations ON operations (finished) WHERE finished IS NOT NULL",
    ),
    # Vertex AI's API: `location` is `vertex:REGION`, `project` the project's number.
    (
        """
        CREATE TABLE vertex_models (
            location TEXT NOT NULL, project TEXT NOT NULL, model TEXT NOT NULL,
            next_version INTEGER NOT NULL,  -- the number of the next version: no number is used twice
            document TEXT NOT NULL,         -- what all versions of the Model share, as the API's JSON
            PRIMARY KEY (location, project, model)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE vertex_model_versions (
            location TEXT NOT NULL, project TEXT NOT NULL, model TEXT NOT NULL, version INTEGER NOT NULL,
            artifact TEXT NOT NULL,  -- name of the snapshot of the artifact directory
            packages TEXT,           -- name of the snapshot of the image's custom code
            python TEXT NOT NULL,    -- the interpreter that serves the version
            serving TEXT NOT NULL,   -- JSON: the Version of AI Platform's API that serves it
            document TEXT NOT NULL,  -- the rest of the Model, as the API's JSON
            PRIMARY KEY (location, project, model, version),
            FOREIGN KEY (location, project, model) REFERENCES vertex_models
        ) WITHOUT ROWID
        """,
        # A model deployed to an endpoint is a row of `versions`; its model there is the endpoint.
        """
        CREATE TABLE endpoints (
            location TEXT NOT NULL, project TEXT NOT NULL, endpoint TEXT NOT NULL,
            document TEXT NOT NULL,  -- Endpoint as the API's JSON, without name and etag
            PRIMARY KEY (location, project, endpoint)
        ) WITHOUT ROWID
        """,
        # Container images that the server can serve without running a container.
        "CREATE TABLE images (uri TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    ),
)
