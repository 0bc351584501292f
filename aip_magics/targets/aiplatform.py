"""AI Platform Prediction at Google's endpoint, global or regional, or at any compatible base URL.

Google shut the service down on 2025-01-31; compatible and private endpoints are reached the same way.
"""

from __future__ import annotations

from typing import Any

from aip_magics.client import Transport
from aip_magics.errors import CredentialsError
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
        return f"{self.endpoint} (project {self.project})"

    @property
    def storage_url(self) -> str:
        found = self.settings.storage_endpoint
        return found.value.rstrip("/") if found else "https://storage.googleapis.com"

    def _transport(self) -> Transport:
        return Transport(self.endpoint, self._session())

    def _session(self) -> Any:
        if self._made is None:
            import google.auth
            import google.auth.exceptions
            from google.auth.transport.requests import AuthorizedSession

            try:
                credentials, _ = google.auth.default(scopes=[SCOPE], quota_project_id=None)
            except google.auth.exceptions.DefaultCredentialsError:
                raise CredentialsError(
                    "no Application Default Credentials were found",
                    where=f"target aiplatform, {self.endpoint}",
                    fix="run `gcloud auth application-default login`, or leave --target out to use the embedded server",
                ) from None
            self._made = AuthorizedSession(credentials)
        return self._made
