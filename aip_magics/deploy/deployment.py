"""A deployment as a value: what the user requested, before any value is chosen or looked up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aip_magics.prediction.instances import encode
from aip_magics.spec import Model, Version

if TYPE_CHECKING:
    from aip_magics.prediction.runtime_setup import Env


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One version to create, with its model. Omitted fields are chosen by the plan.

    Attributes:
        origin: A local directory, a model file, or a gs:// directory.
        model: The requested fields of the Model.
        version: The requested fields of the Version.
        staging_bucket: The bucket that local files are uploaded to.
        test: A prediction request, `{"instances": […], "signature_name"?: …}`, that runs locally before the upload and
            online after the deployment.
        include: Names or patterns of files to upload although they are hidden, look like private keys, or are
            excluded by `.gcloudignore`.
        replace: Whether to replace a different version of the same name.
        skip: IDs of checks that are skipped.
        strict: Whether warnings of the checks count as errors.
        trust: Whether the user trusts the code that loading the model runs.
        env: The environment of the local trial and, on the embedded server, of the version: this Python, that of the
            runtime version, or one of the libraries that saved the model.
        force_trial: Whether the local trial runs although the result of an earlier one is remembered.
    """

    origin: str
    model: Model = dataclasses.field(default_factory=Model)
    version: Version = dataclasses.field(default_factory=Version)
    staging_bucket: str | None = None
    test: Mapping[str, Any] | None = None
    include: tuple[str, ...] = ()
    replace: bool = False
    skip: frozenset[str] = frozenset()
    strict: bool = False
    trust: bool = False
    env: Env = "current"
    force_trial: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether the model is already in Cloud Storage."""
        return self.origin.startswith("gs://")

    def test_request(self) -> bytes | None:
        """Encode the body of the test prediction."""
        return None if self.test is None else encode(self.test)
