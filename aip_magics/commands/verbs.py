"""The verbs by name, without what they do: light enough to be known before anything is used."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Verb(NamedTuple):
    """`body` says what the body of a cell is: YAML fields, instances, or that there is none (a line magic only)."""

    help: str
    body: Literal["yaml", "instances", "none"] = "none"


VERBS = {
    "deploy": Verb("Check a model, upload it, try it, make model and version, wait, describe, predict.", "yaml"),
    "form": Verb("Fill in a form, prefilled from the model; check, try and deploy from it.", "yaml"),
    "check": Verb("Check a model before anything is sent; with test instances, try it here too.", "yaml"),
    "trust": Verb("Consent to what loading a model or building a package runs, by its content."),
    "predict": Verb("Online prediction by a deployed version.", "instances"),
    "local-predict": Verb("Predict with a model directory on this machine, as the service would.", "instances"),
    "package": Verb("Make a package of your own code, for pipelines and custom prediction routines."),
    "describe": Verb("Describe a version, a model or an operation."),
    "list": Verb("List the models, the versions of a model, or the operations."),
    "delete": Verb("Delete a version or a model."),
    "create-model": Verb("Make a model resource, and nothing else.", "yaml"),
    "create-version": Verb("Make a version of what lies in Cloud Storage, just as it is asked for.", "yaml"),
    "set-default": Verb("Make a version the one that answers for its model."),
    "update": Verb("Change description, labels or nodes of a version or a model.", "yaml"),
    "operations": Verb("List the long-running operations, or describe one."),
    "wait": Verb("Wait for a long-running operation."),
    "cancel": Verb("Ask for the end of a long-running operation."),
    "history": Verb("Show what this notebook deployed, changed and left running."),
    "config": Verb("Show the settings and where they come from, or set defaults for this notebook."),
    "attach": Verb("Wait for an operation that was left running."),
    "upload": Verb("Upload a directory to Cloud Storage: only what differs, checked."),
    "pull": Verb("Fetch a directory or an object from Cloud Storage: only what differs, checked."),
    "logs": Verb("Show what was asked of a version and what its model's code printed."),
    "server": Verb("Start, stop or look at the embedded server."),
    "autoload": Verb("Have the magics in every notebook without %load_ext: on, off, or status."),
}


def magic_name(verb: str) -> str:
    """`local-predict` is `%aip_local_predict`."""
    return "aip_" + verb.replace("-", "_")
