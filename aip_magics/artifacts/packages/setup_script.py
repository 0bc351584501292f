"""What a setup.py says, by its text: nothing of it is run."""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

_OPENERS = frozenset({"open", "parse_requirements", "execfile"})
_READERS = frozenset({"read_text", "read_bytes", "open"})  # of a Path
_PATHS = frozenset({"Path", "PurePath", "PosixPath"})
# Names that scripts give to the folder they lie in.
_HERE = frozenset(
    {"here", "root", "this_dir", "this_directory", "current_dir", "current_directory", "base_dir", "basedir"}
)
_FINDERS = frozenset({"find_packages", "find_namespace_packages"})


@dataclasses.dataclass(frozen=True)
class FileRead:
    """A file that is read while the package is built. `name` is relative to setup.py."""

    name: str
    line: int


@dataclasses.dataclass(frozen=True)
class SetupScript:
    """The keywords of `setup(…)` whose values stand there as such, and the names of those that are computed.

    `finds` is where `find_packages` looks, None where it is not used. `reads` are files that are read outside of any
    `try`. `problem` says why nothing could be told.
    """

    keywords: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    computed: frozenset[str] = frozenset()
    finds: str | None = None
    reads: tuple[FileRead, ...] = ()
    problem: str = ""


def read(source: bytes) -> SetupScript:
    """Read the text of a setup.py."""
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return SetupScript(problem=f"setup.py, line {line}: {error}" if line else f"setup.py: {error}")
    constants = dict(_constants(tree))
    call = next((node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "setup"), None)
    keywords: dict[str, Any] = {}
    computed: set[str] = set()
    finds = None
    for keyword in call.keywords if call else ():
        if keyword.arg is None:
            computed.add("**")
        elif (found := _value(keyword.value, constants)) is not None:
            keywords[keyword.arg] = found
        elif keyword.arg == "packages" and isinstance(keyword.value, ast.Call) and _called(keyword.value) in _FINDERS:
            finds = _where(keyword.value, constants)
        else:
            computed.add(keyword.arg)
    return SetupScript(keywords, frozenset(computed), finds, tuple(_reads(tree, constants)))


def parsed(source: bytes) -> ast.Module:
    """The tree of a module. SyntaxError, ValueError, RecursionError or MemoryError where it is no Python 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an invalid escape: it is the author's business
        return ast.parse(source)


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """The names at the top that are given a value once, as such."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found = _value(node.value, {})
            if found is not None:
                yield node.targets[0].id, found


def _value(node: ast.expr, constants: Mapping[str, Any]) -> Any:
    """The value of an expression, None where it is computed."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item, constants) for item in node.elts]
        return None if any(item is None for item in items) else items
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _where(call: ast.Call, constants: Mapping[str, Any]) -> str | None:
    """Where find_packages looks; None where it leaves something out, or that is computed."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if set(given) - {"where"} or len(call.args) > 1:
        return None
    where = given.get("where", call.args[0] if call.args else None)
    found = "." if where is None else _value(where, constants)
    return found if isinstance(found, str) else None


def _reads(tree: ast.Module, constants: Mapping[str, Any]) -> Iterator[FileRead]:
    openers = _OPENERS | _own_openers(tree)
    for node in _surely_run(tree):
        if isinstance(node, ast.Call) and (name := _file_read(node, openers, constants)):
            yield FileRead(name, node.lineno)


def _surely_run(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are run whatever happens: not those of functions, of branches, or where a failure is caught."""
    waiting: list[ast.AST] = [tree]
    skipped = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.IfExp, ast.Try)
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            is_guard = isinstance(child, ast.If) and not _is_main(child.test)
            if not isinstance(child, skipped) and not is_guard:
                waiting.append(child)


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _own_openers(tree: ast.Module) -> frozenset[str]:
    """Functions of the script that open the file they are given: `def read(name): return open(name).read()`."""
    found = set()
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or not function.args.args:
            continue
        parameter = function.args.args[0].arg
        guarded = any(isinstance(node, (ast.Try, ast.If)) for node in ast.walk(function))
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _called(node) in _OPENERS and node.args and not guarded:
                named = [one.id for one in ast.walk(node.args[0]) if isinstance(one, ast.Name)]
                if parameter in named:
                    found.add(function.name)
    return frozenset(found)


def _file_read(call: ast.Call, openers: frozenset[str], constants: Mapping[str, Any]) -> str:
    """The file that a call reads, relative to setup.py; empty where it reads none, or which is not sure."""
    name = _called(call)
    if isinstance(call.func, ast.Attribute) and name in _READERS and _is_path(call.func.value):
        return "" if _writes(call, 0) else _relative(_path(call.func.value, constants))
    if name in openers and call.args:
        return "" if _writes(call, 1) else _relative(_path(call.args[0], constants))
    return ""


def _writes(call: ast.Call, position: int) -> bool:
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] + call.args[position : position + 1]
    return any(isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax+")
               and set(mode.value) <= set("rwaxbtU+") for mode in modes)  # fmt: skip


def _is_path(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return True
    return isinstance(node, ast.Call) and _called(node) in _PATHS


def _path(node: ast.expr, constants: Mapping[str, Any]) -> str | None:
    """A path that is written out; what stands for the folder of setup.py (`here`, `__file__`) is left out."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        found = constants.get(node.id)
        return found if isinstance(found, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _path(node.right, constants) if _is_here(node.left) else None
    if isinstance(node, ast.Call) and _called(node) in _PATHS and len(node.args) == 1:
        return _path(node.args[0], constants)
    if isinstance(node, ast.Call) and _called(node) in {"join", "joinpath"} and node.args:
        rest = node.args[1:] if _is_here(node.args[0]) else node.args
        parts = [_path(part, constants) for part in rest]
        return "/".join(part for part in parts if part) if parts and all(parts) else None
    return None


def _is_here(node: ast.expr) -> bool:
    """Whether an expression may be the folder of setup.py: it is a name, or made from `__file__`."""
    if isinstance(node, ast.Name):
        return node.id.lower().strip("_") in _HERE
    return any(isinstance(one, ast.Name) and one.id == "__file__" for one in ast.walk(node))


def _relative(path: str | None) -> str:
    if not path or path.startswith(("/", "~")) or ".." in path.split("/") or any(sign in path for sign in "*%{"):
        return ""
    return path.removeprefix("./")


def _called(call: ast.Call) -> str:
    """The last name of what is called: `setup` of `setuptools.setup(…)`."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""
