"""`container.json`: what a container holds beside the model, written when it is exported and read when it starts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _

FILE_NAME = "container.json"
MODEL_DIR = "model"  # beside the file: the model that was exported with the container
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What the server cannot learn from the model's files.

    Attributes:
        framework: The API's name of the framework; None lets the files decide.
        prediction_class: The class of a custom prediction routine.
        packages: Directories of installed packages, relative to the directory of the file.
        package_names: The file names of the packages that were installed there.
        python: The interpreter that loads the model; None uses the one that serves.
        directory: The directory of the file.
    """

    framework: str | None = None
    prediction_class: str | None = None
    packages: tuple[str, ...] = ()
    package_names: tuple[str, ...] = ()
    python: str | None = None
    directory: Path = Path()

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read the file; the values of a model without custom code if it does not exist. SettingsError if invalid."""
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return cls(directory=path.parent)
        except (OSError, UnicodeDecodeError) as error:
            raise _invalid(path, str(error)) from None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _invalid(path, str(error)) from None
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise _invalid(path, _("expected a JSON object of format {number}", number=FORMAT))
        return cls(
            framework=_text(path, value, "framework"),
            prediction_class=_text(path, value, "prediction_class"),
            packages=_texts(path, value, "packages"),
            package_names=_texts(path, value, "package_names"),
            python=_text(path, value, "python"),
            directory=path.parent,
        )

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        return {
            "format": FORMAT,
            "framework": self.framework,
            "prediction_class": self.prediction_class,
            "packages": list(self.packages),
            "package_names": list(self.package_names),
            "python": self.python,
        }


def _text(path: Path, value: Mapping[str, object], key: str) -> str | None:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise _invalid(path, _("{field}: expected a string, got {kind}", field=key, kind=type(found).__name__))
    return found or None


def _texts(path: Path, value: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = value.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _invalid(path, _("{field}: expected a list of texts, got {kind}", field=key, kind=type(found).__name__))
    return tuple(found)


def _invalid(path: Path, reason: str) -> SettingsError:
    fix = _("export the directory again with {line}", line="aip-magics package --container DIR")
    return SettingsError(
        _("could not read the description of the container: {reason}", reason=reason), where=str(path), fix=fix
    )
