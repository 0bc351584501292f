"""What lies in the directory that the form names, looked at without running it."""

from __future__ import annotations

import dataclasses

from aip_magics.artifacts import ModelDir, inspect_model_dir
from aip_magics.deploy import Deployment
from aip_magics.deploy.preflight import resolve_plan
from aip_magics.errors import AipError, ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.form.field_conversion import FieldProblem, problem


@dataclasses.dataclass(frozen=True)
class InspectedOrigin:
    """The model directory, or why there is none. Both are None where it is not on this machine."""

    model_dir: ModelDir | None = None
    problem: FieldProblem | None = None

    @classmethod
    def at(cls, deployment: Deployment) -> InspectedOrigin:
        """Look at the origin of a deployment: a few milliseconds, nothing is unpickled."""
        if deployment.is_remote or not deployment.origin:
            return cls()
        try:
            return cls(inspect_model_dir(resolve_plan(deployment).path))
        except AipError as error:
            return cls(problem=problem("origin", error))
        except (OSError, ValueError) as error:  # a folder that may not be read, a name that no file can have
            return cls(problem=problem("origin", ModelDirError(str(error))))

    @property
    def libraries(self) -> str:
        """`in the model: scikit-learn 1.0.2`, or nothing."""
        found = self.model_dir.libraries if self.model_dir else {}
        names = ", ".join(f"{name} {version}" for name, version in found.items())
        return _("in the model: {names}", names=names) if names else ""
