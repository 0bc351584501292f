"""The process that holds one model: loads it, predicts, and answers over one socket.

This folder is run as a script (``python .../worker FORM ...``) by whatever interpreter a version asks for, so it
imports the standard library only, never the rest of `aip_magics`, and keeps to the syntax of Python 3.5. Three ways to
be born, one interface:

* ``serve FD``             a worker on the inherited socket FD
* ``connect``              a worker on 127.0.0.1; standard input says "PORT SECRET" and ends with the owner (Windows)
* ``parent FD FRAMEWORK``  imports the framework, never a model, and forks a worker for each request on FD

Wire: frames of ``>II`` (length of header, length of payload), the header (UTF-8 JSON object), the payload (bytes). The
worker says hello first (``id`` 0); then each request (``load``, ``predict``, ``ping``, ``stop``) gets one answer with
its ``id``. The payload of ``predict`` is the HTTP request's body, that of its answer the response's body.

At its first ``load`` a worker confines itself for good (`confinement`, by `landlock` and `seccomp`) to the files that
a model needs (`file_access`): it holds that one model. ``protection`` in the answer says what is held.

Semantics and texts follow Google's prediction library (Cloud SDK 528, `lib/third_party/ml_sdk/cloud/ml/prediction`).
"""
