"""Rules about the files of a model that a prebuilt image serves."""

from __future__ import annotations

import shlex

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, on_directory, rule
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links
from aip_magics.targets.vertex.rules.images import named_uri

# Source: Google's page "Export model artifacts", and the server's own error text for model.pkl.
_NAMES = {
    "SCIKIT_LEARN": ("model.joblib", "model.pkl"),
    "XGBOOST": ("model.bst", "model.joblib", "model.pkl"),
    "TENSORFLOW": ("saved_model.pb", "saved_model.pbtxt"),
}


@rule("V02", "wrong-files-for-image", link=links.WRONG_FILE, target="vertex")
@on_directory
def wrong_files_for_image(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The image of a version finds its model by name: exactly one of the names it knows, at the top of the directory.

    The names are model.joblib and model.pkl for scikit-learn, these two and model.bst for XGBoost, and saved_model.pb
    for TensorFlow. For a version that names no image, S02, S03, A05 and A06 report the same.
    """
    image = catalog.prediction_image(named_uri(context))
    names = _NAMES.get(image.framework, ()) if image else ()
    if image is None or not names:
        return []
    present = [file.name for file in directory.files if file.name in names]
    where, wanted = str(directory.path), ", ".join(names)
    if len(present) == 1:
        return []
    if present:
        text = _("expected exactly one of {wanted}, got {present}", wanted=wanted, present=", ".join(present))
        return [error(where, text, _("remove {present}", present=present[1]))]
    nested = next((file.name for file in directory.files if file.name.rpartition("/")[2] in names), None)
    if nested:
        text = _("{name} is in a subdirectory, where image {image} does not find it", name=nested, image=image.name)
        path = shlex.quote(str(directory.path / nested.rpartition("/")[0]))
        return [error(where, text, _("use the directory of the model: --origin {path}", path=path))]
    text = _("image {image} expects exactly one of {wanted}, got none", image=image.name, wanted=wanted)
    return [error(where, text, _("save the model as {wanted}", wanted=names[0]))]
