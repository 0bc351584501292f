"""The globals that an untrusted pickle may name: none that runs what it is told, all that libraries pickle."""

import fnmatch
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aip_magics import catalog

sys.path.insert(0, str(Path(__file__).parent))
from collecting import judging

MODES = {"new", "call", "value", "array", "attribute", "distribution", "global", "owner", "pure", "method"}
LIST = json.loads(catalog.pickle_globals.path().read_text(encoding="utf-8"))
NAMES = [(module, name) for module, names in LIST["globals"].items() for name in names]

NEVER = [
    "builtins:eval",
    "builtins:exec",
    "builtins:compile",
    "builtins:open",
    "builtins:__import__",
    "builtins:type",
    "builtins:vars",
    "builtins:globals",
    "builtins:setattr",
    "builtins:delattr",
    "builtins:map",
    "builtins:filter",
    "builtins:input",
    "builtins:breakpoint",
    "builtins:apply",
    "__builtin__:eval",
    "__builtin__:execfile",
    "__builtin__:apply",
    "__builtin__:file",
    "__builtin__:reduce",
    "__builtin__:type",
    "os:system",
    "os:popen",
    "os:execv",
    "os:remove",
    "os:environ",
    "posix:system",
    "posix:popen",
    "nt:system",
    "os.path:exists",
    "subprocess:Popen",
    "subprocess:run",
    "subprocess:check_output",
    "commands:getoutput",
    "pty:spawn",
    "operator:attrgetter",
    "operator:methodcaller",
    "operator:call",
    "functools:reduce",
    "functools:partialmethod",
    "functools:cached_property",
    "importlib:import_module",
    "importlib._bootstrap:_call_with_frames_removed",
    "imp:load_source",
    "runpy:run_path",
    "runpy:run_module",
    "ctypes:CDLL",
    "ctypes:string_at",
    "types:FunctionType",
    "types:CodeType",
    "types:SimpleNamespace",
    "types:MethodType",
    "code:interact",
    "pdb:run",
    "timeit:timeit",
    "cProfile:run",
    "trace:Trace",
    "shutil:rmtree",
    "tempfile:mkdtemp",
    "socket:socket",
    "urllib.request:urlopen",
    "webbrowser:open",
    "threading:Thread",
    "multiprocessing:Process",
    "multiprocessing.context:Process",
    "asyncio:run",
    "pickle:loads",
    "pickle:load",
    "pickle:Unpickler",
    "_pickle:loads",
    "marshal:loads",
    "dill:loads",
    "cloudpickle.cloudpickle:_make_function",
    "cloudpickle.cloudpickle:_make_skeleton_class",
    "cloudpickle.cloudpickle:subimport",
    "joblib:load",
    "joblib.numpy_pickle:load",
    "joblib:Parallel",
    "joblib.memory:Memory",
    "joblib.memory:MemorizedFunc",
    "joblib.externals.cloudpickle.cloudpickle:subimport",
    "numpy:load",
    "numpy:save",
    "numpy:savetxt",
    "numpy:loadtxt",
    "numpy:genfromtxt",
    "numpy:fromfile",
    "numpy:apply_along_axis",
    "numpy:vectorize.__call__",
    "numpy:DataSource",
    "numpy.testing:runstring",
    "numpy.ctypeslib:load_library",
    "numpy.distutils.exec_command:exec_command",
    "numpy.f2py:compile",
    "numpy.lib:DataSource",
    "pandas:read_pickle",
    "pandas:read_csv",
    "pandas:eval",
    "pandas:DataFrame",
    "pandas:Series",
    "pandas:ExcelWriter",
    "pandas:HDFStore",
    "pandas.core.frame:DataFrame",
    "pandas.core.series:Series",
    "pandas.io.pickle:read_pickle",
    "pandas.core.computation.eval:eval",
    "pandas.core.internals.managers:BlockManager",
    "scipy:io.loadmat",
    "scipy.io:loadmat",
    "scipy.io:savemat",
    "scipy.optimize:minimize",
    "scipy.integrate:quad",
    "sklearn.datasets:load_files",
    "sklearn.utils.fixes:_open_text",
    "sklearn.metrics._scorer:make_scorer",
    "sklearn.metrics:get_scorer",
    "sklearn.metrics._scorer:check_scoring",
    "sklearn.utils._set_output:check_library_installed",
    "sklearn.datasets:fetch_openml",
    "sklearn.model_selection._validation:cross_val_predict",
    "sklearn.utils.validation:_check_response_method",
    "sklearn.utils.parallel:Parallel",
    "sklearn.externals.joblib:load",
    "sklearn.utils._mocking:CheckingClassifier",
    "xgboost:train",
    "xgboost.core:DMatrix",
    "xgboost.core:_load_lib",
    "xgboost.callback:TrainingCheckPoint",
    "xgboost.tracker:RabitTracker",
    "lightgbm.basic:Dataset",
    "lightgbm.basic:_load_lib",
    "lightgbm:train",
    "catboost.core:Pool",
    "codecs:open",
    "io:open",
    "_io:FileIO",
    "io:FileIO",
    "pathlib:Path",
    "logging.config:dictConfig",
    "logging:FileHandler",
    "pydoc:locate",
    "pkgutil:resolve_name",
    "site:addsitedir",
    "zipfile:ZipFile",
    "sys:modules",
    "gc:get_objects",
    "inspect:getattr_static",
]
NO_VALUE = [
    "builtins:getattr",
    "numpy.core:_ufunc_reconstruct",
    "functools:partial",
    "copyreg:_reconstructor",
    "numpy:memmap",
    "numpy:vectorize",
    "numpy:dtype.newbyteorder",
    "numpy._core.multiarray:_reconstruct",
    "re:_compile",
    "sklearn.metrics._scorer:_Scorer",
    "pathlib:PosixPath",
    "operator:itemgetter",
    "scipy.stats._continuous_distns:norm_gen",
    "xgboost.core:Booster",
    "sklearn.pipeline:Pipeline",
    "joblib.numpy_pickle:NumpyArrayWrapper",
]


