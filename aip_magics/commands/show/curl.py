"""Write planned calls as curl commands."""

from __future__ import annotations

import shlex
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aip_magics.client import Request, Wait
from aip_magics.commands.show import shell
from aip_magics.commands.show.api_style import style_of
from aip_magics.commands.show.planned_calls import Download, MakeBucket, PlannedCall, Remove, Sync, Upload
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.storage import url_paths

if TYPE_CHECKING:
    from aip_magics.storage import PlannedRemoval
    from aip_magics.targets import Target

# Every user of the machine sees the arguments of a process, so curl reads the token from a pipe.
_FUNCTION = 'call() { printf \'header = "Authorization: Bearer %s"\' "$token" | curl -sS --fail-with-body -K - "$@"; }'
# Extracts the operation's name from an answer without a JSON tool, which may not be installed.
_NAME = r"""sed -n 's/.*"name": *"\(projects\/[^"]*\/operations\/[^"]*\)".*/\1/p' | head -n 1"""


def lines(calls: Sequence[PlannedCall], target: Target) -> list[str]:
    """Return the commands. The operation of a call that is waited for is in `$operation`."""
    found = list(_preamble(target))
    for index, call in enumerate(calls):
        waited = index + 1 < len(calls) and isinstance(calls[index + 1], Wait)
        found += _line(call, target, waited)
    return found


def _preamble(target: Target) -> Iterator[str]:
    style = style_of(target)
    if target.runs_here:
        yield shell.SERVER_ENV
        bases = f'{style.variable}="${style.endpoint_variable}" storage="${shell.STORAGE}"'
        yield f'token=$(cat "${shell.TOKEN_FILE}") {bases}'
    else:
        # The script uses the same credentials as this package.
        yield "token=$(gcloud auth application-default print-access-token)"
        bases = f"{style.variable}={shlex.quote(target.endpoint + '/')}"
        yield f"{bases} storage={shlex.quote(target.storage_url + '/')}"
    yield _FUNCTION


def _call(method: str, base: str, path: str, query: str, *options: str) -> str:
    url = path + (f"?{query}" if query else "")
    return " ".join([f"call -X {method}", *options, f'"${{{base}}}{url}"'])


def _line(call: PlannedCall, target: Target, waited: bool) -> list[str]:
    if isinstance(call, MakeBucket):
        query = urllib.parse.urlencode({"project": target.project})
        json = shlex.quote(shell.one_line({"name": call.name, "location": call.location}))
        create = _call(
            "POST", "storage", url_paths.BUCKETS[1:], query, "-H 'Content-Type: application/json'", f"-d {json}"
        )
        exists = _call("GET", "storage", url_paths.bucket_path(call.name)[1:], "", "-o /dev/null")
        return [f"{exists} 2> /dev/null || {create}"]
    if isinstance(call, Upload):
        query = urllib.parse.urlencode({"uploadType": "media", "name": call.object})
        kind = "-H 'Content-Type: application/octet-stream'"
        data = f"--data-binary {shlex.quote(f'@{call.path}')}"
        return [_call("POST", "storage", url_paths.upload_path(call.bucket)[1:], query, kind, data)]
    if isinstance(call, Sync):
        return _sync(call, target)
    if isinstance(call, Download):
        return list(_fetch(call))
    if isinstance(call, Remove):
        return [_removal(each) for each in call.objects]
    if isinstance(call, Wait):
        return _wait(call, target)
    return _request(call, target, waited)


def _sync(call: Sync, target: Target) -> list[str]:
    """Upload every file, because curl cannot compare local files with objects."""
    if call.delete_extra:
        text = _("curl cannot delete remote objects that have no local file")
        raise OptionError(text, where="--show curl", fix=_("use one of {names}", names="--show gcloud, --show python"))
    return [line for file in call.files for line in _line(file, target, False)]


def _fetch(call: Download) -> Iterator[str]:
    directories = dict.fromkeys(str((call.directory / name).parent) for name in call.names)
    yield shell.words("mkdir", "-p", *directories)
    for name in call.names:
        # Slashes in an object's name are escaped in the path.
        path = f"{url_paths.object_path(call.bucket, call.prefix + name)[1:]}?alt=media"
        yield f'call -o {shlex.quote(str(call.directory / name))} "${{storage}}{path}"'


def _removal(each: PlannedRemoval) -> str:
    path = url_paths.object_path(each.bucket, each.name)[1:]
    return _call("DELETE", "storage", path, f"ifGenerationMatch={each.generation}")


def _request(request: Request, target: Target, waited: bool) -> list[str]:
    query = urllib.parse.urlencode(request.params)
    options = _headers(style_of(target).region_headers(target))
    content = request.body.decode() if isinstance(request.body, bytes) else None
    if content is None and request.body is not None:
        content = shell.one_line(request.body)
    if content is not None:
        options = [
            *options,
            "-H 'Content-Type: application/json'",
            *_headers(style_of(target).python_headers(request, target)),
            "--data-binary @/dev/fd/3",
        ]
    line = _call(request.method, style_of(target).variable, request.quoted_path, query, *options)
    redirect = " 3<<'EOF'" if content is not None else ""
    rest = shell.heredoc(content) if content is not None else []
    if not waited:
        return [f"{line}{redirect}", *rest]
    answer = [f"answer=$({line}{redirect}", *rest, ")"] if rest else [f"answer=$({line})"]
    return [*answer, f'operation=$(echo "$answer" | {_NAME})']


def _wait(call: Wait, target: Target) -> list[str]:
    head = [f"operation={shlex.quote(call.operation)}"] if call.operation else []
    style = style_of(target)
    ask = " ".join(["call", *_headers(style.region_headers(target)), f'"${{{style.variable}}}v1/$operation"'])
    # The loop also ends at an error response, which the next line prints.
    loop = f'while answer=$({ask}) && ! echo "$answer" | grep -q \'"done": *true\'; do sleep 1; done'
    return [*head, loop, 'echo "$answer"']


def _headers(headers: Mapping[str, str]) -> list[str]:
    return [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
