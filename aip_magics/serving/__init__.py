"""A model server in a container: `python -m aip_magics.serving` obeys the contracts of Vertex AI and KServe.

::

    contract (AIP_* variables) ─┐
    manifest (container.json) ──┼─► run ─► app (HTTP) ─► worker_group ─► prediction (one worker per processor)
    model_files (gs:// or directory) ─┘

`export/` writes the directory that a container is built from, `probe` tries such a directory without Docker; neither is
copied into a container.
"""
