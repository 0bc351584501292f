"""Target AI Platform Prediction: Google's global or regional endpoint, or any compatible base URL.

Google shut the service down on 2025-01-31; compatible and private endpoints work in the same way.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from aip_magics.client import Transport
from aip_magics.i18n import gettext as _
from aip_magics.storage import StorageClient
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.google_cloud import GoogleConnection
from aip_magics.targets.prediction_api import PredictionApiTarget, no_traffic_split, no_undeploy


class AiPlatformTarget(PredictionApiTarget):
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
            Capability.UNDEPLOY: no_undeploy(),
            Capability.VERSION_LOGS: only_embedded,
            Capability.NEWEST_OPERATIONS_FIRST: _("the API does not define the order of operations"),
        }

    def connect(self) -> str:
        self._session()
        return _("{endpoint} (project {project})", endpoint=self.endpoint, project=self.project)

    @property
    def storage_url(self) -> str:
        return self._connection.storage_url

    @functools.cached_property
    def _connection(self) -> GoogleConnection:
        return GoogleConnection(self.settings, self.endpoint)

    def _transport(self) -> Transport:
        return Transport(self.endpoint, self._session())

    def _storage_client(self) -> StorageClient:
        return self._connection.storage_client()

    def _session(self) -> Any:
        return self._connection.session
