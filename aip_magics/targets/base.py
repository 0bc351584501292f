"""What every target offers; connections are made when first used, so that a dry run contacts nothing."""

from __future__ import annotations

import abc
import functools
from typing import Any

from aip_magics.client import Client, Transport
from aip_magics.settings import Settings
from aip_magics.storage import Store


class Target(abc.ABC):
    """One end a deployment can go to: `client` speaks the v1 API there, `store` and `storage` its Cloud Storage."""

    kind: str

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.project = settings.project.value
        self.region = settings.region.value if settings.region else None

    @property
    @abc.abstractmethod
    def endpoint(self) -> str:
        """Base URL of the v1 API, without a trailing slash; for display it may be a description."""

    @property
    @abc.abstractmethod
    def storage_url(self) -> str:
        """Base URL of its Cloud Storage, without a trailing slash."""

    @abc.abstractmethod
    def connect(self) -> str:
        """Make sure that the other end is there; returns one line about it for people."""

    def warm(self, framework: str) -> None:  # noqa: B027 - most targets have nothing to prepare
        """Tell the other end that a version of this framework (as the API names it) will come. Returns at once."""

    @abc.abstractmethod
    def _transport(self) -> Transport: ...

    @abc.abstractmethod
    def _session(self) -> Any:
        """An AuthorizedSession with the target's credentials."""

    poll_seconds = 2.0

    @functools.cached_property
    def client(self) -> Client:
        return Client(self._transport(), self.project, poll_seconds=self.poll_seconds)

    @abc.abstractmethod
    def _store(self) -> Store: ...

    @functools.cached_property
    def store(self) -> Store:
        """What sends, fetches and lists the objects of this target."""
        return self._store()

    @functools.cached_property
    def storage(self) -> Any:
        """A `google.cloud.storage.Client` for this target: for buckets and IAM; its import costs half a second."""
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
        """Where buckets go when nothing else is said: the endpoint's region, else the API's own default."""
        return self.region or "us-central1"
