"""Base class of targets; connections are opened on first use, so that a dry run sends no request."""

from __future__ import annotations

import abc
import functools
from typing import Any

from aip_magics.client import Client, Transport
from aip_magics.settings import Settings
from aip_magics.storage import StorageClient


class Target(abc.ABC):
    """Where a deployment can go.

    Attributes:
        client: Client of the v1 API.
        storage_client: Our client of its Cloud Storage, for uploads, downloads and buckets.
        google_storage_client: Google's client of the same, for browsing.
    """

    kind: str

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.project = settings.project.value
        self.region = settings.region.value if settings.region else None

    @property
    @abc.abstractmethod
    def endpoint(self) -> str:
        """Base URL of the v1 API, without a trailing slash; a placeholder as long as no server runs."""

    @property
    @abc.abstractmethod
    def storage_url(self) -> str:
        """Base URL of its Cloud Storage, without a trailing slash."""

    @abc.abstractmethod
    def connect(self) -> str:
        """Make sure that the target is reachable; returns one line for the user."""

    def preload(self, framework: str) -> None:  # noqa: B027 - most targets have nothing to prepare
        """Announce a version of this framework (as the API names it). Returns at once."""

    def serve_with(self, python: str) -> None:  # noqa: B027 - only the embedded server serves with a given Python
        """Serve the versions that are created from now on with this interpreter. Called before `client` is used."""

    def get_other_python(self, model: str, version: str) -> str | None:  # noqa: ARG002 - as with `serve_with`
        """Return the interpreter that serves a version if it is another one than that of `serve_with`; else None."""
        return None

    @abc.abstractmethod
    def _transport(self) -> Transport: ...

    @abc.abstractmethod
    def _session(self) -> Any:
        """A google-auth AuthorizedSession with the target's credentials."""

    poll_seconds = 2.0

    @functools.cached_property
    def client(self) -> Client:
        return Client(self._transport(), self.project, poll_seconds=self.poll_seconds)

    @abc.abstractmethod
    def _storage_client(self) -> StorageClient: ...

    @functools.cached_property
    def storage_client(self) -> StorageClient:
        """Uploads, downloads and lists the objects of this target."""
        return self._storage_client()

    @functools.cached_property
    def google_storage_client(self) -> Any:
        """A `google.cloud.storage.Client` for this target; its import takes half a second."""
        from google.cloud import storage

        session = self._session()
        return storage.Client(
            project=self.project,
            credentials=session.credentials,
            _http=session,
            client_options={"api_endpoint": self.storage_url},
        )

    @property
    def default_region(self) -> str:
        """Region of new buckets: that of the endpoint, or else the default of the API."""
        return self.region or "us-central1"
