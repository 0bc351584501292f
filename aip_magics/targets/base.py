"""Base class of targets; connections are opened on first use, so that a dry run sends no request."""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from aip_magics.artifacts import ModelDir
from aip_magics.checks import sanitize_name
from aip_magics.checks.context import TargetFacts
from aip_magics.client import Request, Service, Wait
from aip_magics.errors import OptionError
from aip_magics.settings import Settings
from aip_magics.spec import Model, Version
from aip_magics.storage import StorageClient
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.choice import CompletedVersion
from aip_magics.targets.plans import Plans

# The fields of a cell that need a capability.
_FIELDS: Mapping[Capability, tuple[str, ...]] = {
    Capability.RUNTIME_VERSIONS: ("runtimeVersion", "pythonVersion"),
    Capability.PACKAGES: ("packageUris", "predictionClass"),
    Capability.CONTAINERS: ("container", "routes"),
}
# A difference in one of these makes a new version; description and labels can be updated.
COMPARED_FIELDS = (
    "runtimeVersion",
    "pythonVersion",
    "framework",
    "machineType",
    "acceleratorConfig",
    "autoScaling",
    "manualScaling",
    "container",
    "routes",
    "packageUris",
    "predictionClass",
    "serviceAccount",
    "explanationConfig",
)


class Difference(NamedTuple):
    """A field with another value in the version at the target than in the requested one."""

    field: str
    deployed: object
    requested: object


