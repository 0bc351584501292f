"""Which of the named classes and functions do what a judgement has to look at: found in their source.

Of a class, the functions that it and each of its bases defines by itself are looked at, once per class. Extension
classes have none with a source: they are told as such.
"""

import ast
import inspect
import sys
import textwrap

HOOKS = {"__setstate__", "__new__", "__del__", "__getattr__", "__getattribute__", "__reduce__", "__reduce_ex__",
         "__setattr__", "__init_subclass__", "__class_getitem__"}  # fmt: skip
CALLS = {"eval", "exec", "open", "compile", "__import__", "import_module", "methodcaller", "attrgetter", "system",
         "Popen", "run", "check_output", "check_call", "CDLL", "load_module", "literal_eval", "tofile", "savetxt",
         "to_csv", "to_pickle", "load", "loads", "dump", "unlink", "remove", "rmtree", "makedirs", "mkdir", "urlopen",
         "save_model", "load_model", "save_raw", "Thread", "Process", "fork"}  # fmt: skip
CONSTANTS = (ast.Constant,) if sys.version_info >= (3, 8) else (ast.Constant, ast.Str)
LIBRARIES = ("sklearn", "numpy", "scipy", "pandas", "joblib", "xgboost", "lightgbm", "catboost", "imblearn")


def of(found):
    """{"module:Name": [what it does]} of all that is found and of the bases of its classes."""
    answer = {}
    waiting = []
    for module, names in found.items():
        for name in names:
            value = resolve(module, name)
            if inspect.isclass(value):
                waiting.extend(value.__mro__)
            elif value is not None:
                waiting.append(value)
    for value in waiting:
        module = getattr(value, "__module__", None) or ""
        key = "{}:{}".format(module, getattr(value, "__qualname__", repr(value)))
        if module.split(".")[0] in LIBRARIES and key not in answer:
            answer[key] = sorted(_of_one(value))
    return {key: what for key, what in answer.items() if what}


def resolve(module, name):
    """What a pickle means by it, or None."""
    try:
        __import__(module)
        value = sys.modules[module]
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return None
    return value


def _of_one(value):
    if not inspect.isclass(value):
        return set(_in_source(value))
    functions = [(name, _function(one)) for name, one in vars(value).items()]
    functions = [(name, one) for name, one in functions if inspect.isfunction(one)]
    found = set() if functions or value.__module__ in sys.builtin_module_names else {"no source"}
    for name, function in functions:
        if name in HOOKS:
            found.add("defines " + name)
        found.update("{} in {}".format(what, name) for what in _in_source(function))
    return found


def _function(one):
    """The function in a method, a property or what decorates it."""
    for name in ("__func__", "fget", "func", "fn", "__wrapped__"):
        one = getattr(one, name, one)
    return inspect.unwrap(one) if callable(one) else one


def _in_source(function):
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return
    yield from _calls(tree)


def _calls(tree):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "getattr" and len(node.args) > 1 and not isinstance(node.args[1], CONSTANTS):
            yield "getattr by variable"
        elif name == "setattr" and not isinstance(node.args[1], CONSTANTS):
            yield "setattr by variable"
        elif name in CALLS:
            yield name
