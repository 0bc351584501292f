"""Collects what libraries pickle, judges it, and writes `aip_magics/catalog/pickle_globals.json`.

    python tests/catalog/collect_pickle_globals.py record FOLDER   makes an environment per row of ENVIRONMENTS in FOLDER
                                                                   with uv, fits and pickles everything in each: FOLDER/*.json
    python tests/catalog/collect_pickle_globals.py write FOLDER    judges FOLDER/*.json by pickle_judgements.toml and
                                                                   writes the list

What is not judged is printed and ends it with 1. A new release of a library: add a row, run both, judge, commit. Names
of the list that were not collected again are kept, so FOLDER may hold one new environment only.
"""

from __future__ import annotations

import sys

from collecting import judging, recording

if __name__ == "__main__":
    what, folder = sys.argv[1:3]
    sys.exit(recording.record(folder) if what == "record" else judging.write(folder))
