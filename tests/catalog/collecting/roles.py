"""What a pickle does with each global that it names: makes an instance of it, calls it, or holds it as a value.

A method of an instance, getattr(instance, "name") in the pickle, is told as "Class.name" with the mode "method".

The pickle is run by Python's own reader over stand-ins, so nothing of it is imported or called. Runs on Python 3.7 to
the newest, in the environments that `collect_pickle_globals.py` makes: standard library only, and joblib where it is.
"""

import io
import pickle
import re

# Arguments of these are classes of which the function makes an instance, without a call ("new") or with one ("call").
REBUILDERS = [
    (r"copy_?reg:(_reconstructor|__newobj__|__newobj_ex__)", {0: "new"}),
    (r"numpy\._?core\.multiarray:_reconstruct", {0: "new"}),
    (r"numpy\.ma\.core:_mareconstruct", {0: "new", 1: "new"}),
    (r"numpy\.random\._pickle:__bit_generator_ctor", {0: "call"}),
    (r"pandas\.core\.indexes\.\w+:_new_\w*Index", {0: "new"}),
    (r"sklearn\..+:newObj", {0: "new"}),
    (r"scipy\.spatial\.ckdtree:new_object", {0: "new"}),
    (r".+:__pyx_unpickle_\w+", {0: "new"}),
]


class Named:
    """A stand-in for a global, or for a method of an instance."""

    def __init__(self, module, name, mode="value"):
        self.module, self.name, self.mode = module, name, mode

    def __call__(self, *args, **kwargs):
        if self.name == "getattr" and len(args) == 2 and isinstance(args[0], Made):
            of = args[0].of_class()
            if of is not None:
                return Named(of.module, "{}.{}".format(of.name, args[1]), "method")
        return Made(self, "call", args, kwargs)


class Made:
    """A stand-in for what was made of a global."""

    def __init__(self, maker, mode, args, kwargs):
        self.maker, self.mode, self.args, self.kept = maker, mode, args, [kwargs]

    def of_class(self):
        """The class of this instance, if it was made without a call."""
        if isinstance(self.maker, Named):
            if self.mode == "new":
                return self.maker
            place = next(iter(classes_of(self.maker.module, self.maker.name)), None)
            if place is not None and place < len(self.args) and isinstance(self.args[place], Named):
                return self.args[place]
        return None

    def __setstate__(self, state):
        self.kept.append(state)

    def append(self, item):
        self.kept.append(item)

    add = append

    def extend(self, items):
        self.kept.extend(items)

    def __setitem__(self, key, item):
        self.kept.append((key, item))

    def __call__(self, *args, **kwargs):
        return Made(self, "call", args, kwargs)


class Reader(pickle._Unpickler):
    """Python's unpickler, written in Python, over the stand-ins."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        return Named(module, name)

    def load_newobj(self):
        args = self.stack.pop()
        self.stack.append(Made(self.stack.pop(), "new", args, {}))

    dispatch[pickle.NEWOBJ[0]] = load_newobj

    def load_newobj_ex(self):
        kwargs = self.stack.pop()
        args = self.stack.pop()
        self.stack.append(Made(self.stack.pop(), "new", args, kwargs))

    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex

    def _instantiate(self, klass, args):
        self.append(Made(klass, "call", tuple(args), {}))


def roles(data):
    """The (module, name, mode) of all globals in the bytes of a pickle."""
    found, seen = set(), set()
    waiting = [Reader(io.BytesIO(data)).load()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Named):
            found.add((one.module, one.name, one.mode))
            continue
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Made):
            arguments = list(one.args)
            if isinstance(one.maker, Named):
                found.add((one.maker.module, one.maker.name, one.mode))
                for position, mode in classes_of(one.maker.module, one.maker.name).items():
                    if position < len(arguments) and isinstance(arguments[position], Named):
                        given = arguments[position]
                        found.add((given.module, given.name, mode))
                        arguments[position] = None
            else:
                waiting.append(one.maker)
            waiting.extend(arguments)
            waiting.extend(one.kept)
        elif isinstance(one, dict):
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting.extend(one)
        seen_alive.append(one)  # an id is only good while its object lives
    del seen_alive[:]
    return found


seen_alive = []


def classes_of(module, name):
    """Which arguments of the function are classes of which it makes an instance, and how: {position: mode}."""
    key = module + ":" + name
    return next((places for pattern, places in REBUILDERS if re.fullmatch(pattern, key)), {})


def pickles_of(value):
    """The bytes of all pickles of a value: each protocol, and joblib's, without the raw arrays between its opcodes."""
    for protocol in (0, 2, 3, pickle.HIGHEST_PROTOCOL):
        try:
            yield pickle.dumps(value, protocol)
        except (TypeError, ValueError, pickle.PicklingError):
            if protocol > 1:  # 0 and 1 cannot hold everything
                raise
    try:
        from joblib import numpy_pickle
    except ImportError:
        from sklearn.externals.joblib import numpy_pickle
    nested = []
    stream = io.BytesIO()
    write = numpy_pickle.NumpyArrayWrapper.write_array
    numpy_pickle.NumpyArrayWrapper.write_array = lambda self, array, pickler: (
        nested.append(pickle.dumps(array, 2)) if array.dtype.hasobject else None
    )
    try:
        numpy_pickle.NumpyPickler(stream).dump(value)
    finally:
        numpy_pickle.NumpyArrayWrapper.write_array = write
    yield stream.getvalue()
    yield from nested
