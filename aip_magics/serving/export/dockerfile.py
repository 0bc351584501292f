"""The text files of the directory that a container is built from."""

from __future__ import annotations

import aip_magics
from aip_magics.serving.contract import DEFAULT_PORT
from aip_magics.serving.export.requirements import Requirements

REQUIREMENTS, SERVER_REQUIREMENTS = "requirements.txt", "requirements-server.txt"
MODEL_PYTHON = "/opt/model/bin/python"  # of a model that needs another Python than the server
SERVER_DIR, PACKAGES_DIR = "server", "packages"
_UV = "0.5"
_SYSTEM_LIBRARIES = {"lightgbm": "libgomp1"}  # what a wheel needs and a slim image lacks


def dockerfile(requirements: Requirements) -> str:
    """The Dockerfile. Whoever starts the container needs no network but the platform's."""
    lines = [
        f"# Written by aip-magics {aip_magics.__version__}.",
        f"FROM python:{requirements.server_python}-slim-bookworm",  # later builds get the same release of Debian
        "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1",
        *_system_libraries(requirements),
        "WORKDIR /app",
    ]
    if requirements.server:
        lines += [
            f"COPY {SERVER_REQUIREMENTS} {REQUIREMENTS} ./",
            f"RUN pip install -r {SERVER_REQUIREMENTS}",
            "# The model needs a Python that the server does not run on: its workers have their own.",
            "ENV UV_PYTHON_INSTALL_DIR=/opt/python UV_NO_CACHE=1",
            f"RUN pip install 'uv>={_UV}' && uv venv --python {requirements.python} /opt/model \\",
            f"    && uv pip install --python {MODEL_PYTHON} -r {REQUIREMENTS} && pip uninstall --yes uv",
        ]
    else:
        lines += [f"COPY {REQUIREMENTS} ./", f"RUN pip install -r {REQUIREMENTS}"]
    lines += [
        "COPY . .",
        f"RUN python -m compileall -q {SERVER_DIR} && useradd --create-home --uid 1000 server",
        f"ENV PYTHONPATH=/app/{SERVER_DIR}",
        "USER 1000",
        f"EXPOSE {DEFAULT_PORT}",
        'ENTRYPOINT ["python", "-m", "aip_magics.serving", "--address", "0.0.0.0"]',
    ]
    return "\n".join(lines) + "\n"


def dockerignore() -> str:
    """The .dockerignore: what a trial of the directory leaves behind is not copied."""
    caches = "".join(f"{directory}/**/__pycache__\n" for directory in (SERVER_DIR, PACKAGES_DIR))
    return f"Dockerfile\n.dockerignore\n.gcloudignore\n{caches}"


def _system_libraries(requirements: Requirements) -> list[str]:
    names = {line.partition("==")[0] for line in requirements.model}
    wanted = sorted({library for name, library in _SYSTEM_LIBRARIES.items() if name in names})
    if not wanted:
        return []
    install = f"apt-get install --yes --no-install-recommends {' '.join(wanted)}"
    return [f"RUN apt-get update && {install} && rm -rf /var/lib/apt/lists/*"]
