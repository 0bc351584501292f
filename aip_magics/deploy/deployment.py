"""A deployment as a value: what was asked for, before anything is derived or looked up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from aip_magics.prediction.instances import encode
from aip_magics.spec import Model, Version


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One version to be made, with the model it belongs to.

    `origin` is a local directory (or model file) or a gs:// directory. `test` is a prediction request,
    `{"instances": […], "signature_name"?: …}`, tried locally before and online after. Fields left out are derived.
    Checks in `skip` are left out; with `strict` their warnings count as errors. `trust`: whoever deploys vouches for
    the code that loading the model runs.
    """

    origin: str
    model: Model = dataclasses.field(default_factory=Model)
    version: Version = dataclasses.field(default_factory=Version)
    staging_bucket: str | None = None
    test: Mapping[str, Any] | None = None
    replace: bool = False
    skip: frozenset[str] = frozenset()
    strict: bool = False
    trust: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether the model already lies in Cloud Storage."""
        return self.origin.startswith("gs://")

    def test_request(self) -> bytes | None:
        """The body of the test prediction, as it is sent."""
        return None if self.test is None else encode(self.test)
