"""What the text of modules says about a class: does it have the methods of a custom prediction routine?"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping

from aip_magics.artifacts.facts import ClassFacts
from aip_magics.artifacts.packages.setup_script import parsed
from aip_magics.i18n import gettext as _

_MAX_DEPTH = 10  # imports and bases that are followed one after the other
_MAX_NEAR_MISSES = 5
_MAX_MODULES = 500  # looked into for a class under another name

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Module:
    """A module of a package: the name of its file, its text, and whether it is the `__init__` of a package."""

    file: str
    text: bytes
    is_package: bool


class _Uncertain(Exception):
    """What was in the way of following a name."""


@dataclasses.dataclass(frozen=True)
class _ClassLocation:
    """A class, the module it is written in, and that module's tree."""

    node: ast.ClassDef
    module: str


def class_facts(modules: Mapping[str, Module], dotted: str) -> ClassFacts:
    """What the modules (by dotted name) say about the class `module.Class`."""
    house = _ModuleIndex(modules)
    try:
        home = house.locate(dotted)
    except _Uncertain as reason:
        return ClassFacts(found=False, certain=False, why=str(reason), near=house.near(dotted))
    if home is None:
        return ClassFacts(found=False, why=house.absent(dotted), near=house.near(dotted))
    facts = ClassFacts(found=True, file=modules[home.module].file, line=home.node.lineno)
    why = _("{name} has a decorator", name=home.node.name) if home.node.decorator_list else ""
    members: dict[str, ast.stmt] = {}
    for one in house.with_bases(home):
        if isinstance(one, str):
            why = why or one
        else:
            members = {**_members(one.node.body), **members}
    return _with_members(facts, members, why)


def _with_members(facts: ClassFacts, members: Mapping[str, ast.stmt], why: str) -> ClassFacts:
    predict, from_path = members.get("predict"), members.get("from_path")
    args = None
    if isinstance(predict, Function) and not predict.decorator_list:
        args = tuple(one.arg for one in [*predict.args.posonlyargs, *predict.args.args])
    elif predict is not None:
        why = why or _("predict is not a plain method")
    return dataclasses.replace(
        facts,
        from_path=from_path is not None,
        from_path_takes_dir=_takes_dir(from_path) if isinstance(from_path, Function) else None,
        predict=predict is not None,
        predict_args=args,
        has_kwargs=isinstance(predict, Function) and predict.args.kwarg is not None,
        keyword_only=tuple(one.arg for one in predict.args.kwonlyargs) if isinstance(predict, Function) else (),
        certain=not why,
        why=why,
    )


def _takes_dir(function: Function) -> bool | None:
    """Whether `Class.from_path(model_dir)` can be called; None where a decorator decides that."""
    names = [node.id if isinstance(node, ast.Name) else "" for node in function.decorator_list]
    given = {(): 1, ("staticmethod",): 1, ("classmethod",): 2}.get(tuple(names))
    if given is None:
        return None
    arguments = function.args
    count = len(arguments.posonlyargs) + len(arguments.args)
    return (count >= given or arguments.vararg is not None) and count - len(arguments.defaults) <= given


