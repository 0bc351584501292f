"""Pickles every specimen of the libraries of this environment and prints what the pickles name, as JSON.

Run by `collect_pickle_globals.py` with the Python of each environment: `record.py OUT.json`. With `--quick`, every
estimator is fitted once, without further options: a test does that. With `--risks`, OUT.json is there, and what it names
is only looked at once more.
"""

import importlib
import json
import sys
import traceback
import warnings

import risks
import roles
import specimens_sklearn


def main(out):
    """Records all, and writes {"versions": …, "globals": {module: {name: [modes]}}, "examples", "risks"}."""
    warnings.simplefilter("ignore")
    if "--risks" in sys.argv:
        return _look_again(out)
    found, examples = {}, {}
    made = failed = 0
    for part in ("specimens_values", "specimens_sklearn", "specimens_compositions", "specimens_boosters"):
        for label, make in importlib.import_module(part).specimens():
            if "--quick" in sys.argv and label.startswith(specimens_sklearn.VARIANT):
                continue
            try:
                value = make()
                for data in roles.pickles_of(value):
                    for module, name, mode in roles.roles(data):
                        found.setdefault(module, {}).setdefault(name, set()).add(mode)
                        examples.setdefault("{}:{} {}".format(module, name, mode), label)
                made += 1
            except Exception as error:  # noqa: BLE001 - this version does not have it, or cannot pickle it
                failed += 1
                print("passed over:", label, "|", type(error).__name__, str(error)[:150].replace("\n", " "))
                if "-v" in sys.argv:
                    traceback.print_exc()
    answer = {
        "versions": _versions(),
        "globals": {module: {name: sorted(modes) for name, modes in names.items()} for module, names in found.items()},
        "examples": examples,
        "risks": risks.of(found),
    }
    with open(out, "w") as file:
        json.dump(answer, file, indent=1, sort_keys=True)
    print("made", made, "failed", failed, "globals", sum(map(len, found.values())))


def _look_again(out):
    with open(out) as file:
        answer = json.load(file)
    answer["risks"] = risks.of(answer["globals"])
    with open(out, "w") as file:
        json.dump(answer, file, indent=1, sort_keys=True)


def _versions():
    named = {"python": "{}.{}".format(*sys.version_info)}
    for name in ("numpy", "scipy", "pandas", "joblib", "sklearn", "xgboost", "lightgbm", "catboost", "imblearn"):
        if name in sys.modules:
            named[name] = sys.modules[name].__version__
    return named


if __name__ == "__main__":
    main(sys.argv[1])
