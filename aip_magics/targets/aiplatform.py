"""AI Platform Prediction at Google's endpoint, global or regional, or at any compatible base URL.

Google shut the service down on 2025-01-31; compatible and private endpoints are reached the same way.
"""

from __future__ import annotations

import functools
import os
import urllib.parse
import urllib.request
from typing import Any

from aip_magics.client import Transport
from aip_magics.errors import CredentialsError
from aip_magics.i18n import gettext as _
from aip_magics.settings import gcloud_home
from aip_magics.storage import GoogleAuth, Store
from aip_magics.targets.base import Target

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class AiPlatformTarget(Target):
    kind = "aiplatform"
    _made: Any = None

    @property
    def endpoint(self) -> str:
        if self.settings.endpoint:
            return self.settings.endpoint.value.rstrip("/")
        return f"https://{self.region}-ml.googleapis.com" if self.region else "https://ml.googleapis.com"

    def connect(self) -> str:
        self._session()
        return _("{endpoint} (project {project})", endpoint=self.endpoint, project=self.project)

    @property
    def storage_url(self) -> str:
        found = self.settings.storage_endpoint
        return found.value.rstrip("/") if found else "https://storage.googleapis.com"

    def _transport(self) -> Transport:
        return Transport(self.endpoint, self._session())

    def _store(self) -> Store:
        url = self.storage_url
        proxy, ca_file = _surroundings(url)
        return Store(url, self._authorize(url), proxy=proxy, ca_file=ca_file)

    def _authorize(self, url: str) -> GoogleAuth | None:
        """The headers of the user's credentials; None, for anonymous requests, at another endpoint without any."""
        if self.settings.storage_endpoint and _is_loopback(url) and not _credentials_at_hand():
            return None  # google-auth would ask the network for those of a virtual machine
        try:
            return GoogleAuth(self._credentials, url)
        except CredentialsError:
            if self.settings.storage_endpoint is None:
                raise
            return None

    def _session(self) -> Any:
        if self._made is None:
            credentials = self._credentials
            from google.auth.transport.requests import AuthorizedSession

            self._made = AuthorizedSession(credentials)
        return self._made

    @functools.cached_property
    def _credentials(self) -> Any:
        """Google's Application Default Credentials. CredentialsError where there are none."""
        import google.auth
        import google.auth.exceptions

        try:
            return google.auth.default(scopes=[SCOPE], quota_project_id=None)[0]
        except google.auth.exceptions.DefaultCredentialsError:
            raise CredentialsError(
                _("no Application Default Credentials were found"),
                where=_("target aiplatform, {endpoint}", endpoint=self.endpoint),
                fix=_("run `gcloud auth application-default login`, or leave --target out to use the embedded server"),
            ) from None


def _surroundings(url: str) -> tuple[str | None, str | None]:
    """The proxy and the bundle of certificates that the user's surroundings want for this URL, as requests has them."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None
    if _is_loopback(url):
        return None, bundle
    if not bundle and not urllib.request.getproxies():
        return None, None  # nearly always; importing requests takes longer than a small upload
    import requests

    with requests.Session() as session:
        found = session.merge_environment_settings(url, {}, None, None, None)
    proxy = found["proxies"].get(url.partition(":")[0]) or found["proxies"].get("all")
    return proxy, found["verify"] if isinstance(found["verify"], str) else None


def _is_loopback(url: str) -> bool:
    return urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _credentials_at_hand() -> bool:
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    return bool(named) or (gcloud_home(os.environ) / "application_default_credentials.json").exists()
