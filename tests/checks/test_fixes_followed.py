"""Each fix that is a line to copy is followed: into the cell, the line of the magic, a terminal or the notebook."""

from __future__ import annotations

import pytest
from follow_fix import follow
from rule_cases import CASES as GENERIC_CASES
from rule_cases_vertex import CASES as VERTEX_CASES

from aip_magics import checks

CASES = [*GENERIC_CASES, *VERTEX_CASES]

# Beginnings of fixes that say what to do, where the user has to know or decide something, or that other tests follow
# because they need TensorFlow (test_export_fixes.py), other libraries (test_other_savers.py), archives or a container
# (tests/serving).
NOT_LITERAL = (
    "@classmethod",
    "PROJECT.DATASET.TABLE",
    "add --region, or omit",
    "add a batch dimension to the output",
    "add a line to MANIFEST.in",
    "add b to every instance",
    "add the package that contains the module",
    "build a container with %aip_package --container",
    "build a package with %aip_package",
    "build the model as for training",
    "build the package",
    "copy the complete export directory",
    "copy the file into the directory",
    "def predict(self, instances",
    "deploy the model's files with --origin",
    "deploy with --target local, or",
    "dump a scikit-learn estimator",
    "dump the model with protocol=",
    "export the model",
    "gcloud ai-platform predict … --format=json",
    "git lfs pull",
    "gs://BUCKET/",
    "install_requires=",
    "keep one file, or choose",
    "keep one of them",
    "keep only",
    "move Doubler into my_module.py",
    "move its code into",
    "move the functions and classes of the model into",
    "my_module.Mine",
    "provide one value of shape",
    "provide the 2 columns",
    "push the image to Artifact Registry",
    "put the library of the operation into",
    "put the value into a file of the model directory",
    "remove files that do not belong",
    "remove some labels",
    "remove the line that excludes",
    "rename the module",
    "rename the output",
    "retrain on Python",
    "retrain with scikit-learn",
    "run a local trial with --env runtime",
    "run keras.models.load_model(",
    "run model.save(",
    "save its steps in a pipeline",
    "save the model again",
    "save the model as model.joblib",
    "save the model with",
    "save the weights in another format",
    "send fewer instances",
    "setup(…",
    "shorten the",
    "sign in and download",
    "start the key with a letter",
    "train and save the model with",
    "unpack it: mv",
    "use TensorFlow operations",
    "use a directory that contains the model",
    "use a file built with",
    "use def predict",
    "use numbers between",
    "use only the export directory",
    "use the form module.Class",
    "use the input names",
    "use values of type",
    '{"x": …}',
)


def first_finding(context, id):
    """What this rule alone finds: that all of them can look at the bad deployment is seen in test_rules.py."""
    outcome = checks.RULES[id].apply(context)
    assert isinstance(outcome, checks.Failed)
    return outcome.findings[0]


@pytest.mark.filterwarnings("ignore::UserWarning")  # XGBoost's log
@pytest.mark.parametrize(("id", "bad"), [(case[0], case[3]) for case in CASES], ids=[case[0] for case in CASES])
def test_fix_works_when_followed(deployment, found, id, bad):
    context = bad(deployment)
    finding = first_finding(context, id)
    if finding.fix.startswith(NOT_LITERAL):
        return
    after = follow(context, finding)
    assert after is not None, "decide whether the fix can be followed"
    left = found(after, id)
    assert (finding.subject, finding.message) not in [(one.subject, one.message) for one in left]
    assert not [one for one in left if one.severity == "error"], "the fix leads to the next error"


@pytest.mark.slow
def test_fixes_that_are_not_literal_are_still_given(deployment):
    fixes = [first_finding(case[3](deployment), case[0]).fix for case in CASES]
    assert not [start for start in NOT_LITERAL if not any(fix.startswith(start) for fix in fixes)]
