"""Writes `aip_magics/catalog/estimators.json`: which classes of scikit-learn predict, and which never do.

    PYTHON tests/catalog/collecting/estimators.py > FOLDER/NAME.json     with each version of scikit-learn
    python tests/catalog/collect_estimators.py FOLDER

A class that is certain in one version only in another way than in another is left out. A new release of scikit-learn:
run the first with it; classes and versions of the list that were not collected again are kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LIST = Path(__file__).parents[2] / "aip_magics" / "catalog" / "estimators.json"


def merged(known: dict[str, Any], collected: list[dict[str, Any]]) -> dict[str, Any]:
    """The list with what was collected."""
    versions = {*known["versions"], *(one["version"] for one in collected)}
    predict, without = set(known["predict"]), set(known["without"])
    transform = set(known["transform"])
    left_out: set[str] = set()
    for one in collected:
        predict.update(one["predict"])
        without.update(one["without"])
        left_out.update(one["left_out"])
        transform.update(one.get("transform", ()))
    left_out |= predict & without
    return {
        "library": "scikit-learn",
        "versions": sorted(versions, key=lambda text: [int(part) for part in text.split(".")]),
        "predict": sorted(predict - left_out),
        "without": sorted(without - left_out),
        "transform": sorted(transform),
    }


if __name__ == "__main__":
    nothing: dict[str, Any] = {"versions": [], "predict": [], "without": [], "transform": []}
    known = json.loads(LIST.read_text(encoding="utf-8")) if LIST.exists() else nothing
    files = sorted(Path(sys.argv[1]).glob("*.json"))
    found = merged(known, [json.loads(file.read_text(encoding="utf-8")) for file in files])
    LIST.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