# Listed names that older or newer releases have than those that are installed here, where their module is still there.
OTHER_RELEASES = [
    "numpy:complex_",
    "numpy:float96",
    "numpy:float128",
    "numpy:complex256",
    "numpy:float_",
    "numpy:round_",
    "numpy:string_",
    "numpy:unicode_",
    "pandas._libs.tslibs.nattype:*",
    "pandas.core.arrays.numpy_:*",
    "pandas.core.dtypes.dtypes:*",
    "pandas.arrays:*",
    "pandas:*",
    "scipy.interpolate.*:_*Spline",
    "scipy.interpolate.*:_PPoly",
    "scipy.spatial.distance:*",
    "scipy.special.*:*",
    "scipy.stats.*:*_gen",
    "sklearn._loss._loss:*",
    "sklearn.compose._column_transformer:_RemainderColsList",
    "sklearn.covariance._graph_lasso:_DictWithDeprecatedKeys",
    "sklearn.linear_model._sgd_fast:*",
    "sklearn.metrics._classification:*",
    "sklearn.metrics._dist_metrics:*",
    "sklearn.metrics._scorer:*",
    "sklearn.metrics._regression:*",
    "sklearn.metrics._ranking:*",
    "sklearn.metrics.cluster.*:*",
    "sklearn.model_selection._search_successive_halving:_refit_callable",
    "sklearn.preprocessing._data:PolynomialFeatures",
    "xgboost.compat:XGBoostLabelEncoder",
    "pandas.core.arrays.sparse:SparseDtype",
    "pandas.core.indexes.frozen:FrozenNDArray",
    "scipy.spatial.ckdtree:new_object",
    "sklearn.utils.deprecation:DeprecationDict",
]


@pytest.mark.parametrize("dotted", NEVER)
def test_pickle_globals_list_nothing_that_runs_reads_or_imports(dotted):
    assert catalog.pickle_globals.modes(*dotted.split(":")) == frozenset()


@pytest.mark.parametrize("dotted", NO_VALUE)
def test_pickle_globals_harmless_only_while_rebuilding_are_no_values(dotted):
    assert "value" not in catalog.pickle_globals.modes(*dotted.split(":"))


@pytest.mark.parametrize(
    ("dotted", "modes"),
    [
        ("sklearn.linear_model._logistic:LogisticRegression", {"new"}),
        ("sklearn.linear_model.logistic:LogisticRegression", {"new"}),  # scikit-learn before 0.22
        ("sklearn.tree._tree:Tree", {"call"}),
        ("numpy:log1p", {"value"}),
        ("numpy.core._multiarray_umath:log1p", {"value"}),  # NumPy 1
        ("numpy.core.multiarray:_reconstruct", {"call"}),
        ("numpy._core.multiarray:scalar", {"call"}),
        ("copy_reg:_reconstructor", {"call"}),
        ("functools:partial", {"call"}),
        ("builtins:str.lower", {"value"}),
        ("sklearn.metrics._scorer:_Scorer", {"new"}),
        ("sklearn.compose._column_transformer:make_column_selector", {"new"}),
        ("numpy:number", {"value"}),
        ("sklearn.utils.validation:check_array", {"value"}),
        ("sklearn.preprocessing._data:normalize", {"value"}),
        ("scipy.stats._distn_infrastructure:rv_continuous_frozen", {"distribution"}),
        ("numpy:clip", {"value"}),
        ("scipy.spatial.distance:cosine", {"value"}),
        ("xgboost.callback:EarlyStopping", {"new"}),
        ("pathlib:PosixPath", {"pure"}),
        ("zoneinfo:ZoneInfo._unpickle", {"call"}),
        ("re:_compile", {"call"}),
        ("scipy.stats._discrete_distns:randint_gen._entropy", {"method"}),
        ("scipy.special:expit", {"value"}),  # NumPy before 1.20
        ("numpy.core.umath:log1p", {"value"}),
        ("xgboost.collective:communicator_print", {"value"}),
        ("sklearn.externals.joblib.numpy_pickle:NumpyArrayWrapper", {"new"}),
    ],
)
def test_pickle_globals_list_what_ordinary_models_name(dotted, modes):
    assert catalog.pickle_globals.modes(*dotted.split(":")) == modes


