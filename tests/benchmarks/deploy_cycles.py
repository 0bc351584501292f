"""Run by a benchmark as a process: a notebook's kernel that deploys `$model` with a package and deletes the version.

It reads numbers from standard input and runs cycles up to each of them; then it writes a line to standard output.
Every cycle has another model and another package. Arguments: a directory for packages, options of the deletion.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy
from IPython.core.interactiveshell import InteractiveShell
from sklearn.linear_model import LogisticRegression

PADDING = 32_000  # numbers of 8 bytes in each model


def wheel(directory: Path, number: int) -> Path:
    """A package whose contents no other cycle has."""
    path = directory / f"extra-0.{number}-py3-none-any.whl"
    info = f"extra-0.{number}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("extra.py", f"NUMBER = {number}\n" + "# comment\n" * 10_000)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: extra\nVersion: 0.{number}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def main() -> None:
    directory, delete = Path(sys.argv[1]), " ".join(sys.argv[2:])
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "aip_magics")
    model = LogisticRegression().fit([[0.0, 0.1], [0.2, 0.0], [3.0, 3.1]], [0, 0, 1])
    done = 0
    for line in sys.stdin:
        while done < int(line):
            done += 1
            model.padding_ = numpy.random.default_rng(done).random(PADDING)
            shell.push({"model": model})
            package = wheel(directory, done)
            version = shell.run_line_magic(
                "aip_deploy", f"--model m --origin $model --package-uris {package} --trust -q"
            )
            shell.run_line_magic("aip_delete", f"{version.id} --model m --yes -q {delete}")
            package.unlink()
        sys.stdout.write(f"done {done}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
