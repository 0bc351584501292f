"""The parts of the path of a request to Vertex AI."""

from __future__ import annotations

import dataclasses
import re

_PATH = re.compile(
    r"v1/(projects/[^/]+/locations/[^/]+)/(models|endpoints|operations)(?:/([^/:]+))?(?:/operations/([^/:]+))?"
    r"(?::([a-zA-Z]+))?"
)


@dataclasses.dataclass(frozen=True)
class VertexAddress:
    """The parts of a path; a missing part is empty.

    Attributes:
        parent: `projects/P/locations/L`.
        collection: `models`, `endpoints` or `operations`.
        id: The resource: a model with its version (`iris@v1`), an endpoint, or an operation of no resource.
        operation: An operation of the resource.
        verb: The custom method after the colon.
    """

    parent: str
    collection: str
    id: str = ""
    operation: str = ""
    verb: str = ""

    @classmethod
    def of(cls, path: str) -> VertexAddress | None:
        """Parse a path such as `v1/projects/P/locations/L/models/M@V:deleteVersion`; None for one of no resource."""
        found = _PATH.fullmatch(path)
        return cls(*(part or "" for part in found.groups())) if found else None

    @property
    def region(self) -> str:
        return self.parent.rpartition("/")[2]

    @property
    def name(self) -> str:
        """The full name of the resource or operation, or of the collection."""
        parts = [self.parent, self.collection, self.id, *(["operations", self.operation] if self.operation else [])]
        return "/".join(filter(None, parts))

    @property
    def operation_id(self) -> str:
        """The ID of the operation that the path names, of a resource or not; empty if it names none."""
        return self.operation or (self.id if self.collection == "operations" else "")