def test_pickle_globals_are_sorted_and_have_known_modes():
    assert list(LIST) == ["globals", "guards", "rebuilders"]
    assert list(LIST["globals"]) == sorted(LIST["globals"])
    for module, names in LIST["globals"].items():
        assert list(names) == sorted(names), module
        for name, modes in names.items():
            assert set(modes.split()) <= MODES, (module, name)
            assert modes == " ".join(sorted(set(modes.split()))) != "", (module, name)


def test_pickle_globals_guards_are_of_listed_classes_and_allow_predict():
    for key, attributes in LIST["guards"].items():
        module, name = key.split(":")
        assert catalog.pickle_globals.modes(module, name) == {"new"}
        assert catalog.pickle_globals.guards(module, name) == {one: set(names) for one, names in attributes.items()}
    assert catalog.pickle_globals.guards("numpy", "log1p") == {}


def test_pickle_globals_rebuilders_are_listed_and_take_classes():
    assert LIST["rebuilders"]["numpy._core.multiarray:_reconstruct"] == {"0": "new"}
    for key, places in LIST["rebuilders"].items():
        assert "call" in catalog.pickle_globals.modes(*key.split(":"))
        assert set(places.values()) <= {"new", "call"}


def test_pickle_globals_that_dispatch_by_name_are_guarded():
    for key in ("sklearn.metrics._scorer:_Scorer", "sklearn.feature_extraction.text:TfidfVectorizer"):
        assert key in LIST["guards"]


def test_pickle_globals_are_generated_from_the_judgements():
    """Whoever edits one of the two files runs the collector."""
    names = {
        module: {name: set(modes.split()) for name, modes in found.items()} for module, found in LIST["globals"].items()
    }
    plain = {
        module: {name: modes & {"new", "call", "value", "method"} for name, modes in found.items()}
        for module, found in names.items()
    }
    kept, unjudged = judging.judge(plain)
    judging.add(kept)
    assert unjudged == []
    for module, found in kept.items():
        for name, modes in found.items():
            assert modes == names[module][name], (module, name)
    assert judging.render(names) == catalog.pickle_globals.path().read_text(encoding="utf-8")


def test_pickle_globals_that_execute_a_text_of_their_state_are_distributions():
    import scipy.stats

    names = [
        (module, name)
        for module, name in NAMES
        if module.startswith("scipy.stats") and _has(module) and _resolves(module, name) and "." not in name
    ]
    executing = [
        (module, name)
        for module, name in names
        if isinstance(kind := getattr(sys.modules[module], name), type)
        and issubclass(kind, scipy.stats.rv_continuous.__base__)
    ]
    assert len(executing) > 100
    for module, name in executing:
        assert catalog.pickle_globals.modes(module, name) == {"distribution"}, name


@pytest.mark.filterwarnings("ignore")
def test_pickle_globals_name_members_of_their_modules():
    gone = [
        f"{module}:{name}"
        for module, name in NAMES
        if importlib.util.find_spec(module.partition(".")[0]) and _has(module) and not _resolves(module, name)
    ]
    assert [one for one in gone if not any(fnmatch.fnmatchcase(one, pattern) for pattern in OTHER_RELEASES)] == []


def _has(module):
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _resolves(module, name):
    value = sys.modules[module]
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            return False
    return True


@pytest.mark.slow
def test_pickle_globals_list_or_refuse_what_installed_libraries_pickle(tmp_path):
    """Fits every estimator once, in a process of its own, and looks each name up."""
    out = tmp_path / "record.json"
    script = Path(judging.__file__).parent / "record.py"
    done = subprocess.run(
        [sys.executable, str(script), str(out), "--quick"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    collected, risks = judging.read_records(tmp_path)
    assert sum(map(len, collected.values())) > 600, done.stdout  # it did fit them
    kept, unjudged = judging.judge(collected)
    assert unjudged + judging.unjudged_risks(risks) == []
    for module, found in kept.items():
        for name, modes in found.items():
            assert modes <= catalog.pickle_globals.modes(module, name), (module, name)
