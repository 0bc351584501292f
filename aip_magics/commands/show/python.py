"""Write planned calls as a Python program with google-api-python-client and google-cloud-storage."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aip_magics.client import Request, Wait
from aip_magics.commands.show import vertex_python
from aip_magics.commands.show.api_style import style_of
from aip_magics.commands.show.planned_calls import (
    Address,
    Download,
    MakeBucket,
    PlannedCall,
    Remove,
    Sync,
    Upload,
)
from aip_magics.commands.show.python_text import literal
from aip_magics.targets.state import STATE_FILE

if TYPE_CHECKING:
    from aip_magics.targets import Target

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def lines(calls: Sequence[PlannedCall], target: Target) -> list[str]:
    """Return the lines of the program: `ml` or `vertex` is the API, `answer` its last response, which is printed."""
    found = [*_imports(calls, target), *_clients(calls, target)]
    last = ""  # the path of the last request
    for call in calls:
        found += _lines(call, target, last)
        last = call.path if isinstance(call, Request) else last
    return found


def _imports(calls: Sequence[PlannedCall], target: Target) -> Iterator[str]:
    local = target.runs_here
    if local:
        yield from ("import json", "import pathlib")
    if any(isinstance(call, Wait) for call in calls):
        yield "import time"
    if not local and any(isinstance(call, Download) for call in calls):
        yield "import pathlib"
    if not local:
        yield "import google.auth"
    if any(_is_extension(call, target) for call in calls):
        yield "from google.auth.transport.requests import AuthorizedSession"
    if _uses_storage(calls):
        yield "from google.cloud import storage"
    if local:
        yield "from google.oauth2.credentials import Credentials"
    if _uses_api(calls):
        yield "from googleapiclient import discovery"


def _clients(calls: Sequence[PlannedCall], target: Target) -> Iterator[str]:
    local = target.runs_here
    if local:
        # The program reads address and token from the server's state file, so that neither is in the text.
        yield f"server = json.loads(pathlib.Path({str(target.settings.data_dir / STATE_FILE)!r}).read_text())"
        yield 'endpoint, credentials = server["url"], Credentials(server["token"])'
    else:
        yield f"endpoint = {target.endpoint!r}"
        yield f"credentials, _ = google.auth.default(scopes=[{SCOPE!r}])"
    yield 'options = {"api_endpoint": endpoint}'
    if _uses_api(calls):
        yield _api(target).build
    if _uses_storage(calls):
        options = "options" if local else repr({"api_endpoint": target.storage_url})
        yield f"gcs = storage.Client({target.project!r}, credentials, client_options={options})"


def _uses_storage(calls: Sequence[PlannedCall]) -> bool:
    return any(isinstance(call, (MakeBucket, Upload, Sync, Download, Remove)) for call in calls)


def _uses_api(calls: Sequence[PlannedCall]) -> bool:
    return any(isinstance(call, (Request, Wait)) for call in calls)


def _is_extension(call: PlannedCall, target: Target) -> bool:
    """Whether a request is no method of the API: an extension of the embedded server."""
    return isinstance(call, Request) and not _api(target).is_method(call)


def _lines(call: PlannedCall, target: Target, last: str = "") -> list[str]:
    if isinstance(call, MakeBucket):
        bucket = f"gcs.bucket({call.name!r})"
        return [f"if not {bucket}.exists():", f"    {bucket}.create(location={call.location!r})"]
    if isinstance(call, Upload):
        return [f"gcs.bucket({call.bucket!r}).blob({call.object!r}).upload_from_filename({str(call.path)!r})"]
    if isinstance(call, Sync):
        return [*(line for file in call.files for line in _lines(file, target)), *_removal(call)]
    if isinstance(call, Download):
        return list(_fetch(call))
    if isinstance(call, Remove):
        return _delete(call)
    if isinstance(call, Wait):
        return _wait(call, target, last)
    if _is_extension(call, target):
        send = f"AuthorizedSession(credentials).request({call.method!r}, f'{{endpoint}}/{call.path}', json=body)"
        return [f"body = {literal(call.body)}", f"answer = {send}", "answer.raise_for_status()", "print(answer.json())"]
    method_call = _api(target).method_call(call)
    if call.params.get("pageSize"):
        return _page_loop(method_call, target)
    headers = _headers(call, target)
    return [f"request = {method_call}", *_set_headers(headers), "answer = request.execute()", "print(answer)"]


def _removal(call: Sync) -> list[str]:
    if not call.delete_extra:
        return []
    return [
        f"sent = {sorted(file.object for file in call.files)!r}",
        f"for blob in gcs.list_blobs({call.bucket!r}, prefix={call.prefix!r}):",
        "    if blob.name not in sent:",
        "        blob.delete()",
    ]


def _delete(call: Remove) -> list[str]:
    if call.directory:
        bucket, _sep, prefix = call.directory.removeprefix("gs://").partition("/")
        loop = f"for blob in gcs.list_blobs({bucket!r}, prefix={prefix!r}):"
        return [loop, "    blob.delete(if_generation_match=blob.generation)"]
    return [
        f"gcs.bucket({each.bucket!r}).blob({each.name!r}).delete(if_generation_match={each.generation})"
        for each in call.objects
    ]


def _fetch(call: Download) -> Iterator[str]:
    for folder in dict.fromkeys(str((call.directory / name).parent) for name in call.names):
        yield f"pathlib.Path({folder!r}).mkdir(parents=True, exist_ok=True)"
    for name in call.names:
        blob = f"gcs.bucket({call.bucket!r}).blob({call.prefix + name!r})"
        yield f"{blob}.download_to_filename({str(call.directory / name)!r})"


def _page_loop(method_call: str, target: Target) -> list[str]:
    method = re.sub(r"\.(list\w*)\(.*", r".\1_next", method_call)  # `….list_next`, `….listVersions_next`
    return [
        f"request = {method_call}",
        "while request is not None:",
        *(f"    {line}" for line in _set_headers(_headers(None, target))),
        "    answer = request.execute()",
        "    print(answer)",
        f"    request = {method}(request, answer)",
    ]


def _wait(call: Wait, target: Target, last: str) -> list[str]:
    operations = _api(target).operations(f"v1/{call.operation}" if call.operation else last)
    return [
        *([f"answer = {{'name': {call.operation!r}}}"] if call.operation else []),
        'while not answer.get("done"):',
        "    time.sleep(0.5)",
        f'    request = {operations}.get(name=answer["name"])',
        *(f"    {line}" for line in _set_headers(_headers(None, target))),
        "    answer = request.execute()",
        "print(answer)",
    ]


def _set_headers(headers: Mapping[str, str]) -> list[str]:
    return [f"request.headers.update({dict(headers)!r})"] if headers else []


def _headers(request: Request | None, target: Target) -> dict[str, str]:
    """Headers for the embedded server: the regional endpoint, and the Python that shall serve a version."""
    style = style_of(target)
    # As google-api-python-client spells it, whose own header this one replaces.
    region = {name.lower(): value for name, value in style.region_headers(target).items()}
    return {**region, **style.python_headers(request, target)}


def _method_call(request: Request) -> str:
    """Write the method call of a request: `ml.projects().models().get(name='projects/P/models/M')`."""
    at = Address.of(request.path)
    name = request.path.removeprefix("v1/")
    collection = "ml.projects()"
    if at.verb != "predict":
        for part in ("models", "versions", "operations"):
            collection += f".{part}()" if f"/{part}" in name else ""
    name = name.removesuffix(f":{at.verb}") if at.verb else name
    parent = name.rpartition("/")[0]
    body = [f"body={literal(request.body)}"] if request.body is not None and at.verb != "cancel" else []
    if at.collection and request.method == "GET":
        key = "name" if name.endswith("/operations") else "parent"
        return f"{collection}.list({key}={parent!r}, pageSize={request.params['pageSize']})"
    if at.collection:
        return f"{collection}.create({', '.join([f'parent={parent!r}', *body])})"
    mask = [f"updateMask={request.params['updateMask']!r}"] if request.method == "PATCH" else []
    action = at.verb or {"GET": "get", "DELETE": "delete", "PATCH": "patch"}[request.method]
    return f"{collection}.{action}({', '.join([f'name={name!r}', *mask, *body])})"


def _operations(_path: str) -> str:
    return "ml.projects().operations()"


@dataclasses.dataclass(frozen=True)
class _Api:
    """The line that builds the client, what is a method of it, and how a call and an operation's owner are written."""

    build: str
    is_method: Callable[[Request], bool]
    method_call: Callable[[Request], str]
    operations: Callable[[str], str]


_BUILD = 'ml = discovery.build("ml", "v1", client_options=options, credentials=credentials, static_discovery=True)'
_APIS = {
    "ml": _Api(_BUILD, lambda _request: True, _method_call, _operations),
    "vertex": _Api(vertex_python.BUILD, vertex_python.is_method, vertex_python.method_call, vertex_python.operations),
}


def _api(target: Target) -> _Api:
    return _APIS[style_of(target).variable]
