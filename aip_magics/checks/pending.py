"""What this release does not serve yet. Each rule goes when its feature comes."""

from __future__ import annotations

from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Subject, error, rule


@rule("P01", link=links.DEPLOYING)
def custom_code(subject: Subject) -> Outcomes:
    """Custom code (packageUris, predictionClass) is not served yet."""
    fields = [name for name in ("predictionClass", "packageUris") if getattr(subject.version, name)]
    text = "custom code is not supported yet"
    return [error(f"version.{name}", text, "deploy a model of scikit-learn or XGBoost alone") for name in fields]


@rule("P02", link=links.DEPLOYING)
def tensorflow(subject: Subject) -> Outcomes:
    """TensorFlow models are not served yet."""
    if subject.framework != "TENSORFLOW":
        return []
    asked = subject.version.framework == "TENSORFLOW"
    where = "version.framework" if asked else "saved_model.pb"
    fix = "deploy a model.joblib, model.pkl (scikit-learn, XGBoost) or model.bst (XGBoost)"
    return [error(where, "TensorFlow models are not supported yet", fix)]


@rule("P03", link=links.DEPLOYING)
def container(subject: Subject) -> Outcomes:
    """Containers are not served yet."""
    if subject.version.container is None:
        return []
    return [error("version.container", "containers are not supported yet", "deploy the model's files with --origin")]
