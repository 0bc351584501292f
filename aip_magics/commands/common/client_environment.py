"""What points clients of Google at the embedded server: `server env`, for `eval` in a POSIX shell."""

from __future__ import annotations

import shlex
from pathlib import Path

from aip_magics import catalog, target_types
from aip_magics.targets.state import ServerState


def client_environment(state: ServerState, token_file: Path) -> str:
    """Return shell commands for gcloud, and comments with what a Python program passes to its client.

    They name the file of the token, not the token. The comments are last: an `eval` without quotes joins all lines.
    """
    region = catalog.default_vertex_region()
    values = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": f"{state.url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{state.url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{state.url}/",
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token_file),
        "CLOUDSDK_AI_PLATFORM_REGION": "global",  # gcloud puts any other region before the host name
        "CLOUDSDK_AI_REGION": region,
        "CLOUDSDK_CORE_PROJECT": target_types.LOCAL.default_project,
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*exports, *(f"# {line}" for line in _python_lines(state, token_file, region))])


def _python_lines(state: ServerState, token_file: Path, region: str) -> list[str]:
    """The lines for google-cloud-aiplatform, whose default transport is gRPC, and for google-api-python-client."""
    project = target_types.LOCAL.default_project
    token = f"Credentials(open({str(token_file)!r}).read())"
    place = f"project={project!r}, location={region!r}, api_endpoint={state.url!r}, api_transport='rest'"
    options = f"client_options={{'api_endpoint': {state.url!r}}}, static_discovery=True"
    return [
        "Python: from google.oauth2.credentials import Credentials",
        f"google-cloud-aiplatform: aiplatform.init({place}, credentials={token})",
        f"google-api-python-client: discovery.build('aiplatform', 'v1', {options}, credentials={token})",
    ]
