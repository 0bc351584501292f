"""Completion of values: suitable variables, local files, cached names of the service, entries of the catalog."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from aip_magics import catalog
from aip_magics.commands.common import name_cache
from aip_magics.errors import AipError

if TYPE_CHECKING:
    from aip_magics.settings import Settings
    from aip_magics.targets import Target

MAX_FILES = 5000  # number of files of a directory that are considered
_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "open", "get_ipython"})


@dataclasses.dataclass(frozen=True)
class ValueHint:
    """Completions: `texts`, the best first, replace `fragment`, which ends at the cursor."""

    fragment: str
    texts: Sequence[str]
    kind: str = "param"


NOTHING = ValueHint("", ())


@dataclasses.dataclass(frozen=True)
class CompletionContext:
    """The context of a value: the variables of the notebook, and the other arguments of the line by destination."""

    names: Mapping[str, Any]
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def cached_names(self) -> name_cache.CachedNames:
        """The cached names of the target of the line."""
        try:
            return name_cache.read(self._settings(self.given.get("project") or None))
        except AipError:
            return name_cache.CachedNames()

    def target(self) -> Target | None:
        """The target of the line, whose project may be missing; None if the settings are invalid."""
        from aip_magics.targets import choose

        try:
            return choose(self._settings(_ANY_PROJECT))
        except AipError:
            return None

    def _settings(self, project: str | None) -> Settings:
        from aip_magics import settings
        from aip_magics.notebook.session import current_session

        session = current_session()
        target, region, endpoint = (self.given.get(name) or None for name in ("target", "region", "endpoint"))
        return settings.resolve(
            target=target,
            project=project,
            region=region,
            endpoint=endpoint,
            session=session.session() if session else {},
            last_run=session.last_run if session else {},
        )


_ANY_PROJECT = "any-project"  # what a target offers does not depend on the project


def hints_for(what: str, written: str, context: CompletionContext) -> list[str]:
    """Completions of `written` as a value of `what` (a destination of the parser, a field of the API)."""
    if written.startswith("$"):
        return variables(written, what, context)
    source = _SOURCES.get(what)
    found = list(source(written, context)) if source else []
    fitting = variables("", what, context, fitting_only=True) if what in _FITS and not written else []
    return [*fitting, *found]


def variables(written: str, what: str, context: CompletionContext, *, fitting_only: bool = False) -> list[str]:
    """Variables of the notebook as `$name`, suitable ones first, without modules, functions and classes."""
    start = written.removeprefix("$")
    fits = _FITS.get(what, _is_plain)
    first, others = list[str](), list[str]()
    for name, value in list(context.names.items()):  # another thread may run a cell
        if not name.startswith(start) or name in _OF_IPYTHON or (name.startswith("_") and not start.startswith("_")):
            continue
        if isinstance(value, (ModuleType, FunctionType, type)):
            continue
        (first if fits(value) else others).append(f"${name}")
    return sorted(first) if fitting_only else [*sorted(first), *sorted(others)]


def unquoted(written: str) -> str:
    """Unquote a word like the shell; the closing quotation mark may be missing."""
    for end in ("", "'", '"'):
        try:
            return "".join(shlex.split(written + end)[:1])
        except ValueError:
            continue
    return written


def paths(written: str, _context: CompletionContext) -> Iterator[str]:
    """Directories (with a / at the end) and files that complete a path, quoted if necessary."""
    typed = unquoted(written)
    head, _, start = typed.rpartition("/")
    directory = f"{head}/" if "/" in typed else ""
    try:
        with os.scandir(os.path.expanduser(directory) or ".") as entries:
            found = [(not entry.is_dir(), entry.name) for entry in itertools.islice(entries, MAX_FILES)]
    except OSError:
        return
    for is_file, name in sorted(found):
        if name.startswith(start) and (start or not name.startswith(".")):
            path = directory + name + ("" if is_file else "/")
            yield path if unquoted(path) == path else shlex.quote(path)


def _paths_and_buckets(written: str, context: CompletionContext) -> Iterator[str]:
    yield from _buckets(written, context)
    if not written.startswith("gs://"):
        yield from paths(written, context)


def _buckets(written: str, context: CompletionContext) -> Iterator[str]:
    if "gs://".startswith(written[:5]) and written.count("/") < 3:
        yield from _starting(written, (f"gs://{bucket}" for bucket in context.cached_names().buckets))


def _models(written: str, context: CompletionContext) -> list[str]:
    return _starting(written, sorted(context.cached_names().models))


def _versions(written: str, context: CompletionContext) -> list[str]:
    return _starting(written, _versions_of_model(context))


def _versions_of_model(context: CompletionContext) -> list[str]:
    """The versions of the model on the line, else those of the only model."""
    models = context.cached_names().models
    if (model := context.given.get("model", "")) or len(models) != 1:
        return models.get(model, [])
    return next(iter(models.values()))


def _weights(written: str, context: CompletionContext) -> list[str]:
    """`VERSION=` for each version that the line does not have yet."""
    used = {word.partition("=")[0] for word in context.given.get("weights", "").split() if word != written}
    return _starting(written, (f"{name}=" for name in _versions_of_model(context) if name not in used))


def _machine_types(written: str, context: CompletionContext) -> list[str]:
    target = context.target()
    return _starting(written, target.machine_types() if target else ())


def _endpoint_regions(written: str, context: CompletionContext) -> list[str]:
    target = context.target()
    return _starting(written, target.regions() if target else ())


def _runtimes(written: str, _context: CompletionContext) -> list[str]:
    return _starting(written, (runtime.version for runtime in catalog.runtimes()))


def _pythons(written: str, context: CompletionContext) -> list[str]:
    chosen = context.given.get("runtime_version")
    found = dict.fromkeys(
        python for runtime in catalog.runtimes() if chosen in (None, "", runtime.version) for python in runtime.python
    )
    return _starting(written, found)


def _regions(written: str, _context: CompletionContext) -> list[str]:
    return _starting(written, catalog.global_regions())


def _checks(written: str, _context: CompletionContext) -> list[str]:
    from aip_magics import checks

    rules = {**checks.RULES, **checks.ONLINE_RULES}
    return _starting(written, [*rules, *(checks.rule_name(id) for id in rules)])


def _starting(written: str, texts: Any) -> list[str]:
    return [text for text in texts if text.startswith(written)]


def _is_path(value: object) -> bool:
    if isinstance(value, str) and len(value) < 1000:
        return value.startswith("gs://") or ("\0" not in value and os.path.exists(os.path.expanduser(value)))
    return isinstance(value, os.PathLike)


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, os.PathLike))


def _is_model(value: object) -> bool:
    # On the class: reading an attribute of an object may run any code.
    return _is_path(value) or any(hasattr(type(value), method) for method in ("predict", "save_raw", "signatures"))


def _is_package(value: object) -> bool:
    return _is_path(value) or (dataclasses.is_dataclass(value) and hasattr(value, "path"))  # the result of %aip_package


def _is_rows(value: object) -> bool:
    return isinstance(value, (list, tuple)) or hasattr(type(value), "tolist") or hasattr(type(value), "to_numpy")


_Source = Callable[[str, CompletionContext], Any]
_SOURCES: dict[str, _Source] = {
    "origin": _paths_and_buckets,
    "model_dir": _paths_and_buckets,
    "deploymentUri": _paths_and_buckets,
    "package_uris": _paths_and_buckets,
    "packageUris": _paths_and_buckets,
    "source": _paths_and_buckets,
    "directory": paths,
    "data_dir": paths,
    "path": paths,
    "config": paths,
    "output": paths,
    "json_instances": paths,
    "text_instances": paths,
    "json_request": paths,
    "bucket": _buckets,
    "staging_bucket": _buckets,
    "uri": _buckets,
    "uris": _buckets,
    "model": _models,
    "version": _versions,
    "compare": _versions,
    "other": _versions,
    "weights": _weights,
    "instances_from": _paths_and_buckets,
    "machine_type": _machine_types,
    "machineType": _machine_types,
    "runtime_version": _runtimes,
    "runtimeVersion": _runtimes,
    "python_version": _pythons,
    "pythonVersion": _pythons,
    "region": _endpoint_regions,
    "regions": _regions,
    "skip": _checks,
}
_FITS: dict[str, Callable[[object], bool]] = {
    "origin": _is_model,
    "model_dir": _is_model,
    "deploymentUri": _is_model,
    "source": _is_model,
    "package_uris": _is_package,
    "packageUris": _is_package,
    "instances": _is_rows,
    "instances_from": _is_rows,
    "labels": lambda value: isinstance(value, Mapping),
}
