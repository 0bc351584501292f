"""From what was collected to the list, by `pickle_judgements.toml`."""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aip_magics.catalog
from aip_magics.catalog.tables import read_table

from . import roles

LIST = Path(aip_magics.catalog.__file__).parent / "pickle_globals.json"
USUAL = ("no source", "defines *", "getattr by variable*", "setattr by variable*", "compile*")
Names = dict[str, dict[str, set[str]]]  # module → name → modes


def write(folder: str) -> int:
    """Writes the list of what was recorded in the folder, and of what the list has already. 1 if something is unjudged."""
    collected, risks = read_records(Path(folder))
    names, unjudged = judge(collected)
    unjudged += unjudged_risks(risks)
    for module, known in _listed(LIST).items():
        for name, modes in known.items():
            # Another release does more with it than the collected ones: what is judged well is kept.
            kept, _ = judge({module: {name: _plain(modes)}})
            if _plain(modes) and module in kept:
                names.setdefault(module, {}).setdefault(name, set()).update(kept[module][name])
    add(names)
    LIST.write_text(render(names), encoding="utf-8")
    for line in unjudged:
        print("not judged:", line)
    print(sum(map(len, names.values())), "names of", len(names), "modules")
    return 1 if unjudged else 0


def read_records(folder: Path) -> tuple[Names, dict[str, set[str]]]:
    """All that was recorded: what pickles name, and what of it does something to be judged."""
    collected: Names = {}
    risks: dict[str, set[str]] = {}
    for file in sorted(folder.glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        for module, found in record["globals"].items():
            for name, modes in found.items():
                collected.setdefault(module, {}).setdefault(name, set()).update(modes)
        for key, what in record["risks"].items():
            risks.setdefault(key, set()).update(what)
    return collected, risks


def judge(collected: Mapping[str, Mapping[str, Iterable[str]]]) -> tuple[Names, list[str]]:
    """What of it is listed, and what there is no judgement about."""
    names: Names = {}
    unjudged = []
    for module, found in collected.items():
        for name, modes in found.items():
            key = f"{module}:{name}"
            special = next((row["mode"] for row in _rows("special") if _is_in(key, row["names"])), None)
            listed = {special} if special else set()
            for mode in modes:
                if special or _refused(key, mode):
                    continue
                table = {"value": "values", "call": "calls", "method": "methods"}.get(mode)
                if table and not any(_is_in(key, row["names"]) for row in _rows(table)):
                    unjudged.append(f"{key} {mode}")
                else:
                    listed.add(mode)
            if listed:
                names.setdefault(module, {})[name] = listed
    return names, unjudged


def unjudged_risks(risks: Mapping[str, Iterable[str]]) -> list[str]:
    """What the source of a class or function does that no judgement speaks of."""
    refused = {key for key in risks if any(_is_in(key, row["names"]) for row in _rows("refused") if "modes" not in row)}
    return [
        f"{key}: {one}"
        for key, what in risks.items()
        if key not in refused
        for one in what
        if not any(_is_in(key, row["names"]) and _is_in(one, row.get("what", USUAL)) for row in _rows("accepted"))
    ]


def add(names: Names) -> None:
    """Adds what is listed without being collected."""
    for row in _rows("alias"):
        values = [name for name, modes in names.get(row["of"], {}).items() if "value" in modes]
        for module in row["modules"]:
            for name in values:
                names.setdefault(module, {}).setdefault(name, set()).add("value")
    for row in _rows("added"):
        for name, modes in row["names"].items():
            names.setdefault(row["module"], {})[name] = set(modes.split())
    for found in names.values():
        for name in [name for name, modes in found.items() if "." in name and modes != {"method"}]:
            found.setdefault(name.rpartition(".")[0], set()).add("owner")


def render(names: Names) -> str:
    """The list as JSON, a module a line."""
    guards: dict[str, dict[str, list[str]]] = {}
    for row in _rows("guard"):
        for one in row["classes"]:
            module, _, name = one.partition(":")
            if name in names.get(module, {}):
                guards.setdefault(one, {})[row["attribute"]] = sorted(row["allowed"])
    modules = {
        module: {name: " ".join(sorted(modes)) for name, modes in sorted(found.items())}
        for module, found in sorted(names.items())
    }
    rebuilders = {
        f"{module}:{name}": {str(place): mode for place, mode in places.items()}
        for module, found in sorted(names.items())
        for name in sorted(found)
        if (places := roles.classes_of(module, name))
    }
    tables = [
        f'"{title}": {{\n' + ",\n".join(f"{json.dumps(key)}: {json.dumps(one)}" for key, one in rows) + "\n}"
        for title, rows in (
            ("globals", modules.items()),
            ("guards", sorted(guards.items())),
            ("rebuilders", rebuilders.items()),
        )
    ]
    return "{\n" + ",\n".join(tables) + "\n}\n"


def _listed(file: Path) -> Names:
    if not file.exists():
        return {}
    listed = json.loads(file.read_text(encoding="utf-8"))["globals"]
    return {module: {name: set(modes.split()) for name, modes in found.items()} for module, found in listed.items()}


def _plain(modes: set[str]) -> set[str]:
    return modes & {"new", "call", "value", "method"}


def _refused(key: str, mode: str) -> bool:
    return any(
        mode in row.get("modes", "new call value method").split()
        and _is_in(key, row["names"])
        and not _is_in(key, row.get("except", []))
        for row in _rows("refused")
    )


def _is_in(key: str, patterns: Iterable[str]) -> bool:
    return any(_pattern(pattern).match(key) for pattern in patterns)


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def _rows(table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table("pickle_judgements")[table]
    return rows
