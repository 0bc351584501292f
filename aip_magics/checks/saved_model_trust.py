"""What a TensorFlow model would run beside its graph: libraries of operations of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from aip_magics.artifacts import File, ModelDir
from aip_magics.checks import links
from aip_magics.checks.base import Finding, Outcomes, Subject, error, on_directory, rule
from aip_magics.checks.trust import Question, Stranger, answers, question
from aip_magics.language import say
from aip_magics.prediction.replies import trust_fix


def _files(subject: Subject) -> Iterator[File]:
    if subject.model_dir is None or subject.framework != "TENSORFLOW" or subject.version.container is not None:
        return
    for file in subject.model_dir.files:
        path = PurePosixPath(file.name)
        if str(path.parent) == "assets.extra" and path.suffix == ".so":
            yield file


def _look(_subject: Subject, file: File) -> Stranger:
    return Stranger(file, (file.name,))


GRAPH = question(Question("U02", of_model=True, files=_files, look=_look))


@rule(GRAPH.id, link=links.UNPICKLING)
@on_directory
def code_that_a_graph_runs(subject: Subject, _directory: ModelDir) -> Outcomes:
    """A SavedModel brings no libraries of operations of its own, unless you trusted them with --trust.

    Looked at are the libraries in assets.extra/, which loading the model would run.
    """
    return answers(GRAPH, subject, _finding)


def _finding(one: Stranger) -> Finding:
    text = say("{file} is a library that loading the model would run", file=one.file.name)
    return error(one.file.name, text, trust_fix())
