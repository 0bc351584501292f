"""Write requests to Vertex AI as calls of google-api-python-client."""

from __future__ import annotations

from aip_magics.client import Request
from aip_magics.commands.show.python_text import literal
from aip_magics.commands.show.vertex_address import VertexAddress

BUILD = (
    'vertex = discovery.build("aiplatform", "v1", client_options=options, credentials=credentials, '
    "static_discovery=True)"
)
_PARENT = "vertex.projects().locations()"
# The methods whose resource has a name of its own among the arguments.
_ARGUMENTS = {
    "deployModel": "endpoint",
    "undeployModel": "endpoint",
    "mutateDeployedModel": "endpoint",
    "predict": "endpoint",
}
_METHODS = {"GET": "get", "DELETE": "delete", "PATCH": "patch"}


def method_call(request: Request) -> str | None:
    """Write the method call of a request: `vertex.projects().locations().models().get(name=…)`.

    None for a request that is no method of the API: an extension of the embedded server.
    """
    address = VertexAddress.of(request.path)
    if address is None:
        return None
    collection = f"{_PARENT}.{address.collection}()" + (".operations()" if address.operation else "")
    body = [f"body={literal(request.body)}"] if request.body is not None and address.verb != "cancel" else []
    params = [f"{name}={value!r}" for name, value in request.params.items() if name != "pageSize"]
    if address.id or address.operation:
        argument = f"{_ARGUMENTS.get(address.verb, 'name')}={address.name!r}"
        method = address.verb or _METHODS[request.method]
    else:
        is_list = request.method == "GET"
        argument = f"name={address.parent!r}" if address.collection == "operations" else f"parent={address.parent!r}"
        method = address.verb or ("list" if is_list else "create")
    if size := request.params.get("pageSize"):
        params.append(f"pageSize={size}")
    return f"{collection}.{method}({', '.join([argument, *params, *body])})"


def operations(path: str) -> str:
    """The collection of an operation that a request with this path started, or that has this path."""
    address = VertexAddress.of(path)
    nested = address is not None and address.collection != "operations"
    return f"{_PARENT}.{address.collection}().operations()" if address and nested else f"{_PARENT}.operations()"
