"""Export a container: write its directory as a whole, named by its contents."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from aip_magics.artifacts import ModelDir, inspect_model_dir, resolve_export
from aip_magics.errors import InputError, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.local import framework_name, resolve_model_dir
from aip_magics.serving.export import dockerfile, files
from aip_magics.serving.export.requirements import Requirements, find_requirements
from aip_magics.serving.manifest import FILE_NAME, Manifest
from aip_magics.trust import digest

HASH_CHARACTERS = 12
# A host, a project (PROJECT: to be filled in), and a path.
_IMAGE = re.compile(r"[a-z0-9][a-z0-9.-]*(?::\d+)?(?:/PROJECT)?(?:/[a-z0-9.]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+")
_CACHE = "__pycache__"  # a trial of the directory may write it


@dataclasses.dataclass(frozen=True)
class ContainerOptions:
    """What a container is to hold.

    Attributes:
        framework: The API's name of the framework; None detects it from the model's files.
        prediction_class: The class of a custom prediction routine.
        package_names: The names of the packages in `installed`.
        installed: The directory of the installed custom code.
        runtime_version: Use the libraries of this runtime version instead of those that saved the model.
        python_version: The Python of the container.
        with_model: Whether the model's files are part of the container.
    """

    framework: str | None = None
    prediction_class: str | None = None
    package_names: tuple[str, ...] = ()
    installed: Path | None = None
    runtime_version: str | None = None
    python_version: str | None = None
    with_model: bool = False


@dataclasses.dataclass(frozen=True)
class Container:
    """A directory that a container can be built from.

    Attributes:
        directory: The directory.
        image: The name of the image, with a tag that is the hash of the contents.
        python: The Python of the model, `3.11`.
        reason: Where its libraries come from.
        requirements: What is installed.
        files: The names of the files, relative to the directory.
        unchanged: Whether the directory had this content already.
    """

    panel_kind: ClassVar[str] = "container"
    directory: Path
    image: str
    python: str
    reason: str
    requirements: tuple[str, ...]
    files: tuple[str, ...]
    unchanged: bool = False

    @property
    def docker_line(self) -> str:
        """The command that builds the image with Docker; platforms run linux/amd64, whatever this machine is."""
        return shlex.join(["docker", "build", "--platform", "linux/amd64", "-t", self.image, str(self.directory)])

    @property
    def gcloud_line(self) -> str:
        """The command that builds the image with Cloud Build, which needs no Docker, and pushes it."""
        return shlex.join(["gcloud", "builds", "submit", "--tag", self.image, str(self.directory)])

    def to_json(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self),
            "directory": str(self.directory),
            "requirements": list(self.requirements),
            "files": list(self.files),
            "docker": self.docker_line,
            "gcloud": self.gcloud_line,
        }


def export_container(
    directory: Path, model_dir: Path | None, image: str, options: ContainerOptions, *, replace: bool = False
) -> Container:
    """Write the directory of a container. The same input gives the same bytes, and the same image tag.

    Args:
        directory: The directory; an earlier export in it is replaced.
        model_dir: The model directory; None for a routine without files.
        image: The name of the image, without a tag.
        options: What the container is to hold.
        replace: Whether an earlier export is replaced although its files were changed since.

    Raises:
        OptionError: The directory has other files, or was changed since its export; the image's name is invalid.
        ModelDirError, FieldError, RuntimeEnvironmentError: as of `find_requirements`.
        InputError: The custom code is compiled for another machine.
    """
    if not _IMAGE.fullmatch(image):
        text = _("invalid image name {image!r}: expected HOST/PATH without a tag", image=image)
        raise OptionError(text, where="--image", fix="us-central1-docker.pkg.dev/PROJECT/models/iris")
    directory = Path(os.path.abspath(directory))
    if Path.cwd().is_relative_to(directory.resolve()):
        text = _("{directory} is the current directory, which cannot be replaced", directory=directory)
        raise OptionError(text, where="--container", fix=_("use a new directory"))
    earlier = _earlier_hash(directory, replace)
    model = _inspect(model_dir, options)
    framework = None
    if not options.prediction_class:
        framework = framework_name(options.framework) or (model.framework if model else None)
    requirements = find_requirements(
        model,
        framework,
        options.installed,
        runtime_version=options.runtime_version,
        python_version=options.python_version,
    )
    copied = {**files.server_files(), **files.code_files(options.installed, requirements.python)}
    if options.with_model and model is not None:
        copied.update(files.model_dir_files(model))
    manifest = Manifest(
        framework=framework,
        prediction_class=options.prediction_class,
        packages=(dockerfile.PACKAGES_DIR,) if options.installed else (),
        package_names=options.package_names,
        python=dockerfile.MODEL_PYTHON if requirements.server else None,
    )
    written = _text_files(requirements)
    digests = _digests(copied, written)
    tag = _hash(digests, manifest)
    content = {**manifest.to_json(), "hash": tag, "files": digests}
    written[FILE_NAME] = json.dumps(content, indent=1, sort_keys=True) + "\n"
    if earlier != tag:
        _write(directory, copied, written)
    return Container(
        directory=directory,
        image=f"{image}:{tag}",
        python=requirements.python,
        reason=requirements.reason,
        requirements=requirements.model,
        files=tuple(sorted({*copied, *written})),
        unchanged=earlier == tag,
    )


def _inspect(model_dir: Path | None, options: ContainerOptions) -> ModelDir | None:
    if model_dir is None:
        if options.prediction_class is None:
            text = _("a model or a prediction class is required")
            raise OptionError(text, where="--origin", fix=_("add --origin DIR"))
        if options.with_model:
            raise OptionError(_("--with-model requires a model"), where="--origin", fix=_("add --origin DIR"))
        return None
    path = resolve_model_dir(model_dir)
    if not options.prediction_class:
        path = resolve_export(path).path
    return inspect_model_dir(path, on_disk=True)


def _text_files(requirements: Requirements) -> dict[str, str]:
    written = {
        "Dockerfile": dockerfile.dockerfile(requirements),
        ".dockerignore": dockerfile.dockerignore(),
        dockerfile.REQUIREMENTS: "".join(f"{line}\n" for line in requirements.model),
    }
    if requirements.server:
        written[dockerfile.SERVER_REQUIREMENTS] = "".join(f"{line}\n" for line in requirements.server)
    return written


def _digests(copied: Mapping[str, Path], written: Mapping[str, str]) -> dict[str, str]:
    digests = {name: digest(path) for name, path in copied.items()}
    return {**digests, **{name: hashlib.sha256(text.encode()).hexdigest() for name, text in written.items()}}


def _hash(digests: Mapping[str, str], manifest: Manifest) -> str:
    text = json.dumps([sorted(digests.items()), manifest.to_json()])
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def _earlier_hash(directory: Path, replace: bool) -> str | None:
    """The hash of an earlier export in the directory; None if it is to be written. OptionError if it is not ours."""
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return None
    try:
        content = json.loads((directory / FILE_NAME).read_text("utf-8"))
        tag, digests = str(content["hash"]), dict(content["files"])
    except (OSError, ValueError, KeyError, TypeError):
        text = _("{directory} exists and is not the export of a container", directory=directory)
        raise OptionError(text, where="--container", fix=_("use a new directory")) from None
    if replace:
        return None
    changed = _changed_file(directory, digests)
    if changed:
        text = _("{file} was changed since the export of the container", file=directory / changed)
        raise OptionError(text, where="--container", fix=_("add --replace to discard the changes"))
    return tag


def _changed_file(directory: Path, digests: Mapping[str, str]) -> str | None:
    found = {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if not path.is_dir() and not _is_cache(path.relative_to(directory))
    }
    found.pop(FILE_NAME, None)
    for name in sorted({*found, *digests}):
        if name not in found or name not in digests or digest(found[name]) != digests[name]:
            return name
    return None


def _is_cache(path: Path) -> bool:
    return path.parts[0] in (dockerfile.SERVER_DIR, dockerfile.PACKAGES_DIR) and _CACHE in path.parts


def _write(directory: Path, copied: Mapping[str, Path], written: Mapping[str, str]) -> None:
    """Write all files beside the directory, then put them in its place: an interrupted export changes nothing."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".aip-container-", dir=directory.parent))
        try:
            fresh, old = scratch / "new", scratch / "old"
            for name, path in copied.items():
                target = fresh / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            for name, text in written.items():
                (fresh / name).write_bytes(text.encode("utf-8"))
            for path in (fresh, *fresh.rglob("*")):
                path.chmod(0o755 if path.is_dir() else 0o644)  # the server of the image runs as another user
            if directory.exists():
                os.rename(directory, old)
            try:
                os.rename(fresh, directory)
            except OSError:
                if old.exists():
                    os.rename(old, directory)
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        text = _("could not write the container: {reason}", reason=error.strerror or error)
        fix = _("use a directory that can be written to")
        raise InputError(text, where=str(directory), fix=fix) from None


def image_name(region: str, project: str, name: str) -> str:
    """The name of an image in Artifact Registry, which the region's endpoints can pull."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
    return f"{region}-docker.pkg.dev/{project}/models/{plain}"
