"""The embedded server: one process on 127.0.0.1 that serves the AI Platform Prediction and Cloud Storage REST APIs.

::

    __main__ ─► process (lock, port, token) ─► app (builds everything) ─► gate (host, token, errors)
                                                 │
               api/routes ─► api/ (handlers)     ├─► express, predict (online prediction) ─► nodes, serving/
                    │                            └─► gcs/ (Cloud Storage)
                    ├─► conventions/ (JSON, errors, masks, filters, pages, validation)
                    ├─► state/ (SQLite, snapshots of models, quotas)
                    └─► version_creation (CREATE_VERSION) ─► nodes, serving/ (workers of a version)

`context` has what handlers share, `names` the resource names, `persisted_endpoint` token and port, `logs` the log file.
"""

"""The embedded server: one process on 127.0.0.1 that serves the AI Platform Prediction and Cloud Storage REST APIs.

::

    __main__ ─► process (lock, port, token) ─► app (builds everything) ─► gate (host, token, errors)
                                                 │
               api/routes ─► api/ (handlers)     ├─► express, predict (online prediction) ─► nodes, serving/
                    │                            └─► gcs/ (Cloud Storage)
                    ├─► conventions/ (JSON, errors, masks, filters, pages, validation)
                    ├─► state/ (SQLite, snapshots of models, quotas)
                    └─► version_creation (CREATE_VERSION) ─► nodes, serving/ (workers of a version)

`context` has what handlers share, `names` the resource names, `persisted_endpoint` token and port, `logs` the log file.
"""
