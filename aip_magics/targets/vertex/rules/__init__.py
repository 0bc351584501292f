"""The rules about Vertex AI by topic. Add a line for each new module of rules: importing the module registers them."""

from aip_magics.targets.vertex.rules import (
    buckets,
    containers,
    fields,
    files,
    images,
    machines,
    memory,
    names,
    region,
    requests,
)

__all__ = [
    "buckets",
    "containers",
    "fields",
    "files",
    "images",
    "machines",
    "memory",
    "names",
    "region",
    "requests",
]
