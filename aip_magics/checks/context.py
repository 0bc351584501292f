"""The input of rules: the resources, the files, the target and the result of a local trial."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aip_magics import catalog
from aip_magics.artifacts import File, ModelDir, saved_models
from aip_magics.artifacts.packages import PackageFacts, read
from aip_magics.checks.outcome import Skipped
from aip_magics.errors import ModelDirError, PredictionError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker import graph_walk
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust


def is_gs_uri(uri: str) -> bool:
    """Whether a package or a model is in Cloud Storage, not on this machine."""
    return uri.startswith("gs://")


@functools.cache
def known_operations() -> graph_walk.Judgements:
    """Return what is known of the operations of TensorFlow's graphs."""
    return graph_walk.Judgements(str(catalog.graph_ops_path()))


@dataclasses.dataclass(frozen=True)
class TargetFacts:
    """What the rules know of the target.

    Attributes:
        name: The value of `--target`.
        region: None for the global endpoint.
        endpoint: Its base URL.
        is_cloud: Whether a version is limited to what the cloud has. Otherwise the Python of `env` serves the model.
        unused_rules: The rules that do not apply to the target: id → reason.
    """

    name: str
    region: str | None = None
    endpoint: str = ""
    is_cloud: bool = True
    unused_rules: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def regional(self) -> bool:
        return self.region is not None

    @property
    def is_google(self) -> bool:
        """Whether the endpoint is one of Google's, rather than a compatible one."""
        host = urlsplit(self.endpoint if "//" in self.endpoint else f"//{self.endpoint}").hostname or ""
        return self.is_cloud and (host == "googleapis.com" or host.endswith(".googleapis.com"))


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """Result of a local trial: the `predictions`, one per instance, or the `error`.

    `load_seconds` and `predict_seconds` are measured by the worker; `memory_bytes` is the memory of its process with
    the model loaded. None where a value is unknown. `passed_at` is the time of a trial whose result is remembered, in
    seconds since the epoch; None for one that has just run.
    """

    predictions: Sequence[Any] | None = None
    error: PredictionError | None = None
    load_seconds: float | None = None
    predict_seconds: float | None = None
    memory_bytes: int | None = None
    passed_at: float | None = None


@dataclasses.dataclass(frozen=True)
class CheckContext:
    """What the rules check.

    Attributes:
        model: The model resource as the deployment would create it.
        version: The version resource as the deployment would create it.
        model_dir: The local files; None if the model is already in Cloud Storage, or if they cannot be deployed.
        unusable: Why the local files cannot be deployed: the directory does not exist, or is empty.
        target: Where the model is deployed.
        test_request: The body of the test prediction.
        trust: The code that the user trusts; None for none.
        trial: The result of the local trial, or the reason why there was none.
        default_machine: Whether the machine type of the version is a default rather than requested by the user.
        env: The environment that loads the model on this machine: `current` is this Python.
        installed: The release of each library of this Python; None to read them from the installed distributions.
        today: The day of the deployment (UTC), for what the service offers up to a date.
    """

    model: Model
    version: Version
    model_dir: ModelDir | None = None
    target: TargetFacts = TargetFacts("local", is_cloud=False)
    test_request: bytes | None = None
    trust: Trust | None = None
    trial: TrialResult | Skipped | None = None
    default_machine: bool = False
    unusable: ModelDirError | None = None
    env: str = "current"
    installed: Mapping[str, str] | None = None
    today: datetime.date = dataclasses.field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc).date()
    )

    @property
    def enforces_limits(self) -> bool:
        """Whether the limits of the cloud apply: on its endpoints, and where the user requested a machine type.

        Otherwise this machine serves the model, with the memory and the disk that it has.
        """
        return self.target.is_cloud or (self.version.machineType is not None and not self.default_machine)

    @property
    def no_files(self) -> Skipped:
        """The outcome of a rule about files if there is no `model_dir`."""
        if self.unusable:
            return Skipped(_("the model directory cannot be deployed"))
        return Skipped(_("the model directory is not on this machine"))

    @functools.cached_property
    def test_keys(self) -> Mapping[str, Any]:
        """The test request as a JSON object; empty if there is no request or it is not an object."""
        try:
            body = json.loads(self.test_request or b"{}")
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def instances(self) -> list[Any] | None:
        """The test instances; None if there are none or they are not a list, which R16 reports."""
        instances = self.test_keys.get("instances")
        return instances if isinstance(instances, list) and instances else None

    def graphs(self, file: File) -> tuple[saved_models.Graph, ...] | None:
        """The graphs of a SavedModel file that are loaded to serve, None if it cannot be read. Each file is read once.

        Their nodes have the attributes that say which operations are harmless, and the names of variables.
        """
        if file.name not in self._graphs:
            attributes = known_operations().attributes() | {saved_models.SHARED_NAME}
            try:
                self._graphs[file.name] = saved_models.graphs(file.path, attributes)
            except (OSError, ValueError):
                self._graphs[file.name] = None
        return self._graphs[file.name]

    @functools.cached_property
    def _graphs(self) -> dict[str, tuple[saved_models.Graph, ...] | None]:
        return {}

    @property
    def packages(self) -> tuple[PackageFacts, ...]:
        """The facts of the local packages; packages in Cloud Storage are not among them."""
        return tuple(self.package_facts.values())

    @functools.cached_property
    def package_facts(self) -> Mapping[Path, PackageFacts]:
        """The facts of the local packages by file."""
        return {file: read(file) for file in self.package_files if file.is_file()}

    @property
    def package_files(self) -> list[Path]:
        """The local files in packageUris, whether or not they exist."""
        return [Path(os.path.expanduser(uri)) for uri in self.version.packageUris or () if not is_gs_uri(uri)]

    def size_with_packages(self, directory: ModelDir) -> int:
        """The bytes of the model's files and of the local packages."""
        return directory.total_size + sum(file.stat().st_size for file in self.package_files if file.is_file())

    @property
    def has_remote_packages(self) -> bool:
        """Whether packageUris has packages in Cloud Storage, which the rules cannot read."""
        return any(map(is_gs_uri, self.version.packageUris or ()))

    @property
    def framework(self) -> str | None:
        """The requested framework, else the one detected from the files."""
        requested = self.version.framework
        if requested and requested != "FRAMEWORK_UNSPECIFIED":
            return requested
        return self.model_dir.framework if self.model_dir else None

    @property
    def is_custom(self) -> bool:
        """Whether the user's own code loads the model, so that any files are allowed; Google's images have none."""
        container = self.version.container
        own_image = container is not None and not catalog.is_prebuilt(container.image or "")
        return self.version.predictionClass is not None or own_image

    @property
    def family(self) -> catalog.Family:
        """The family of the requested machine type, else of the endpoint's default."""
        name = self.version.machineType
        known = catalog.machine_type(name) if name else catalog.default_machine_type(self.target.regional)
        if known:
            return known.family
        return "MLS1" if str(name).startswith("mls1-") else "N1"
