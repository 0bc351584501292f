"""Private keys and credentials among the files of a model directory."""

import json
import subprocess

import pytest

from aip_magics.artifacts import inspect_model_dir, list_files
from aip_magics.errors import ModelDirError

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n"
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}-----END PRIVATE KEY-----\n"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{BODY}-----END CERTIFICATE-----\n"
ACCOUNT = json.dumps({"type": "service_account", "project_id": "p", "private_key": PEM}, indent=2)
NOTEBOOK = json.dumps({"cells": [{"source": [json.dumps({"private_key": PEM})]}]})

KEYS = {
    "GCP.key": '{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----x"}',
    "anything.txt": PEM,
    "account.json": ACCOUNT,
    "server.pem": CERTIFICATE + PEM.replace("PRIVATE", "RSA PRIVATE"),
    "old.pem": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + BODY,
    "login.json": '{"installed": {"client_id": "1", "client_secret": "GOCSPX-abc"}}',
    "user.json": '{"type": "authorized_user", "refresh_token": "1//0abc"}',
    "nested/id_rsa": "not even a key\n",
    "credentials.json": "{}",
    "prod.env": "PASSWORD=x",
    "store.p12": "\x01",
    "assets/pasted.txt": PEM,
    "work.ipynb": NOTEBOOK,
    "sign.py": f"KEY = '''{PEM}'''",
}
INNOCENT = {
    "ca.pem": CERTIFICATE,
    "public.txt": PEM.replace("PRIVATE", "PUBLIC"),
    "assets/labels.key": "setosa\nversicolor\nvirginica\n" * 3,
    "check.py": 'def is_key(text):\n    return text.startswith("-----BEGIN PRIVATE KEY-----")\n',
    "schema.json": '{"properties": {"private_key": {"type": "string"}, "refresh_token": null}}',
    "tokenizer.json": '{"vocab": {"private_key": 17, "client_secret": 18}}',
    "notes.md": "The private_key of the service account is in Secret Manager.",
    "keys.csv": "key,value\n1,2\n",
    "environment.yml": "name: iris",
    "empty.key": "",
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "export"
    for name, text in {**KEYS, **INNOCENT, "model.joblib": "x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_keys_are_skipped_and_all_else_is_not(folder):
    found = inspect_model_dir(folder)
    assert set(found.skipped_keys) == set(KEYS)
    assert {file.name for file in found.files} == {*INNOCENT, "model.joblib"}


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("format", ["PEM", "RFC4716"])
def test_keys_of_openssh_are_skipped(tmp_path, kind, format):
    (tmp_path / "model.pkl").write_text("x")
    bits = ["-b", "1024"] if kind == "rsa" else []  # quickly found
    command = ["ssh-keygen", "-q", "-t", kind, *bits, "-m", format, "-N", "", "-f", str(tmp_path / "deploy")]
    subprocess.run(command, check=True)
    found = inspect_model_dir(tmp_path)
    assert found.skipped_keys == ("deploy",)
    assert [file.name for file in found.files] == ["deploy.pub", "model.pkl"]


def test_keys_are_not_searched_in_large_or_binary_files(tmp_path):
    (tmp_path / "large.txt").write_text(PEM + "x" * 100_000)
    (tmp_path / "weights.npy").write_text(PEM)
    assert inspect_model_dir(tmp_path).skipped_keys == ()


def test_keys_are_listed_where_a_directory_is_loaded(folder):
    assert {file.name for file in list_files(folder, on_disk=True).files} >= set(KEYS)


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (["GCP.key"], {"GCP.key"}),
        (["id_rsa"], {"nested/id_rsa"}),
        (["nested/id_rsa", "*.p12"], {"nested/id_rsa", "store.p12"}),
        (["./GCP.key"], {"GCP.key"}),
        (["model.joblib"], set()),
    ],
)
def test_keys_are_included_by_name(folder, include, expected):
    found = inspect_model_dir(folder, include=include)
    assert {file.name for file in found.files} == {*INNOCENT, "model.joblib", *expected}
    assert set(found.skipped_keys) == set(KEYS) - expected


def test_include_covers_hidden_and_ignored_files(folder):
    (folder / ".vocabulary").write_text("x")
    (folder / ".gcloudignore").write_text("*.md\n*.csv\n")
    names = {file.name for file in list_files(folder, include=[".vocabulary", "notes.md"]).files}
    assert {".vocabulary", "notes.md"} < names
    assert "keys.csv" not in names


def test_include_of_a_missing_file_is_an_error(folder):
    with pytest.raises(ModelDirError, match=r"no file to upload matches 'GPC\.key'") as refused:
        list_files(folder, include=["GPC.key"])
    assert refused.value.where == "--include"


def test_a_key_that_is_named_itself_is_listed(folder):
    assert "GCP.key" in {file.name for file in list_files(folder / "GCP.key").files}
