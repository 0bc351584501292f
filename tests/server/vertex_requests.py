"""Requests to Vertex AI's API of a server process: models, endpoints, deployments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server_process import Answer, ServerProcess, wait_until

REGION = "us-central1"
PARENT = f"/v1/projects/proj/locations/{REGION}"
IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/sklearn-cpu.1-6:latest"
RESOURCES = {"machineSpec": {"machineType": "n1-standard-2"}, "minReplicaCount": 1, "maxReplicaCount": 1}


def end(server: ServerProcess, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation once it is done, whether it failed or not."""
    found = dict(operation)

    def done() -> bool:
        if not found.get("done"):
            found.update(server.ok("GET", f"/v1/{operation['name']}"))
        return bool(found.get("done"))

    wait_until(done)
    return found


def upload(server: ServerProcess, folder: Path, model_id: str = "iris", **fields: Any) -> str:
    """Upload a directory as a new model, or as the next version of the model; return `…/models/M@V`."""
    uri = server.upload(
        folder, f"gs://bucket-of-models/{model_id}-{folder.name}", trusted=bool(fields.pop("trusted", 0))
    )
    model = {"displayName": model_id, "artifactUri": uri, "containerSpec": {"imageUri": IMAGE}, **fields}
    body: dict[str, Any] = {"modelId": model_id, "model": model}
    if server.call("GET", f"{PARENT}/models/{model_id}").status == 200:
        body = {"parentModel": f"projects/proj/locations/{REGION}/models/{model_id}", "model": model}
    done = end(server, server.ok("POST", f"{PARENT}/models:upload", body))
    assert "error" not in done, done
    return f"{done['response']['model']}@{done['response']['modelVersionId']}"


def create_endpoint(server: ServerProcess, id_: str, **fields: Any) -> str:
    """Create an endpoint; return its path."""
    body = {"displayName": id_, **fields}
    done = end(server, server.ok("POST", f"{PARENT}/endpoints?endpointId={id_}", body))
    assert done["response"]["name"].endswith(f"/endpoints/{id_}")
    return f"{PARENT}/endpoints/{id_}"


def start_deploy(
    server: ServerProcess, endpoint: str, model: str, split: dict[str, int] | None = None, **fields: Any
) -> Answer:
    """Ask for a deployment; the answer is its operation, or an error."""
    deployed = {"model": model, "dedicatedResources": RESOURCES, **fields}
    body = {"deployedModel": deployed, "trafficSplit": {"0": 100} if split is None else split}
    return server.call("POST", f"{endpoint}:deployModel", body)


def deploy(server: ServerProcess, endpoint: str, model: str, split: dict[str, int] | None = None, **fields: Any) -> str:
    """Deploy a model to an endpoint; return the id of the deployed model."""
    answer = start_deploy(server, endpoint, model, split, **fields)
    assert answer.status == 200, answer
    done = end(server, answer.body)
    assert "error" not in done, done
    return str(done["response"]["deployedModel"]["id"])


def undeploy(server: ServerProcess, endpoint: str, id_: str, split: dict[str, int] | None = None) -> Answer:
    body = {"deployedModelId": id_, **({"trafficSplit": split} if split is not None else {})}
    return server.call("POST", f"{endpoint}:undeployModel", body)


def clear(server: ServerProcess) -> None:
    """Remove all endpoints with what is deployed there."""
    for found in server.ok("GET", f"{PARENT}/endpoints").get("endpoints", []):
        path = f"/v1/{found['name']}"
        server.ok("PATCH", f"{path}?updateMask=trafficSplit", {"trafficSplit": {}})
        for model in found.get("deployedModels", []):
            assert undeploy(server, path, model["id"]).status == 200
        server.ok("DELETE", path)


def clear_models(server: ServerProcess) -> None:
    """Remove all models, of which none is deployed."""
    for found in server.ok("GET", f"{PARENT}/models").get("models", []):
        server.ok("DELETE", f"/v1/{found['name']}")
