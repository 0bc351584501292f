"""The table of the verbs. Light to import: the magics are registered from it before any command is loaded.

A new verb is one line here and its file in `commands/`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Verb(NamedTuple):
    """One verb of the command line and the magics.

    Attributes:
        help: One sentence, translated where it is shown.
        path: Where its Command is, as `MODULE.NAME` in `commands/`.
        body: What the body of a cell is: YAML fields, instances, or nothing (a line magic only).
    """

    help: str
    path: str
    body: Literal["yaml", "instances", "none"] = "none"


VERBS = {
    "deploy": Verb(
        "Deploy a model: preflight checks, local trial, upload, model and version, first online prediction.",
        "deploy.COMMAND",
        "yaml",
    ),
    "form": Verb("Open a form, prefilled from the model, to check, try and deploy the model.", "form.COMMAND", "yaml"),
    "check": Verb(
        "Run the preflight checks on a model; with test instances, run a local trial too.", "check.COMMAND", "yaml"
    ),
    "trust": Verb("Trust the code that loading a model or building a package runs, by file content.", "trust.COMMAND"),
    "predict": Verb("Get online predictions from a deployed version.", "predict.PREDICT", "instances"),
    "local-predict": Verb(
        "Predict with a model directory on this machine, as the service would.", "predict.LOCAL_PREDICT", "instances"
    ),
    "package": Verb(
        "Build a package of your own code for pipelines and custom prediction routines.", "package.COMMAND"
    ),
    "describe": Verb("Describe a version, a model or an operation.", "resources.DESCRIBE"),
    "list": Verb("List the models, the versions of a model, or the operations.", "resources.LIST"),
    "delete": Verb("Delete a version or a model.", "delete.COMMAND"),
    "undeploy": Verb("End the nodes of a version; the version stays.", "undeploy.COMMAND"),
    "create-model": Verb("Create a model resource.", "create.CREATE_MODEL", "yaml"),
    "create-version": Verb(
        "Create a version from a model that is already in Cloud Storage.", "create.CREATE_VERSION", "yaml"
    ),
    "set-default": Verb("Set the default version of a model.", "update.SET_DEFAULT"),
    "compare": Verb(
        "Send the same requests to two versions and show where and how much their predictions differ.",
        "compare.COMMAND",
    ),
    "traffic": Verb("Show or split the traffic of a model between its versions.", "traffic.TRAFFIC"),
    "promote": Verb("Send all traffic of a model to a version.", "traffic.PROMOTE"),
    "rollback": Verb("Send the traffic of a model where it went before.", "traffic.ROLLBACK"),
    "update": Verb("Change the description, labels or nodes of a version or a model.", "update.UPDATE", "yaml"),
    "operations": Verb("List the long-running operations, or describe one.", "operations.OPERATIONS"),
    "wait": Verb("Wait for a long-running operation.", "operations.WAIT"),
    "cancel": Verb("Cancel a long-running operation.", "operations.CANCEL"),
    "history": Verb("Show what this notebook deployed, changed and left running.", "history.COMMAND"),
    "config": Verb("Show the settings and where they come from, or set defaults for this notebook.", "config.COMMAND"),
    "attach": Verb("Wait for an operation that was left running.", "operations.ATTACH"),
    "upload": Verb(
        "Upload a directory to Cloud Storage; only changed files are sent and every checksum is verified.",
        "upload.COMMAND",
    ),
    "pull": Verb(
        "Download from Cloud Storage; only changed files are transferred and every checksum is verified.",
        "pull.COMMAND",
    ),
    "remove": Verb("Delete objects in Cloud Storage: single objects or all below a directory.", "remove.COMMAND"),
    "logs": Verb("Show the access, request and node logs of a version.", "logs.COMMAND"),
    "server": Verb("Start, stop or inspect the embedded server.", "server.COMMAND"),
    "autoload": Verb("Turn automatic loading of the magics on or off, or show its status.", "autoload.COMMAND"),
}


def magic_name(verb: str) -> str:
    """Return the name of a verb's magic: `local-predict` is `%aip_local_predict`."""
    return "aip_" + verb.replace("-", "_")
