"""What lies in models beside estimators: arrays, scalars, types, generators, matrices, indexes, values of Python."""

import collections
import datetime
import decimal
import fractions
import functools
import operator
import pathlib
import re
import uuid

import numpy as np


def specimens():
    """(name, how to make it)."""
    for name, value in _of_python().items():
        yield name, lambda value=value: value
    yield from _of_numpy()
    yield from _of_scipy()
    yield from _of_pandas()
    for name in ("PosixPath", "PurePosixPath", "PureWindowsPath"):
        yield name, lambda name=name: getattr(pathlib, name)("a", "b")

    def zone():
        import zoneinfo

        return [zoneinfo.ZoneInfo("Europe/Berlin"), datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC"))]

    yield "zoneinfo", zone


def _of_python():
    counted = collections.defaultdict(int, {"a": 1})
    return {
        "range": [range(3), slice(1), 1j, {1}, frozenset([2]), bytearray(b"a"), b"a", ..., NotImplemented, None],
        "types": [int, float, str, bool, complex, bytes, list, dict, tuple, set, object, type(None)],
        "functions": [len, abs, min, max, sum, sorted, round, float, str],
        "methods of str": [str.lower, str.upper, str.split, str.strip],
        "collections": [collections.OrderedDict(a=1), counted, collections.Counter("ab"), collections.deque([1], 3)],
        "default": [collections.defaultdict(list), collections.defaultdict(dict), collections.defaultdict(float)],
        "dates": [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 1), datetime.time(1), datetime.timedelta(1)],
        "zones": [
            datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
            datetime.timezone(datetime.timedelta(hours=1)),
        ],
        "numbers": [decimal.Decimal("1.2"), fractions.Fraction(1, 3), uuid.UUID(int=3)],
        "pattern": re.compile("a+", re.I),
        "partial": functools.partial(max, 0),
        "itemgetter": operator.itemgetter(1),
    }


def _of_numpy():
    for name in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g", "c8", "c16", "U3", "S3",
                 "M8[ns]", "m8[s]", ">f4", "V4", [("a", "i4"), ("b", "f8", 2)]):  # fmt: skip
        yield "array {}".format(name), lambda name=name: [
            np.zeros(3, name), np.zeros((2, 2), name, order="F"), np.zeros(2, name)[0], np.dtype(name),
            np.dtype(name).type, np.zeros(()), np.zeros((4, 4), name)[::2, ::2],
        ]  # fmt: skip
    yield "array of objects", lambda: np.array(["a", None, 1.5, [1]], dtype=object)
    yield "masked", lambda: [np.ma.masked_array([1.0, 2.0], [True, False]), np.ma.masked]
    yield "matrix", lambda: np.matrix([[1, 2]])
    yield "record array", lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "record", lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])[0]
    yield (
        "types",
        lambda: [np.number, np.integer, np.floating, np.generic, np.object_, np.bool_, np.inexact, np.character],
    )
    yield "names of types", lambda: [getattr(np, name) for name in sorted(dir(np)) if _is_type(getattr(np, name, None))]
    yield "poly1d", lambda: np.poly1d([1, 2])
    yield "polynomials", lambda: [np.polynomial.Polynomial([1, 2]), np.polynomial.Chebyshev([1, 2])]
    yield "memmap", _memmap
    yield "state", lambda: np.random.RandomState(3)
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        yield name, lambda name=name: [
            np.random.Generator(getattr(np.random, name)(1)), np.random.RandomState(getattr(np.random, name)(1)),
            getattr(np.random, name)(1),
        ]  # fmt: skip
    yield "seeds", lambda: np.random.SeedSequence(3)
    yield "default generator", lambda: np.random.default_rng(1)
    yield "dtypes", lambda: [getattr(np.dtypes, name) for name in sorted(dir(np.dtypes)) if name.endswith("DType")]
    yield "StringDType", lambda: [np.dtypes.StringDType(), np.array(["a"], dtype=np.dtypes.StringDType())]
    for name in UFUNCS:
        yield "function " + name, lambda name=name: [getattr(np, name)]


# What a FunctionTransformer, a TransformedTargetRegressor or a kernel is given: functions of numbers only.
UFUNCS = """
abs absolute add all amax amin any arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort around
array asarray atleast_1d atleast_2d average cbrt ceil clip column_stack concatenate conj cos cosh cumprod cumsum deg2rad
degrees diff digitize divide dot equal exp exp2 expm1 fabs fix flip float_power floor floor_divide fmax fmin fmod
full_like greater greater_equal heaviside histogram hstack hypot imag interp isfinite isinf isnan less less_equal log
log10 log1p log2 logaddexp logical_and logical_not logical_or matmul max maximum mean median min minimum mod multiply
nan_to_num nanmax nanmean nanmedian nanmin nanstd nansum nanvar negative not_equal ones_like outer percentile positive
power prod ptp quantile rad2deg radians ravel real real_if_close reciprocal remainder reshape rint round sign sin
sinc sinh sort sqrt square squeeze stack std subtract sum tan tanh transpose true_divide trunc unique vstack var where
zeros_like
""".split()


def _is_type(value):
    return isinstance(value, type) and issubclass(value, (np.generic, np.ndarray, np.dtype))


