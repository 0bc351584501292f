"""Target AI Platform Prediction: Google's global or regional endpoint, or any compatible base URL.

Google shut the service down on 2025-01-31; compatible and private endpoints work in the same way.
"""

from __future__ import annotations

import functools
import os
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from aip_magics.client import Transport
from aip_magics.errors import CredentialsError
from aip_magics.i18n import gettext as _
from aip_magics.settings import gcloud_home
from aip_magics.storage import GoogleAuth, StorageClient
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.prediction_api import PredictionApiTarget, no_traffic_split

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class AiPlatformTarget(PredictionApiTarget):
    _authorized_session: Any = None

    @property
    def endpoint(self) -> str:
        if self.settings.endpoint:
            return self.settings.endpoint.value.rstrip("/")
        return f"https://{self.region}-ml.googleapis.com" if self.region else "https://ml.googleapis.com"

    def missing(self) -> Mapping[Capability, str]:
        only_embedded = _("only the embedded server has this; for the cloud, see Cloud Logging and Cloud Monitoring")
        return {
            Capability.OWN_PYTHON: _("AI Platform serves a version with its runtime version"),
            Capability.TRAFFIC_SPLIT: no_traffic_split(),
            Capability.VERSION_LOGS: only_embedded,
            Capability.NEWEST_OPERATIONS_FIRST: _("the API does not define the order of operations"),
        }

    def connect(self) -> str:
        self._session()
        return _("{endpoint} (project {project})", endpoint=self.endpoint, project=self.project)

    @property
    def storage_url(self) -> str:
        found = self.settings.storage_endpoint
        return found.value.rstrip("/") if found else "https://storage.googleapis.com"

    def _transport(self) -> Transport:
        return Transport(self.endpoint, self._session())

    def _storage_client(self) -> StorageClient:
        url = self.storage_url
        proxy, ca_file = _proxy_and_ca_file(url)
        return StorageClient(url, self._authorize(url), proxy=proxy, ca_file=ca_file)

    def _authorize(self, url: str) -> GoogleAuth | None:
        """Headers of the user's credentials; None (anonymous requests) for another endpoint if the user has none."""
        if self.settings.storage_endpoint and _is_loopback(url) and not _has_credentials():
            return None  # google-auth would ask the network for the credentials of a virtual machine
        try:
            return GoogleAuth(self._credentials, url)
        except CredentialsError:
            if self.settings.storage_endpoint is None:
                raise
            return None

    def _session(self) -> Any:
        if self._authorized_session is None:
            credentials = self._credentials
            from google.auth.transport.requests import AuthorizedSession

            self._authorized_session = AuthorizedSession(credentials)
        return self._authorized_session

    @functools.cached_property
    def _credentials(self) -> Any:
        """Google's Application Default Credentials. CredentialsError if there are none."""
        import google.auth
        import google.auth.exceptions

        try:
            return google.auth.default(scopes=[SCOPE], quota_project_id=None)[0]
        except google.auth.exceptions.DefaultCredentialsError:
            raise CredentialsError(
                _("Application Default Credentials not found"),
                where=_("target aiplatform, {endpoint}", endpoint=self.endpoint),
                fix=_("run `gcloud auth application-default login`, or omit --target to use the embedded server"),
            ) from None


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
