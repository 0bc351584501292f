"""Connection to Google's cloud, or to an endpoint that takes its place: credentials, session and Cloud Storage."""

from __future__ import annotations

import functools
import os
import urllib.parse
import urllib.request
from typing import Any

from aip_magics.errors import CredentialsError
from aip_magics.i18n import gettext as _
from aip_magics.settings import Settings, gcloud_home
from aip_magics.storage import GoogleAuth, StorageClient, default_credentials

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class GoogleConnection:
    """The user's credentials, and what is reached with them.

    Args:
        settings: They name the target and, if it is not Google's, the endpoint of Cloud Storage.
        endpoint: The base URL of the target's API, for errors.
    """

    def __init__(self, settings: Settings, endpoint: str) -> None:
        self._settings = settings
        self._endpoint = endpoint

    @property
    def storage_url(self) -> str:
        found = self._settings.storage_endpoint
        return found.value.rstrip("/") if found else "https://storage.googleapis.com"

    @functools.cached_property
    def session(self) -> Any:
        """A google-auth AuthorizedSession. CredentialsError if the user has no credentials."""
        credentials = self._credentials
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(credentials)

    def storage_client(self) -> StorageClient:
        url = self.storage_url
        proxy, ca_file = _proxy_and_ca_file(url)
        return StorageClient(url, self._authorize(url), proxy=proxy, ca_file=ca_file)

    def _authorize(self, url: str) -> GoogleAuth | None:
        """Headers of the user's credentials; None (anonymous requests) for another endpoint if the user has none."""
        if self._settings.storage_endpoint and _is_loopback(url) and not _has_credentials():
            return None  # google-auth would ask the network for the credentials of a virtual machine
        try:
            return GoogleAuth(self._credentials, url)
        except CredentialsError:
            if self._settings.storage_endpoint is None:
                raise
            return None

    @functools.cached_property
    def _credentials(self) -> Any:
        """Google's Application Default Credentials. CredentialsError if there are none."""
        return default_credentials(
            SCOPE,
            where=_("target {name}, {endpoint}", name=self._settings.target.value, endpoint=self._endpoint),
            fix=_("run `gcloud auth application-default login`, or omit --target to use the embedded server"),
        )


def _proxy_and_ca_file(url: str) -> tuple[str | None, str | None]:
    """Proxy and bundle of certificates that the user's environment sets for this URL, as requests reads them."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None
    if _is_loopback(url):
        return None, bundle
    if not bundle and not urllib.request.getproxies():
        return None, None  # the usual case; importing requests takes longer than a small upload
    import requests

    with requests.Session() as session:
        found = session.merge_environment_settings(url, {}, None, None, None)
    proxy = found["proxies"].get(url.partition(":")[0]) or found["proxies"].get("all")
    return proxy, found["verify"] if isinstance(found["verify"], str) else None


def _is_loopback(url: str) -> bool:
    return urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _has_credentials() -> bool:
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    return bool(named) or (gcloud_home(os.environ) / "application_default_credentials.json").exists()
