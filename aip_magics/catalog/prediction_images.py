"""Vertex AI's prebuilt prediction images, and until when each is available (`prediction_images.toml`)."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from typing import Literal

from aip_magics.catalog.tables import read_table

Accelerator = Literal["cpu", "gpu", "tpu"]


@dataclasses.dataclass(frozen=True)
class PredictionImage:
    """A prebuilt prediction image.

    Attributes:
        name: Its name without host and tag: `sklearn-cpu.1-6`.
        framework: The framework as AI Platform's API names it: SCIKIT_LEARN, XGBOOST, TENSORFLOW; or PYTORCH.
        version: The series of the framework: `1.6`.
        accelerator: What it runs on.
        patched_until: The last day with security patches.
        available_until: The last day on which a model can be deployed with it.
        python: The Python of its server; None where the source does not say.
        moved: Whether it was found by a path that Google no longer lists.
    """

    name: str
    framework: str
    version: str
    accelerator: Accelerator
    patched_until: datetime.date
    available_until: datetime.date
    python: str | None = None
    moved: bool = False

    def is_available(self, today: datetime.date) -> bool:
        """Whether a model can be deployed with it, found by this path, on a day."""
        return not self.moved and today <= self.available_until

    def days_left(self, today: datetime.date) -> int:
        """The days until the end of its availability; negative after it."""
        return (self.available_until - today).days

    def uri(self, region: str) -> str:
        """Its URI on the host that is nearest to a region (`us-central1`)."""
        return f"{nearest_host(region)}/{read_table('prediction_images')['repository']}/{self.name}:latest"


def nearest_host(region: str) -> str:
    """Return the host of prebuilt images that is nearest to a region: `europe-docker.pkg.dev` for `europe-west4`."""
    hosts: dict[str, str] = read_table("prediction_images")["nearest_host"]
    return hosts.get(region.partition("-")[0], hosts["us"])


@functools.cache
def prediction_images() -> tuple[PredictionImage, ...]:
    """All prebuilt images, of each framework newest first, with those that are no longer available."""
    return tuple(
        PredictionImage(
            name=f"{row['prefix']}-{accelerator}.{row['version'].replace('.', '-')}",
            framework=row["framework"],
            version=row["version"],
            accelerator=accelerator,
            patched_until=row["patched_until"],
            available_until=row["available_until"],
            python=row.get("python"),
        )
        for row in read_table("prediction_images")["release"]
        for accelerator in row["accelerators"]
    )


def prediction_image(uri: str) -> PredictionImage | None:
    """Return the prebuilt image of a URI, available or not; None if the URI is not exactly that of one.

    A path that Google no longer lists (`gcr.io/cloud-aiplatform/prediction/…`) returns the image as `moved`.
    """
    path, _sep, tag = uri.rpartition(":")
    directory, _sep, name = path.rpartition("/")
    listed, former = _directories()
    if tag != "latest" or directory not in listed | former:
        return None
    found = next((image for image in prediction_images() if image.name == name), None)
    return dataclasses.replace(found, moved=True) if found and directory in former else found


def cpu_only(framework: str) -> bool:
    """Whether there are prebuilt images for a framework, and all of them run on CPUs only."""
    return {image.accelerator for image in prediction_images() if image.framework == framework} == {"cpu"}


def is_prebuilt(uri: str) -> bool:
    """Whether a URI lies where Google keeps its prebuilt images, or kept them, whether or not the image exists."""
    listed, former = _directories()
    return any(uri.startswith(f"{directory}/") for directory in listed | former)


@functools.cache
def _directories() -> tuple[frozenset[str], frozenset[str]]:
    table = read_table("prediction_images")
    return (
        frozenset(f"{host}/{table['repository']}" for host in table["hosts"]),
        frozenset(f"{host}/{table['former_repository']}" for host in table["former_hosts"]),
    )
