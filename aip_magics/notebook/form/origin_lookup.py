"""Inspection of the model directory of the form, without loading the model."""

from __future__ import annotations

import dataclasses

from aip_magics.artifacts import ModelDir, inspect_model_dir
from aip_magics.deploy import Deployment
from aip_magics.deploy.preflight import find_model_dir
from aip_magics.errors import AipError, ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.field_conversion import FieldProblem, problem


@dataclasses.dataclass(frozen=True)
class InspectedOrigin:
    """The inspected model directory, or the problem with it; both are None for a directory in Cloud Storage."""

    model_dir: ModelDir | None = None
    problem: FieldProblem | None = None

    @classmethod
    def at(cls, deployment: Deployment) -> InspectedOrigin:
        """Inspect the origin of a deployment, in a few milliseconds and without unpickling."""
        if deployment.is_remote or not deployment.origin:
            return cls()
        try:
            return cls(inspect_model_dir(find_model_dir(deployment).path, include=deployment.include))
        except AipError as error:
            return cls(problem=problem("origin", error))
        except (OSError, ValueError) as error:  # an unreadable directory, an invalid file name
            return cls(problem=problem("origin", ModelDirError(str(error))))

    @property
    def libraries(self) -> str:
        """The libraries of the model, `in the model: scikit-learn 1.0.2`; empty if unknown."""
        found = self.model_dir.libraries if self.model_dir else {}
        names = ", ".join(f"{name} {version}" for name, version in found.items())
        return _("in the model: {names}", names=names) if names else ""
