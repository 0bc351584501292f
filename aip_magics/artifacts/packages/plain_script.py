"""Whether a setup.py does nothing but call setup() with what stands there: its text is followed, nothing of it is run.

It may import setuptools, name values, read files that lie beside it, and call `setup`. Any other statement, name or
call is a reason to ask first. So whatever is not understood here is asked about, not run.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from aip_magics.artifacts.packages import plain_values
from aip_magics.artifacts.packages.bounds import escapes_root
from aip_magics.artifacts.packages.setup_script import parsed
from aip_magics.i18n import gettext as _

_MAX_SOURCE_BYTES = 64 << 10  # bytes; those of large projects have 20 KiB
_MAX_VALUES = 1 << 20  # characters and items of all values together: it takes few lines to double one sixty times
_MAX_REASONS = 5
_MODULES = frozenset({"setuptools", "distutils.core", "os", "os.path", "io", "codecs", "pathlib"})
_SETUP = frozenset({"setuptools.setup", "distutils.core.setup"})
_FINDERS = frozenset({"setuptools.find_packages", "setuptools.find_namespace_packages"})
_OPEN = frozenset({"open", "io.open", "codecs.open"})
_SAME_PATH = frozenset({"os.path.abspath", "os.path.realpath", "os.path.normpath", "str"})
_OF_TEXT = frozenset({"read", "strip", "rstrip", "lstrip", "splitlines", "readlines", "split", "decode"})
_OF_PATH = frozenset({"resolve", "absolute"})
_FIND_KEYS = frozenset({"where", "exclude", "include"})


_V = TypeVar("_V")


class _NotPlain(Exception):
    def __init__(self, node: ast.AST, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


class _Text:
    """What a file holds: a text or its lines, nobody knows which."""


class _Found:
    """The packages that are found when it is built."""


class _Opened:
    """An open file of the archive."""


class _Name:
    """Something importable, by its dotted name."""

    def __init__(self, dotted: str) -> None:
        self.dotted = dotted


class _Place:
    """A path, relative to the folder of setup.py; "" is that folder, "setup.py" is `__file__`."""

    def __init__(self, path: str) -> None:
        self.path = path


def reasons(source: bytes) -> list[str]:
    """Why this setup.py is not plain, the first few with their lines; nothing where it is."""
    if len(source) > _MAX_SOURCE_BYTES:
        return [_("{file} is too large to inspect", file="setup.py")]
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [_("could not read {file}", file="setup.py")]
    try:
        return list(itertools.islice(_Script().follow(tree.body), _MAX_REASONS))
    except (RecursionError, ValueError):  # of what nobody writes: numbers of 5,000 digits, a thousand brackets
        return [_("could not read {file}", file="setup.py")]


class _Script:
    """Follows the statements of a setup.py and knows what each name stands for."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"__file__": _Place("setup.py"), "open": _Name("open"), "str": _Name("str")}
        self._left = _MAX_VALUES

    def follow(self, body: Sequence[ast.stmt]) -> Iterator[str]:
        """The reasons of these statements. After one that is not understood, names stand for what nobody knows."""
        for node in body:
            try:
                yield from self._statement(node)
            except _NotPlain as found:
                line = getattr(found.node, "lineno", node.lineno)
                yield _("{file}, line {line}: {reason}", file="setup.py", line=line, reason=found.reason)

    def _statement(self, node: ast.stmt) -> Iterator[str]:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node)
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self._names[node.targets[0].id] = self._data(node.value)
        elif isinstance(node, ast.With) and len(node.items) == 1 and isinstance(node.items[0].optional_vars, ast.Name):
            opened = self._value(node.items[0].context_expr)
            if not isinstance(opened, _Opened):
                raise _NotPlain(node, _("statement is not a plain value"))
            self._names[node.items[0].optional_vars.id] = opened
            yield from self.follow(node.body)
        elif isinstance(node, ast.If) and _is_main(node):
            yield from self.follow(node.body)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            pass  # a docstring
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from self._call_of_setup(node.value)
        else:
            raise _NotPlain(node, _("statement is not a plain value"))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if isinstance(node, ast.Import):
                dotted, bound = alias.name, alias.asname or alias.name.partition(".")[0]
                known = dotted in _MODULES
                if alias.asname is None:
                    dotted = bound
            else:
                dotted, bound = f"{module}.{alias.name}", alias.asname or alias.name
                known = not node.level and module in _MODULES | {"__future__"} and alias.name != "*"
            if not known:
                raise _NotPlain(node, _("imports {name}", name=f"{module}.{alias.name}".lstrip(".")))
            self._names[bound] = _Name(dotted)

    def _call_of_setup(self, call: ast.Call) -> Iterator[str]:
        called = self._called(call)
        if called not in _SETUP:
            raise _NotPlain(call, _("calls {name}", name=called or ast.unparse(call.func)[:60]))
        if call.args:
            raise _NotPlain(call, _("calls {name}", name="setup(*…)"))
        for keyword in call.keywords:
            try:
                value = self._data(keyword.value)
                given = {keyword.arg: value} if keyword.arg is not None else value
                if not isinstance(given, Mapping):
                    raise _NotPlain(keyword.value, _("calls {name}", name="setup(**…)"))
                for key, one in given.items():
                    for reason in _keyword(str(key), one):
                        raise _NotPlain(keyword.value, reason)
            except _NotPlain as found:
                line = getattr(found.node, "lineno", call.lineno)
                yield _("{file}, line {line}: {reason}", file="setup.py", line=line, reason=found.reason)

    def _data(self, node: ast.expr) -> Any:
        """The value of an expression that may be given a name: no function, no open file."""
        value = self._value(node)
        if isinstance(value, (_Name, _Opened)):
            raise _NotPlain(node, _("calls {name}", name=ast.unparse(node)[:60]))
        return value

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return self._charged(node, [self._data(item) for item in node.elts])
        if isinstance(node, ast.Dict):
            return self._table(node)
        if isinstance(node, ast.Name):
            if node.id not in self._names:
                raise _NotPlain(node, _("{name} is unknown", name=node.id))
            return self._names[node.id]
        if isinstance(node, ast.JoinedStr):
            return self._joined(node)
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))

    def _charged(self, node: ast.expr, value: _V) -> _V:
        for weight in _weights(value):
            self._left -= weight
            if self._left < 0:
                raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))
        return value

    def _table(self, node: ast.Dict) -> dict[Any, Any]:
        table = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = self._data(key) if key is not None else None
            if not isinstance(name, str):
                raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))
            table[name] = self._data(value)
        return self._charged(node, table)

    def _joined(self, node: ast.JoinedStr) -> str:
        parts = []
        for part in node.values:
            plain = not isinstance(part, ast.FormattedValue) or (part.format_spec is None and part.conversion == -1)
            value = self._value(part.value if isinstance(part, ast.FormattedValue) else part)
            if not plain or not isinstance(value, (str, int)):
                raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))
            parts.append(str(value))
        return self._charged(node, "".join(parts))

    def _operation(self, node: ast.BinOp) -> Any:
        left, right = self._data(node.left), self._data(node.right)
        if isinstance(node.op, ast.Div) and isinstance(left, _Place) and isinstance(right, str):
            return _join(node, [left, right])
        if isinstance(node.op, ast.Add):
            if isinstance(left, (str, _Text)) and isinstance(right, (str, _Text)):
                if isinstance(left, _Text) or isinstance(right, _Text):
                    return _Text()
                return self._charged(node, left + right)
            if isinstance(left, list) and isinstance(right, list):
                return self._charged(node, left + right)
        raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self._value(node.value)
        if isinstance(owner, _Name):
            return _Name(f"{owner.dotted}.{node.attr}")
        if isinstance(owner, _Place) and node.attr == "parent" and owner.path:
            return _Place(owner.path.rpartition("/")[0])
        raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))

    def _called(self, call: ast.Call) -> str:
        """The dotted name of what is called, where that is something imported."""
        try:
            found = self._value(call.func)
        except _NotPlain:
            return ""
        return found.dotted if isinstance(found, _Name) else ""

    def _call(self, call: ast.Call) -> Any:
        name = self._called(call)
        if not name and isinstance(call.func, ast.Attribute):
            return self._method(call, call.func)
        arguments = [self._data(one) for one in call.args]
        given = {one.arg: self._data(one.value) for one in call.keywords}
        if name in _OPEN and arguments:
            _check_reading(call, arguments[1:2], given)
            return self._open(call, arguments[0])
        if name in _FINDERS and not set(given) - _FIND_KEYS and len(arguments) <= 1:
            if any(plain_values.strays([*arguments, given])) or not _literal([*arguments, *given.values()]):
                raise _NotPlain(call, _("calls {name}", name=ast.unparse(call)[:60]))
            return _Found()
        if name in _SAME_PATH and len(arguments) == 1 and not given and isinstance(arguments[0], (_Place, str)):
            return arguments[0]
        if name == "os.path.dirname" and len(arguments) == 1 and not given:
            place = arguments[0]
            if isinstance(place, _Place) and place.path:  # above the folder of setup.py is nothing of it
                return _Place(place.path.rpartition("/")[0])
        if name in ("os.path.join", "pathlib.Path") and arguments and not given:
            return _join(call, arguments)
        if name == "pathlib.Path.cwd" and not arguments and not given:
            return _Place("")
        raise _NotPlain(call, _("calls {name}", name=name or ast.unparse(call.func)[:60]))

    def _method(self, call: ast.Call, method: ast.Attribute) -> Any:
        owner = self._value(method.value)
        arguments = [self._data(one) for one in call.args]
        given = {one.arg: self._data(one.value) for one in call.keywords}
        if isinstance(owner, (_Opened, _Text)) and method.attr in _OF_TEXT and _literal([*arguments, *given.values()]):
            return _Text()
        if isinstance(owner, _Place):
            if method.attr in ("read_text", "open"):
                _check_reading(call, arguments[:1] if method.attr == "open" else [], given)
                opened = self._open(call, owner)
                return opened if method.attr == "open" else _Text()
            if method.attr == "joinpath" and not given:
                return _join(call, [owner, *arguments])
            if method.attr in _OF_PATH and not arguments and not given:
                return owner
        raise _NotPlain(call, _("calls {name}", name=ast.unparse(call.func)[:60]))

    def _open(self, call: ast.Call, path: Any) -> _Opened:
        place = _join(call, [path])
        if not place.path or not plain_values.stays_inside(place.path):
            raise _NotPlain(call, _("{name} is computed", name=ast.unparse(call)[:60]))
        return _Opened()