class Target(abc.ABC):
    """Where a deployment can go.

    Attributes:
        project: The project of the models.
        region: The region of the endpoint; None for a global endpoint.
        client: Client of its API.
        storage_client: Our client of its Cloud Storage, for uploads, downloads and buckets.
        google_storage_client: Google's client of the same, for browsing.
        api: The name of its API in Google's discovery documents, `ml` or `aiplatform`; empty for another one.
        poll_seconds: Upper bound of the seconds between two polls of an operation.
        runs_here: Whether this machine loads and serves the models, so that their code must be trusted.
        is_cloud: Whether versions are limited to what the cloud has: machine types, runtime versions or images.
    """

    api: ClassVar[str] = ""
    poll_seconds: float = 2.0
    runs_here: bool = False
    is_cloud: bool = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.project = settings.project.value
        self.region = settings.region.value if settings.region else None

    @property
    def name(self) -> str:
        """The value of `--target`."""
        return self.settings.target.value

    @property
    @abc.abstractmethod
    def endpoint(self) -> str:
        """Base URL of the API, without a trailing slash; a placeholder as long as no server runs."""

    @property
    @abc.abstractmethod
    def storage_url(self) -> str:
        """Base URL of its Cloud Storage, without a trailing slash."""

    @abc.abstractmethod
    def connect(self) -> str:
        """Make sure that the target is reachable; returns one line for the user."""

    # what it can do

    @abc.abstractmethod
    def missing(self) -> Mapping[Capability, str]:
        """The capabilities that the target does not have, each with the reason."""

    def has(self, capability: Capability) -> bool:
        return capability not in self.missing()

    def require(self, capability: Capability, *, where: str, fix: str = "") -> None:
        """Raise OptionError with the reason and the fix if the target does not have a capability."""
        if reason := self.missing().get(capability):
            raise OptionError(reason, where=where, fix=fix)

    @classmethod
    def regions(cls) -> tuple[str, ...]:
        """The values of `--region`, `global` first if there is a global endpoint; empty if any name may be a region."""
        return ()

    @classmethod
    def machine_types(cls, *, regional: bool | None = None) -> tuple[str, ...]:  # noqa: ARG003 - see the subclasses
        """The machine types of the global or the regional endpoints, or of all; empty if any name may be one."""
        return ()

    def unusable_fields(self) -> Mapping[str, str]:
        """The fields of a cell that the target cannot use, each with the reason.

        A field of the version is named alone (`runtimeVersion`), a field of the model after a dot (`model.regions`).
        """
        missing = self.missing()
        return {field: missing[each] for each, fields in _FIELDS.items() if each in missing for field in fields}

    @property
    def unused_rules(self) -> Mapping[str, str]:
        """The checks that do not apply to this target: id → reason."""
        return {}

    @property
    def facts(self) -> TargetFacts:
        """What the checks know of the target."""
        return TargetFacts(self.name, self.region, self.endpoint, self.is_cloud, self.unused_rules)

    @property
    @abc.abstractmethod
    def plans(self) -> Plans:
        """The requests of each command as values. Some need what exists, and connect."""

    # names

    @abc.abstractmethod
    def model_name(self, model: str, where: str = "--model") -> str:
        """The full name of a model, given by its ID or full name. OptionError at `where` for an invalid name."""

    @abc.abstractmethod
    def version_name(self, model: str, version: str) -> str:
        """The full name of a version, given by IDs or its full name. OptionError for an invalid name."""

    @abc.abstractmethod
    def operation_name(self, operation: str) -> str:
        """The full name of an operation, given by its ID or full name. OptionError for an invalid name."""

    # how a deployment becomes its resources

    @abc.abstractmethod
    def complete_version(self, version: Version, model_dir: ModelDir | None, env: str) -> CompletedVersion:
        """Choose the omitted fields of a version that depend on the target. No request is sent.

        Args:
            version: The requested version with its framework.
            model_dir: The local files; None for a model in Cloud Storage.
            env: The environment of `--env`.
        """

    @abc.abstractmethod
    def deployment_requests(
        self, model: Model, version: Version, updates: Mapping[str, Any], test: bytes | None, *, wait: bool = True
    ) -> list[Request | Wait]:
        """The requests of a first deployment, in order, after the upload of the files. None is sent.

        Args:
            model: The model to create.
            version: The version to create, with its deploymentUri.
            updates: The fields that are set once the version is READY.
            test: The body of the test prediction.
            wait: Whether the deployment waits for the version; if not, nothing follows the request that creates it.
        """

    def difference(self, model: str, requested: Version, existing: Version) -> Difference | None:  # noqa: ARG002
        """The first field that makes a requested version another one than the existing version of its name."""
        for field in COMPARED_FIELDS:
            ours, theirs = getattr(requested, field), getattr(existing, field)
            if ours != theirs and not (ours is None and field in ("framework", "machineType")):
                return Difference(field, theirs, ours)
        return None

    def cannot_ask(self, version: Version) -> str:  # noqa: ARG002 - most targets have a URL for each version
        """Why an existing version cannot predict online although it is READY; empty if it can."""
        return ""

    def cost_note(self, version: Version) -> str:  # noqa: ARG002 - known for Vertex AI only
        """What a version will cost from now on, as one sentence; empty if nothing is known."""
        return ""

    def billed(self, model: str = "") -> str:  # noqa: ARG002 - known for Vertex AI only
        """What goes on to cost, of a model or of all, as one sentence; empty if nothing does. It is connected."""
        return ""

    def sanitize_model_name(self, text: str) -> str:
        """Build a valid name of a model from the name of a directory."""
        return sanitize_name(text)

    @property
    @abc.abstractmethod
    def operation_path(self) -> str:
        """The path of an operation whose name is not known yet, for display."""

    def preload(self, framework: str) -> None:  # noqa: B027 - most targets have nothing to prepare
        """Announce a version of this framework (as the API names it). Returns at once."""

    def serve_with(self, python: str) -> None:  # noqa: B027 - see Capability.OWN_PYTHON
        """Serve the versions that are created from now on with this interpreter. Called before `client` is used."""

    def get_other_python(self, model: str, version: str) -> str | None:  # noqa: ARG002 - as with `serve_with`
        """Return the interpreter that serves a version if it is another one than that of `serve_with`; else None."""
        return None

    def list_siblings(self) -> Iterator[Target]:
        """The other endpoints whose versions may use the objects in this target's buckets."""
        return iter(())

    # connections

    @property
    @abc.abstractmethod
    def client(self) -> Service: ...

    @abc.abstractmethod
    def _session(self) -> Any:
        """A google-auth AuthorizedSession with the target's credentials."""

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
