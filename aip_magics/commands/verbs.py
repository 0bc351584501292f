"""The verbs by name, without what they do: light enough to be known before anything is used."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Verb(NamedTuple):
    """`body` says what the body of a cell is: YAML fields, instances, or that there is none (a line magic only)."""

    help: str
    body: Literal["yaml", "instances", "none"] = "none"


VERBS = {
    "deploy": Verb(
        "Deploy a model: preflight checks, local trial, upload, model and version, first online prediction.", "yaml"
    ),
    "form": Verb("Open a form, prefilled from the model, to check, try and deploy the model.", "yaml"),
    "check": Verb("Run the preflight checks on a model; with test instances, run a local trial too.", "yaml"),
    "trust": Verb("Trust the code that loading a model or building a package runs, by file content."),
    "predict": Verb("Get online predictions from a deployed version.", "instances"),
    "local-predict": Verb("Predict with a model directory on this machine, as the service would.", "instances"),
    "package": Verb("Build a package of your own code for pipelines and custom prediction routines."),
    "describe": Verb("Describe a version, a model or an operation."),
    "list": Verb("List the models, the versions of a model, or the operations."),
    "delete": Verb("Delete a version or a model."),
    "create-model": Verb("Create a model resource.", "yaml"),
    "create-version": Verb("Create a version from a model that is already in Cloud Storage.", "yaml"),
    "set-default": Verb("Set the default version of a model."),
    "update": Verb("Change the description, labels or nodes of a version or a model.", "yaml"),
    "operations": Verb("List the long-running operations, or describe one."),
    "wait": Verb("Wait for a long-running operation."),
    "cancel": Verb("Cancel a long-running operation."),
    "history": Verb("Show what this notebook deployed, changed and left running."),
    "config": Verb("Show the settings and where they come from, or set defaults for this notebook."),
    "attach": Verb("Wait for an operation that was left running."),
    "upload": Verb("Upload a directory to Cloud Storage; only changed files are sent and every checksum is verified."),
    "pull": Verb(
        "Download a directory or an object from Cloud Storage; only changed files are fetched "
        "and every checksum is verified."
    ),
    "logs": Verb("Show the access, request and node logs of a version."),
    "server": Verb("Start, stop or inspect the embedded server."),
    "autoload": Verb("Turn automatic loading of the magics on or off, or show its status."),
}


def magic_name(verb: str) -> str:
    """`local-predict` is `%aip_local_predict`."""
    return "aip_" + verb.replace("-", "_")
