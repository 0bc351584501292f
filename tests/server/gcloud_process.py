"""gcloud, unchanged, as a process that talks to an embedded server."""

import json
import os
import shutil
import subprocess

GCLOUD = shutil.which("gcloud")


class Gcloud:
    """Runs commands of a group against one server, at its global endpoint or at all endpoints through it as a proxy.

    The group `ai` is that of Vertex AI.
    """

    def __init__(self, server, folder, group="ai-platform"):
        self.server, self.folder, self.group = server, folder, group
        (folder / "token").write_text(server.state.token)

    def run(self, *words, proxy=False, stdin=None):
        address = self.server.url.removeprefix("http://")
        host, _, port = address.partition(":")
        endpoint = (
            {
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": "http://ml.googleapis.com/",
                "CLOUDSDK_PROXY_TYPE": "http",
                "CLOUDSDK_PROXY_ADDRESS": host,
                "CLOUDSDK_PROXY_PORT": port,
            }
            if proxy
            else {
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": f"{self.server.url}/",
                "CLOUDSDK_AI_PLATFORM_REGION": "global",
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{self.server.url}/",
                "CLOUDSDK_AI_REGION": "us-central1",
            }
        )
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CLOUDSDK_", "GOOGLE_")) and not name.lower().endswith("_proxy")
        }
        environment = {
            **kept,
            **endpoint,
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(self.folder / "token"),
            "CLOUDSDK_CONFIG": str(self.folder / "config"),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_CORE_PROJECT": "proj",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "HOME": str(self.folder),
        }
        track, words = (words[:1], words[1:]) if words[0] in ("alpha", "beta") else ((), words)
        command = [str(GCLOUD), *track, self.group, *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, input=stdin
        )

    def out(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, done.stderr
        assert "crashed" not in done.stderr
        return done.stdout

    def fails(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 1, done
        assert "crashed" not in done.stderr
        return done.stderr

    def json(self, *words, **options):
        return json.loads(self.out(*words, "--format=json", **options))
