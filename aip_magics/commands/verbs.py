"""The verbs by name, without what they do: light enough to be known before anything is used."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Verb(NamedTuple):
    """`body` says what the body of a cell is: YAML fields, instances, or that there is none (a line magic only)."""

    help: str
    body: Literal["yaml", "instances", "none"] = "none"


VERBS = {
    "deploy": Verb("Check a model, upload it, try it, make model and version, wait, describe, predict.", "yaml"),
    "predict": Verb("Online prediction by a deployed version.", "instances"),
    "local-predict": Verb("Predict with a model directory on this machine, as the service would.", "instances"),
    "package": Verb("Make a package of your own code, for pipelines and custom prediction routines."),
    "describe": Verb("Describe a version, a model or an operation."),
    "list": Verb("List the models, the versions of a model, or the operations."),
    "delete": Verb("Delete a version or a model."),
    "attach": Verb("Wait for an operation that was left running."),
    "logs": Verb("Show what was asked of a version and what its model's code printed."),
    "server": Verb("Start, stop or look at the embedded server."),
}


def magic_name(verb: str) -> str:
    """`local-predict` is `%aip_local_predict`."""
    return "aip_" + verb.replace("-", "_")