def _keyword(key: str, value: Any) -> Iterator[str]:
    """Why a keyword of setup() is not plain."""
    if key == "entry_points":
        yield from plain_values.entry_points(value)
    elif key in plain_values.PATHS:
        if isinstance(value, _Found) and key == "packages":
            return
        if not _literal([value]):
            yield _("{name} is computed", name=key)
        yield from plain_values.outside(key, value)
    elif key not in plain_values.TEXTS:
        yield _("passes {key}= to setup()", key=key)
    elif key in ("name", "version") and isinstance(value, str) and escapes_root(value):
        yield from plain_values.outside(key, value)


def _literal(values: Sequence[Any]) -> bool:
    """Whether there is nothing in these values but what stands in the text."""
    for value in values:
        if isinstance(value, (list, tuple)):
            if not _literal(value):
                return False
        elif isinstance(value, dict):
            if not _literal(list(value.values())):
                return False
        elif not isinstance(value, (str, int, float, bool, bytes, type(None))):
            return False
    return True


def _weights(value: Any) -> Iterator[int]:
    yield 1 + (len(value) if isinstance(value, (str, bytes)) else 0)
    if isinstance(value, dict):
        for key, one in value.items():
            yield len(key)
            yield from _weights(one)
    elif isinstance(value, list):
        for one in value:
            yield from _weights(one)


def _check_reading(call: ast.Call, modes: Sequence[Any], given: Mapping[str | None, Any]) -> None:
    mode = given.get("mode", modes[0] if modes else "r")
    plain = not set(given) - {"mode", "encoding", "errors"} and len(call.args) <= 3
    if not plain or not isinstance(mode, str) or not mode.startswith("r") or set(mode) - set("rbtU"):
        raise _NotPlain(call, _("calls {name}", name=ast.unparse(call)[:60]))


def _join(node: ast.AST, parts: Sequence[Any]) -> _Place:
    """The path of these parts, of which the first may be a place already."""
    texts = [part.path if isinstance(part, _Place) else part for part in parts]
    if not all(isinstance(text, str) for text in texts) or any(isinstance(part, _Place) for part in parts[1:]):
        raise _NotPlain(node, _("{name} is computed", name=ast.unparse(node)[:60]))
    if strayed := next(plain_values.strays(texts), None):
        raise _NotPlain(node, _("{key} points outside the archive: {path!r}", key=ast.unparse(node)[:60], path=strayed))
    return _Place("/".join(text.strip("/") for text in texts if text))


def _is_main(node: ast.If) -> bool:
    test = node.test
    return (
        not node.orelse
        and isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )
