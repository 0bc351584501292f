"""A custom prediction routine: a class of the user that loads the model and predicts."""

# ruff: noqa: UP032

import inspect
import pydoc
from typing import Any

from .errors import ModelError, _, class_name, error_text
from .hints import hint_for
from .inputs import decoded
from .stats import Stats

NOT_FOUND = (
    "{} cannot be found. Please make sure (1) prediction_class is the fully qualified function name, and"
    " (2) it uses the correct package name as provided by the package_uris: {}"
)
NO_FROM_PATH = "User provided model class {} must implement the from_path method."
NO_PREDICT = "The provided model class, {}, is missing the required predict method."
BAD_SIGNATURE = (
    "The provided model class, {}, has a predict method with an invalid signature."
    " Expected signature: ['self', 'instances'] User signature: {}"
)
EXPECTED_METHOD = "def predict(self, instances, **kwargs)"


def open_routine(prediction_class: str, model_dir: str, package_uris: "list[str]", decodes: bool) -> "Routine":
    """Create the user's object with `from_path`. With `decodes`, objects with the key b64 are passed as bytes."""
    cls = find(prediction_class, package_uris)
    check(cls, getattr(cls, "__name__", prediction_class))
    try:
        model = cls.from_path(model_dir)
    except Exception as error:
        raise unexpected(error) from error
    if not hasattr(model, "predict"):
        text = "from_path of {} returned {}, which has no predict method".format(prediction_class, class_name(model))
        raise ModelError("INVALID_USER_CODE", text, _("end from_path with: {line}", line="return cls(...)"))
    return Routine(model, decodes)


def find(prediction_class: str, package_uris: "list[str]") -> "Any":
    try:
        found = pydoc.locate(prediction_class)
    except pydoc.ErrorDuringImport as error:
        raise unexpected(error) from error
    if not found:
        fix = _("write package.module.Class, and list the package in setup() (packages= or py_modules=)")
        raise ModelError("INVALID_USER_CODE", NOT_FOUND.format(prediction_class, package_uris), fix)
    return found


def unexpected(error: BaseException) -> ModelError:
    cause = getattr(error, "value", error) if isinstance(error, pydoc.ErrorDuringImport) else error
    text = "Unexpected error when loading the model: {}: {}".format(type(cause).__name__, error_text(cause))
    return ModelError("FAILED_TO_LOAD_MODEL", text, hint_for(cause))


def check(cls: "Any", name: str) -> None:
    """Check the interface of the class, as the service does before it creates an instance."""
    if not hasattr(cls, "from_path"):
        fix = _("add to the class: {line}", line="@classmethod def from_path(cls, model_dir)")
        raise ModelError("INVALID_USER_CODE", NO_FROM_PATH.format(name), fix)
    if not hasattr(cls, "predict"):
        raise ModelError(
            "INVALID_USER_CODE", NO_PREDICT.format(name), _("add to the class: {line}", line=EXPECTED_METHOD)
        )
    try:
        names = inspect.getfullargspec(cls.predict).args
    except TypeError as error:  # not a function of Python
        text = BAD_SIGNATURE.format(name, error_text(error))
        raise ModelError("INVALID_USER_CODE", text, _("write {line}", line=EXPECTED_METHOD)) from error
    if len(names) != 2:
        fix = _("write {line} and read the other keys from kwargs", line=EXPECTED_METHOD)
        raise ModelError("INVALID_USER_CODE", BAD_SIGNATURE.format(name, names), fix)


class Routine:
    """A loaded routine. `predict` receives the parsed instances, and the other keys and `stats` as keywords."""

    framework = ""
    label = engine = "custom"

    def __init__(self, model: "Any", decodes: bool) -> None:
        self.model = model
        self.class_name = class_name(model)
        self.decodes = decodes

    def preprocess(self, instances: "Any", options: "dict[str, Any]") -> "Any":
        if "stats" in options:
            text = "the request key 'stats' is reserved: the service calls predict(instances, stats=...)"
            raise ModelError("INVALID_INPUTS", text, _("rename the key"))
        return decoded(instances) if self.decodes and isinstance(instances, list) else instances

    def run(self, inputs: "Any", options: "dict[str, Any]") -> "Any":
        try:
            return self.model.predict(inputs, stats=Stats(), **options)
        except Exception as error:
            # The service says only "unknown error" and writes the reason to a log.
            text = "unknown error: {}: {}".format(type(error).__name__, error_text(error))
            raise ModelError("FAILED_TO_RUN_MODEL", text, self.hint(error, options)) from error

    def hint(self, error: BaseException, options: "dict[str, Any]") -> str:
        if not isinstance(error, TypeError) or "unexpected keyword argument" not in str(error):
            return ""
        spec = inspect.getfullargspec(self.model.predict)
        passed = ["stats", *sorted(options)]
        lost = [name for name in passed if name not in spec.args + spec.kwonlyargs]
        if spec.varkw or not lost:
            return ""
        return _("write {line}: the service passes {names}=", line=EXPECTED_METHOD, names="=, ".join(lost))

    def postprocess(self, output: "Any") -> "list[Any]":
        kind = type(output).__name__
        if isinstance(output, (dict, str, bytes)):
            text = "predict returned a {}, which list() would split into keys or characters".format(kind)
            raise ModelError("INVALID_OUTPUTS", text, _("return a list with one prediction per instance"))
        try:
            return list(output)
        except Exception as error:
            text = "could not convert the {} returned by predict to a list: {}".format(kind, error_text(error))
            raise ModelError("INVALID_OUTPUTS", text, _("return a list with one prediction per instance")) from error
