"""Collects what libraries pickle, judges it, and writes `aip_magics/catalog/pickle_globals.json`.

    python tests/catalog/collect_pickle_globals.py record FOLDER
    python tests/catalog/collect_pickle_globals.py write FOLDER

`record` makes an environment per row of ENVIRONMENTS (collecting/recording.py) in FOLDER with uv, fits and pickles
everything in each, and writes FOLDER/*.json; `write` judges these by pickle_judgements.toml and writes the list.

What is not judged is printed and ends it with 1. A new release of a library: add a row, run both, judge, commit. Names
of the list that were not collected again are kept, so FOLDER may hold one new environment only.
"""

from __future__ import annotations

import sys

from collecting import judging, recording

if __name__ == "__main__":
    what, folder = sys.argv[1:3]
    sys.exit(recording.record(folder) if what == "record" else judging.write(folder))
