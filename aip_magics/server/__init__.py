"""The embedded AI Platform: one process on 127.0.0.1 that answers the v1 prediction API and Cloud Storage's JSON API.

Read it in this order: `api` (the list of routes), `models`, `versions`, `operations`, `predict` (the handlers),
`creation` (what CREATE_VERSION does), `nodes` (the workers that serve), `store` (SQLite), `app` and `process` (life).
"""
