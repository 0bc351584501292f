"""Cycles of create and delete, as a user runs them: what do they leave on the disk?

Run as a script: a process of its own, as the models that a live process saved are in use.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from custom_models import ROUTINE, sdist

from aip_magics.targets import local

BUCKET = "gs://cycles"


def bytes_after_cycles(home: Path, work: Path, count: int) -> dict[str, int]:
    """Run cycles against the embedded server of `home`, delete what nothing uses, and measure.

    Each cycle deploys a `$model` and a package of its own, predicts, and deletes the version and its objects.

    Args:
        home: The data directory, which AIP_MAGICS_HOME names.
        work: A directory for the packages.
        count: The number of cycles; 0 only measures.

    Returns:
        The bytes of each kind of files, see `local.measure_disk`.
    """
    command = [sys.executable, __file__, str(work), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = local.measure_disk(home, prune=True)
    return {kind: figures["bytes"] for kind, figures in report["kinds"].items()}


def _run(work: Path, count: int) -> None:
    import numpy
    from recording_reporter import RecordingReporter
    from sklearn.linear_model import LogisticRegression

    from aip_magics.commands.common.command import Context
    from aip_magics.commands.common.execution import execute
    from aip_magics.commands.common.magic_line import split_line
    from aip_magics.commands.registry import build_parser, get_command

    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    model.ballast_ = numpy.random.default_rng().random(1 << 15)  # 256 KiB, others in each cycle
    context = Context(RecordingReporter(), names={"model": model})

    def aip(line: str, body: str | None = None) -> Any:
        verb, *words = split_line(line, context.names)
        command = get_command(verb)
        return execute(command, build_parser(command, verb).parse(words), body, context)

    for number in range(count):
        model.ballast_[0] = number
        code = ROUTINE.replace("offset.json", "model.joblib").replace("json.load(file)", str(number))
        package = sdist(
            work / str(number), "cycle", my_routine=code, ballast=f"BALLAST = {os.urandom(100_000).hex()!r}"
        )
        aip(
            f"deploy v{number} --model cycle --origin $model --staging-bucket {BUCKET} --package-uris {package} "
            "--prediction-class my_routine.Routine --trust"
        )
        assert aip("predict --model cycle", "[1]")["predictions"] == [1 + number]
        aip(f"delete v{number} --model cycle --artifacts --yes")


if __name__ == "__main__":
    _run(Path(sys.argv[1]), int(sys.argv[2]))
