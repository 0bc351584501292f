"""The probe of `check --container`: the server of an exported container, with the model of the deployment."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.commands.common.command import Context
from aip_magics.commands.common.model_source import local_directory
from aip_magics.events import Note
from aip_magics.i18n import gettext as _
from aip_magics.local_path import local_path

if TYPE_CHECKING:
    from aip_magics.deploy import Deployment
    from aip_magics.serving.manifest import Manifest
    from aip_magics.serving.probe import ProbeResult


def run_probe(args: argparse.Namespace, deployment: Deployment, context: Context) -> ProbeResult:
    """Run the server of the container and probe it; a container that fails is a result too.

    Args:
        args: The options.
        deployment: The model, unless the container brings it, and the test instances.
        context: What the command runs with.

    Raises:
        ChecksFailed: Loading the model would run code that is not trusted.
        ModelDirError: The directory is not the export of a container, or the model does not exist.
    """
    from aip_magics.serving.manifest import FILE_NAME, MODEL_DIR, Manifest
    from aip_magics.serving.probe import check_directory, probe

    directory = local_path(args.container)
    check_directory(directory)
    model_dir = local_directory(deployment.origin, args, context) if deployment.origin else None
    manifest = Manifest.read(directory / FILE_NAME)
    _require_trust(model_dir or directory / MODEL_DIR, manifest, deployment, context)
    body = None
    if deployment.test is not None:
        request = dict(deployment.test)
        instances = request.pop("instances", [])
        body = json.dumps({"instances": instances, **({"parameters": request} if request else {})}).encode()
    context.reporter.emit(Note("container", _("starting the server of {directory}", directory=directory)))
    return probe(directory, os.path.abspath(model_dir) if model_dir else "", body=body)


def _require_trust(model_dir: Path, manifest: Manifest, deployment: Deployment, context: Context) -> None:
    """Require trust in the model, as a local trial does: the server runs the code that a model names."""
    from aip_magics.artifacts import inspect_model_dir, resolve_export
    from aip_magics.checks import CheckContext
    from aip_magics.deploy import trust_store
    from aip_magics.spec import Model, Version

    if not model_dir.is_dir():
        return  # the server says that there is no model
    path = model_dir if manifest.prediction_class else resolve_export(model_dir).path
    version = Version.from_json({"framework": manifest.framework, "predictionClass": manifest.prediction_class})
    check_context = CheckContext(Model(), version, inspect_model_dir(path, on_disk=True))
    trust_store.require(check_context, context.data_dir(), vouched=deployment.trust)