def _memmap():
    import os
    import tempfile

    handle, name = tempfile.mkstemp()
    os.close(handle)
    return np.memmap(name, dtype="f8", mode="w+", shape=(3,))


def _of_scipy():
    import scipy.interpolate
    import scipy.sparse
    import scipy.spatial
    import scipy.special

    for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        for suffix in ("matrix", "array"):
            yield kind + suffix, lambda name=kind + "_" + suffix: getattr(scipy.sparse, name)(np.eye(3))
    line = np.arange(6.0)
    yield (
        "interp1d",
        lambda: [
            scipy.interpolate.interp1d(line, line**2, kind=kind, fill_value="extrapolate")
            for kind in ("linear", "cubic", "nearest", "previous", "zero")
        ],
    )
    for name in ("CubicSpline", "PchipInterpolator", "Akima1DInterpolator", "UnivariateSpline", "BarycentricInterpolator",
                 "InterpolatedUnivariateSpline", "KroghInterpolator", "make_interp_spline"):  # fmt: skip
        yield name, lambda name=name: getattr(scipy.interpolate, name)(line, line**2)
    plane = np.random.RandomState(0).rand(20, 2)
    for name in ("LinearNDInterpolator", "NearestNDInterpolator", "CloughTocher2DInterpolator", "RBFInterpolator"):
        yield name, lambda name=name: getattr(scipy.interpolate, name)(plane, plane[:, 0])
    yield "grid", lambda: scipy.interpolate.RegularGridInterpolator((line, line), np.outer(line, line))
    yield (
        "spline",
        lambda: [scipy.interpolate.BSpline(line, line[:3], 2), scipy.interpolate.PPoly(line[:, None], line[:2])],
    )
    yield "trees", lambda: [scipy.spatial.cKDTree(plane), scipy.spatial.KDTree(plane)]
    yield "hull", lambda: scipy.spatial.Delaunay(plane)
    for name in ("expit", "logit", "expm1", "log1p", "erf", "erfinv", "gamma", "gammaln", "softmax", "log_softmax",
                 "logsumexp", "boxcox", "boxcox1p", "inv_boxcox", "inv_boxcox1p", "xlogy", "cbrt", "exp2"):  # fmt: skip
        yield "special " + name, lambda name=name: [getattr(scipy.special, name)]
    import scipy.spatial.distance

    for name in scipy.spatial.distance.__all__:
        if name not in ("cdist", "pdist"):
            yield "distance " + name, lambda name=name: [getattr(scipy.spatial.distance, name)]

    import scipy.stats

    for name in dir(scipy.stats):
        if isinstance(getattr(scipy.stats, name), (scipy.stats.rv_continuous, scipy.stats.rv_discrete)):
            yield "distribution " + name, lambda name=name: getattr(scipy.stats, name)

    def rotation():
        from scipy.spatial.transform import Rotation

        return Rotation.from_euler("z", 1.0)

    yield "rotation", rotation
    yield "ode", lambda: __import__("scipy.optimize").optimize.minimize(lambda x: (x**2).sum(), [1.0])


def _of_pandas():
    import pandas as pd

    when = pd.date_range("2020-01-01", periods=3)
    yield "frame", lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    yield "series", lambda: pd.Series([1.0, 2.0])
    yield "indexes", lambda: [
        pd.Index(["a", "b"]), pd.Index([1, 2]), pd.RangeIndex(3), pd.Index([1.5]), when, when - when[0],
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), pd.CategoricalIndex(["a", "b"]), pd.IntervalIndex.from_breaks([0, 1]),
        pd.period_range("2020", periods=2, freq="M"), pd.Index(["a"], dtype="object"), pd.Index([True, False]),
    ]  # fmt: skip
    yield "columns", lambda: pd.DataFrame({"a": [1], "b": [2]}).columns
    yield "zones", lambda: [when.tz_localize("UTC"), pd.Timestamp("2020-01-01", tz="Europe/Berlin")]
    yield (
        "scalars",
        lambda: [pd.Timestamp("2020-01-01"), pd.Timedelta("1D"), pd.NaT, pd.Interval(0, 1), pd.Period("2020")],
    )
    yield "NA", lambda: pd.NA
    yield "categories", lambda: [pd.Categorical(["a", "b"]), pd.CategoricalDtype(["a"]), pd.Categorical([1, 2])]
    for name in ("Int64", "Float64", "boolean", "string", "string[python]", "string[pyarrow]", "datetime64[ns, UTC]",
                 "period[M]", "interval", "Sparse[int]", "category", "Int8", "UInt16", "Float32", "str",
                 "int64[pyarrow]"):  # fmt: skip
        yield "dtype " + name, lambda name=name: [pd.api.types.pandas_dtype(name)]
        yield "array " + name, lambda name=name: [pd.array([], dtype=name), pd.Index(pd.array([], dtype=name))]
    yield "unique", lambda: [pd.Series(["a", "b"]).unique(), pd.Series(["a", None]).astype("string").unique()]
    yield "intervals", lambda: pd.cut(np.arange(6), 2, retbins=True)
    yield "offsets", lambda: [pd.offsets.Day(), pd.offsets.MonthEnd(), pd.DateOffset(months=1)]
    yield "classes", lambda: [pd.CategoricalDtype, pd.StringDtype]
