"""The embedded server: one process on 127.0.0.1 with the APIs of AI Platform Prediction, Vertex AI and Cloud Storage.

::

    __main__ ─► lifecycle (lock, port, token) ─► app (builds everything)

    http_limits ─► middleware (host, token, errors) ─► predict_app (online prediction) ─► serving/ (node groups)
                                                        └─► router
                                                             ├─► vertex/ (handlers of Vertex AI's API)
                                                             ├─► api/ (handlers of AI Platform's API)
                                                             │    ├─► conventions/ (JSON, errors, masks, pages …)
                                                             │    ├─► state/ (SQLite, snapshots of models, quotas)
                                                             │    └─► version_creation ─► serving/
                                                             └─► gcs/ (Cloud Storage)

`context` has what handlers share, `names` the resource names, `persisted_endpoint` token and port, `logs` the log file.
What grows with versions and clients is bounded: nodes by `serving.node_budget`, connections by `http_limits`, both
within the `descriptors` of the process; `listener` accepts no more than fit.
"""
