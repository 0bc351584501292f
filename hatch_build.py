"""Build hook: compile the message catalogues when a wheel or an editable installation is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogueBuildHook(BuildHookInterface):
    """Write `aip_magics.mo` beside every `aip_magics.po`; git ignores it, so hatchling is told to include it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile before hatchling collects the files (in an editable installation they are read in place)."""
        for source in sorted(Path(self.root, "aip_magics", "i18n", "locale").glob("*/LC_MESSAGES/*.po")):
            with source.open("rb") as po:
                catalogue = read_po(po, abort_invalid=True)
            compiled = source.with_suffix(".mo")
            with compiled.open("wb") as mo:
                write_mo(mo, catalogue)
            build_data["artifacts"].append(f"/{compiled.relative_to(self.root).as_posix()}")
