"""Cases of rules about files beside the model: keys, environments, notebooks, data, and what .gcloudignore excludes."""

import json

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
ACCOUNT = json.dumps({"type": "service_account", "private_key": PEM})


def beside(d, **files):
    """A model with these files beside it; `__` in a name is a slash, `_` before the suffix a dot."""
    folder = d.folder()
    for name, data in files.items():
        base, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / f"{base}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def ignoring(d, text, **files):
    folder = beside(d, **files)
    (folder / ".gcloudignore").write_text(text)
    return folder


CASES = [
    (
        "D21",
        "warning",
        "--include GCP.key",
        lambda d: d(beside(d, GCP_key=ACCOUNT)),
        lambda d: d(ignoring(d, "*.key", GCP_key=ACCOUNT)),
    ),
    (
        "D21",
        "warning",
        "/conf/account.json",
        lambda d: d(beside(d, conf__account_json=ACCOUNT)),
        lambda d: d(beside(d, conf__account_json='{"type": "service_account"}')),
    ),
    (
        "D22",
        "warning",
        "/venv/",
        lambda d: d(beside(d, venv__pyvenv_cfg="home = /usr", venv__lib__x_py="x = 1")),
        lambda d: d(beside(d, code__x_py="x = 1")),
    ),
    (
        "D22",
        "warning",
        "/work.ipynb",
        lambda d: d(beside(d, work_ipynb='{"cells": []}')),
        lambda d: d(beside(d, work_txt='{"cells": []}')),
    ),
    (
        "D22",
        "warning",
        "/data/train.csv",
        lambda d: d(beside(d, data__train_csv=b"1,2\n" * 25_000)),
        lambda d: d(beside(d, data__labels_csv=b"1,2\n" * 24_000)),
    ),
    (
        "D23",
        "error",
        "remove the line",
        lambda d: d(ignoring(d, "*.pkl", notes_txt="x")),
        lambda d: d(ignoring(d, "*.pickle", notes_txt="x")),
    ),
]
