"""The process that holds one model: loads it, predicts, and answers over one socket.

This folder is run as a script (``python .../worker MODE ...``) by the interpreter that a version requires. It therefore
imports only the standard library, never the rest of `aip_magics`, and uses the syntax of Python 3.5. The modes are:

* ``serve FD``             a worker on the inherited socket FD
* ``connect``              a worker connected to 127.0.0.1 (Windows); standard input has "PORT SECRET" and is closed
                           when the owner ends
* ``parent FD FRAMEWORK``  a fork server: imports the framework, never a model, and forks a worker per request on FD

Protocol: each message is ``>II`` (length of the header, length of the payload), the header (a JSON object in UTF-8) and
the payload (bytes). The worker sends a greeting first (``id`` 0). Then each request (``load``, ``predict``, ``ping``,
``stop``) gets one response with the same ``id``. The payload of ``predict`` is the body of the HTTP request, and the
payload of its response is the body of the HTTP response.

At its first ``load``, a worker permanently confines itself (`confinement`, with `landlock` and `seccomp`) to the files
that the model needs (`file_access`), so it can serve only that model. ``protection`` in the response says what is
enforced.

Semantics and texts follow Google's prediction library (Cloud SDK 528, `lib/third_party/ml_sdk/cloud/ml/prediction`).
"""
