"""Facts about models and packages that are known without running them. The rules in `checks/` use these values.

`complete` is False if only a part was read; `unread` then says why, in a text for the user. What is missing from an
incomplete fact may still be in the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

BoosterFormat = Literal["binary", "json", "ubjson"]


@dataclasses.dataclass(frozen=True)
class Global:
    """A class or function that a pickle names: `module` `sklearn.svm._classes`, `name` `SVC`."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclasses.dataclass(frozen=True)
class PickleFacts:
    """Facts of a pickle or joblib file.

    `protocol` is 0 for protocols 0 and 1. `globals` are in the order of their first mention. `top` is the dotted name
    of the class of the pickled object: `builtins.dict` for a literal, `builtins.type` if a class itself was pickled,
    None if it is unknown. `libraries` maps each distribution to the version that saved the model. `main_names` were
    defined in a notebook or script (`__main__`): no other process has them.
    """

    protocol: int
    globals: tuple[Global, ...] = ()
    top: str | None = None
    libraries: Mapping[str, str] = dataclasses.field(default_factory=dict)
    main_names: tuple[str, ...] = ()
    complete: bool = True
    unread: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """The top-level modules that loading imports, sorted."""
        return tuple(sorted({one.module.partition(".")[0] for one in self.globals}))


@dataclasses.dataclass(frozen=True)
class BoosterFacts:
    """Facts of an XGBoost model file.

    `version` is that of the XGBoost that saved the file, None before 1.0. `features` is the number of columns,
    `feature_names` are empty if the booster was trained without them. `base_score` is the text as it is in the file:
    `5E-1`, or `[6.67E-1]` as XGBoost 3 writes it.
    """

    format: BoosterFormat
    version: str | None = None
    objective: str | None = None
    features: int | None = None
    feature_names: tuple[str, ...] = ()
    base_score: str | None = None
    complete: bool = True
    unread: str = ""

    @property
    def base_score_is_list(self) -> bool:
        """Whether readers before XGBoost 3 take the base score for 0.5, without an error."""
        return self.base_score is not None and self.base_score.startswith("[")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a signature. `dtype` as TensorFlow names it (`float32`, `string`).

    `shape` has None for a size that is not fixed, and is None itself if the rank is unknown. `source` is the tensor of
    the graph: `serving_default_x:0`.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    source: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature of a SavedModel; the names of its tensors are the keys of requests and predictions."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    method: str = ""


@dataclasses.dataclass(frozen=True)
class SavedModelFacts:
    """Facts of a SavedModel: of its graph for serving, or of the first graph if none has the tag `serve`.

    `tags` has the tags of every graph in the file. `signatures` are sorted by name, without TensorFlow's own. `ops`
    are those of the graph and of its functions. `variables` is whether the files of the variables are complete;
    `assets` are the files that the graph names (below `assets/`), `missing` all required files that do not exist,
    relative to the directory.
    """

    tags: tuple[tuple[str, ...], ...] = ()
    signatures: tuple[Signature, ...] = ()
    tensorflow_version: str | None = None
    ops: frozenset[str] = frozenset()
    variables: bool = False
    assets: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    complete: bool = True
    unread: str = ""

    @property
    def serves(self) -> bool:
        """Whether a graph has the tag set that the service loads: exactly `serve`."""
        return ("serve",) in self.tags

    def signature(self, name: str | None = None) -> Signature | None:
        """Return the signature for a request: the one of this name, else the only one, else `serving_default`."""
        if name is None:
            if len(self.signatures) == 1:
                return self.signatures[0]
            name = "serving_default"
        return next((one for one in self.signatures if one.name == name), None)


@dataclasses.dataclass(frozen=True)
class ClassFacts:
    """Facts of the class of a custom prediction routine, from the source of a package.

    `found`: the class is there; `installed`: the package's setup installs the module it is in (None: not known).
    `from_path` and `predict`: the class, or a base in the package, has that method. `from_path_takes_dir`: it can be
    called as `Class.from_path(model_dir)` (None: it cannot be told). `predict_args` are the names of the positional
    parameters of `predict`, `self` first (None: they cannot be told), `keyword_only` of those it takes by name only;
    `has_kwargs`: it takes `**kwargs`. `certain` is False where a base class, an import or the text itself could not be
    followed: then what is missing may be there; `why` says what was in the way. `near` are classes of the package under
    other names, dotted, that have both methods.
    """

    found: bool
    from_path: bool = False
    from_path_takes_dir: bool | None = None
    predict: bool = False
    predict_args: tuple[str, ...] | None = None
    has_kwargs: bool = False
    keyword_only: tuple[str, ...] = ()
    installed: bool | None = None
    file: str = ""
    line: int = 0
    certain: bool = True
    why: str = ""
    near: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Placeholder:
    """A file in place of another one: a Git LFS pointer, or a web page from a failed download."""

    name: str
    kind: Literal["git-lfs-pointer", "html"]