def _members(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a class or module defines, by name, also in its branches; of several the last."""
    found: dict[str, ast.stmt] = {}
    for node in _flat(body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found.update((target.id, node) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
    return found


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, and those of its branches."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                yield from _flat(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _flat(handler.body)


class _ModuleIndex:
    """The modules of a package, parsed as they are asked for."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._modules = modules
        self._trees: dict[str, ast.Module] = {}

    def locate(self, dotted: str) -> _ClassLocation | None:
        """The class of this name, as `pydoc.locate` finds it; None where there is none."""
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            if (module := ".".join(parts[:cut])) in self._modules:
                return self._inside(module, parts[cut:], _MAX_DEPTH)
        return None

    def absent(self, dotted: str) -> str:
        """Why there is no such class."""
        module = dotted.rpartition(".")[0]
        if module not in self._modules:
            return _("the package has no module {module}", module=module)
        return _("module {module} has no class {name}", module=module, name=dotted.rpartition(".")[2])

    def near(self, dotted: str) -> tuple[str, ...]:
        """Classes with both methods, dotted; those of the same name first."""
        found = [f"{module}.{node.name}" for module, node in self._routines() if f"{module}.{node.name}" != dotted]
        name = dotted.rpartition(".")[2]
        return tuple(sorted(found, key=lambda one: (one.rpartition(".")[2] != name, one))[:_MAX_NEAR_MISSES])

    def with_bases(self, home: _ClassLocation) -> Iterator[_ClassLocation | str]:
        """The class and its bases, nearest first; a sentence for each that cannot be followed."""
        waiting = [home]
        seen: set[tuple[str, str, int]] = set()
        while waiting and len(seen) < _MAX_DEPTH:
            one = waiting.pop(0)
            if (key := (one.module, one.node.name, one.node.lineno)) in seen:
                continue
            seen.add(key)
            yield one
            for base in one.node.bases:
                name = ast.unparse(base)
                if name in ("object", "abc.ABC", "ABC") or name.startswith(("Generic[", "typing.Generic[")):
                    continue
                try:
                    found = self._inside(one.module, name.split("."), _MAX_DEPTH)
                except _Uncertain as reason:
                    yield str(reason)
                    continue
                if found is None:
                    yield _("base class {name} is not in the package", name=name)
                else:
                    waiting.append(found)

    def _routines(self) -> Iterator[tuple[str, ast.ClassDef]]:
        for module in sorted(self._modules)[:_MAX_MODULES]:
            if b"from_path" not in self._modules[module].text:
                continue
            try:
                body = self._tree(module).body
            except _Uncertain:
                continue
            for node in _members(body).values():
                if isinstance(node, ast.ClassDef) and {"from_path", "predict"} <= set(_members(node.body)):
                    yield module, node

    def _inside(self, module: str, path: list[str], depth: int) -> _ClassLocation | None:
        """What `path` names in a module: a class, one in a class, or one that is imported there."""
        if depth == 0:
            raise _Uncertain(_("{module} has a circular import", module=module))
        tree = self._tree(module)
        node = _members(tree.body).get(path[0])
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return self._imported(module, node, path, depth)
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Name, ast.Attribute)):
            other = ast.unparse(node.value).split(".")
            return self._inside(module, [*other, *path[1:]], depth - 1)
        if node is not None and not isinstance(node, ast.ClassDef):
            raise _Uncertain(_("{name} in {module} is not defined as a class", name=path[0], module=module))
        if node is None:
            return self._through_star(module, path, depth)
        for name in path[1:]:
            inner = _members(node.body).get(name)
            if not isinstance(inner, ast.ClassDef):
                return None
            node = inner
        return _ClassLocation(node, module)

    def _imported(
        self, module: str, node: ast.Import | ast.ImportFrom, path: list[str], depth: int
    ) -> _ClassLocation | None:
        for alias in node.names:
            if (alias.asname or alias.name.partition(".")[0]) != path[0]:
                continue
            if isinstance(node, ast.Import):
                whole = [*(alias.name if alias.asname else path[0]).split("."), *path[1:]]
            else:
                whole = [*self._absolute(module, node).split("."), alias.name, *path[1:]]
            for cut in range(len(whole) - 1, 0, -1):
                if (inner := ".".join(whole[:cut])) in self._modules:
                    return self._inside(inner, whole[cut:], depth - 1)
        raise _Uncertain(_("{name} is imported from outside the package", name=".".join(path)))

    def _through_star(self, module: str, path: list[str], depth: int) -> _ClassLocation | None:
        outside = ""
        for node in _flat(self._tree(module).body):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                inner = self._absolute(module, node)
                if inner not in self._modules:
                    outside = inner
                elif found := self._inside(inner, path, depth - 1):
                    return found
        if outside:
            raise _Uncertain(_("{module} imports * from {other}", module=module, other=outside))
        return None

    def _absolute(self, module: str, node: ast.ImportFrom) -> str:
        """The module that `from … import` names."""
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        kept = len(parts) - node.level + (1 if self._modules[module].is_package else 0)
        return ".".join([*parts[: max(kept, 0)], *([node.module] if node.module else [])])

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            try:
                self._trees[module] = parsed(self._modules[module].text)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                file, line = self._modules[module].file, getattr(error, "lineno", None) or 1
                text = _("{file}, line {line}: invalid Python 3 syntax: {reason}", file=file, line=line,
                           reason=getattr(error, "msg", None) or error)  # fmt: skip
                raise _Uncertain(text) from None
        return self._trees[module]
