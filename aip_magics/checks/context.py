"""What rules are given: the resources, the files, the target, and what a local trial of the model gave."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.packages import PackageFacts, read
from aip_magics.checks.outcome import Skipped
from aip_magics.errors import PredictionError
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust


@dataclasses.dataclass(frozen=True)
class TargetKind:
    """Where the deployment goes: `kind` is `local` or `aiplatform`; `region` is None for the global endpoint."""

    kind: str
    region: str | None = None
    endpoint: str = ""

    @property
    def regional(self) -> bool:
        return self.region is not None

    @property
    def is_cloud(self) -> bool:
        return self.kind == "aiplatform"

    @property
    def is_google(self) -> bool:
        """Whether the endpoint is Google's own, not a compatible one."""
        host = urlsplit(self.endpoint if "//" in self.endpoint else f"//{self.endpoint}").hostname or ""
        return self.is_cloud and (host == "googleapis.com" or host.endswith(".googleapis.com"))


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What came of a try: the `predictions`, one for each instance, or the `error`.

    `load_seconds` and `predict_seconds` are as the worker measured them; `memory_bytes` is what its process held
    afterwards with the model in it. None where it is not known.
    """

    predictions: Sequence[Any] | None = None
    error: PredictionError | None = None
    load_seconds: float | None = None
    predict_seconds: float | None = None
    memory_bytes: int | None = None


@dataclasses.dataclass(frozen=True)
class CheckContext:
    """What is checked: the resources as they would be sent, the files, the target.

    `model_dir` is None where the model lies in Cloud Storage already. `test_request` is the body of the test
    prediction. `trust` is what the user said about code that loading runs (None: nothing); `tried` is how the model did
    in a worker of this machine, or why it was not tried.
    """

    model: Model
    version: Version
    model_dir: ModelDir | None = None
    target: TargetKind = TargetKind("local")
    test_request: bytes | None = None
    trust: Trust | None = None
    tried: TrialResult | Skipped | None = None

    @functools.cached_property
    def test_keys(self) -> Mapping[str, Any]:
        """The test request as a JSON object; empty where there is none, or it is no object."""
        try:
            body = json.loads(self.test_request or b"{}")
        except (ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def instances(self) -> list[Any] | None:
        """The test instances; None where there are none, or they are no list (R16 says so)."""
        found = self.test_keys.get("instances")
        return found if isinstance(found, list) and found else None

    @property
    def packages(self) -> tuple[PackageFacts, ...]:
        """What the packages of this machine say about themselves; those in Cloud Storage are left out."""
        return tuple(self.package_facts.values())

    @functools.cached_property
    def package_facts(self) -> Mapping[Path, PackageFacts]:
        """The same by their files."""
        files = [Path(uri).expanduser() for uri in self.version.packageUris or () if not uri.startswith("gs://")]
        return {file: read(file) for file in files if file.is_file()}

    @property
    def framework(self) -> str | None:
        """The framework asked for, else the one the files have."""
        asked = self.version.framework
        if asked and asked != "FRAMEWORK_UNSPECIFIED":
            return asked
        return self.model_dir.framework if self.model_dir else None

    @property
    def is_custom(self) -> bool:
        """Whether the user's own code loads the model: any files will do."""
        return self.version.predictionClass is not None or self.version.container is not None

    @property
    def family(self) -> catalog.Family:
        """The family of the machine asked for, else of the endpoint's default."""
        name = self.version.machineType
        known = catalog.machine_type(name) if name else catalog.default_machine_type(self.target.regional)
        if known:
            return known.family
        return "MLS1" if str(name).startswith("mls1-") else "N1"
