"""The model directory of a container: where the platform names it, mounts it, or the image brings it."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from aip_magics.errors import Interrupted, ModelDirError, StorageError
from aip_magics.i18n import gettext as _
from aip_magics.retry import RetryableError, RetryPolicy
from aip_magics.serving.contract import KSERVE_DIR
from aip_magics.serving.manifest import MODEL_DIR

STORAGE_URL = "https://storage.googleapis.com"
# The platform starts a container again that ended: so it gives up within half a minute, and says why.
_POLICY = RetryPolicy(give_up_after=15.0, connect_timeout=10.0, read_timeout=15.0, stall_timeout=15.0)
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


def find_model(storage_uri: str, directory: Path, kserve_dir: Path = KSERVE_DIR) -> str:
    """Find the model: a gs:// URI or a path.

    Args:
        storage_uri: What the platform names; empty if nothing.
        directory: The directory of `container.json`.
        kserve_dir: Where KServe mounts a model.

    Raises:
        ModelDirError: There is no model directory.
    """
    if storage_uri.startswith("gs://"):
        return storage_uri
    if storage_uri:
        path = Path(storage_uri.removeprefix("file://"))
        if "://" in storage_uri.removeprefix("file://"):
            text = _("expected a gs:// URI or a directory, got {value!r}", value=storage_uri)
            raise ModelDirError(text, where="AIP_STORAGE_URI", fix=_("use a gs:// URI"))
        if not path.exists():
            text = _("no such file or directory: {path}", path=path)
            raise ModelDirError(text, where="AIP_STORAGE_URI", fix=_("specify the directory of the model"))
        return str(path)
    for path in (kserve_dir, directory / MODEL_DIR):
        if path.is_dir() and any(path.iterdir()):
            return str(path)
    text = _("the container has no model: AIP_STORAGE_URI is empty and {path} does not exist", path=kserve_dir)
    fix = _("set the artifact URI of the model, or export the container with --with-model")
    raise ModelDirError(text, where="AIP_STORAGE_URI", fix=fix)


def download(uri: str, variables: Mapping[str, str], cancel: threading.Event) -> Path:
    """Download a gs:// directory to a new temporary directory.

    Args:
        uri: The directory, or one object.
        variables: Environment variables: STORAGE_EMULATOR_HOST names another endpoint, which needs no credentials.
        cancel: Stops the download when set.

    Raises:
        StorageError, CredentialsError: The objects cannot be read.
        Interrupted: The download was stopped.
    """
    from aip_magics.storage import GoogleAuth, StorageClient, default_credentials, download_directory

    def sleep(seconds: float) -> None:
        if cancel.wait(seconds):
            raise Interrupted(_("the download was stopped"), where=uri)

    emulator = variables.get("STORAGE_EMULATOR_HOST", "")
    if emulator:
        url = emulator if "://" in emulator else f"http://{emulator}"
        client = StorageClient(url, policy=_POLICY, sleep=sleep)
    else:
        fix = _("run the container with a service account that can read the bucket")
        credentials = default_credentials(_SCOPE, where=STORAGE_URL, fix=fix)
        client = StorageClient(STORAGE_URL, GoogleAuth(credentials, STORAGE_URL), policy=_POLICY, sleep=sleep)
    directory = Path(tempfile.mkdtemp(prefix="aip-model-"))
    try:
        download_directory(client, uri.rstrip("/"), directory, cancel=cancel)
    except BaseException as error:
        remove(directory)
        if isinstance(error, StorageError) and isinstance(error.__cause__, RetryableError):
            fix = _("start the container again once it can reach Cloud Storage")
            raise StorageError(error.message, where=error.where, fix=fix) from None
        raise
    finally:
        client.close()
    return directory


def remove(directory: Path) -> None:
    """Remove a downloaded model."""
    shutil.rmtree(directory, ignore_errors=True)
