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
_OF_ENDPOINT = ("deployModel", "undeployModel", "mutateDeployedModel", "predict")  # whose argument is not `name`
_METHODS = {"GET": "get", "DELETE": "delete", "PATCH": "patch"}


def is_method(request: Request) -> bool:
    """Whether a request is a method of the API, not an extension of the embedded server."""
    return VertexAddress.of(request.path) is not None


def method_call(request: Request) -> str:
    """Write the method call of a request: `vertex.projects().locations().models().get(name=…)`."""
    address = VertexAddress.of(request.path)
    assert address is not None
    collection = f"{_PARENT}.{address.collection}()" + (".operations()" if address.operation else "")
    body = [f"body={literal(request.body)}"] if request.body is not None and address.verb != "cancel" else []
    params = [f"{name}={value!r}" for name, value in request.params.items() if name != "pageSize"]
    if address.id or address.operation:
        argument = f"{'endpoint' if address.verb in _OF_ENDPOINT else 'name'}={address.name!r}"
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
