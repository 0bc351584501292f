"""Making the magics known to a shell, without importing what they do: that comes with the first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aip_magics.commands.verbs import VERBS, magic_name


def register(shell: Any) -> None:
    """Register `%aip_verb` for each verb, and `%%aip_verb` for those whose cells have a body."""
    for verb, (_, body) in VERBS.items():
        kind = "line" if body == "none" else "line_cell"
        shell.register_magic_function(_magic(verb, shell), magic_kind=kind, magic_name=magic_name(verb))


def _magic(verb: str, shell: Any) -> Callable[..., Any]:
    from IPython.core.magic import no_var_expand

    # IPython's own expansion of $x and {x} leaves everything alone, silently, when one name is missing.
    @no_var_expand
    def magic(line: str, cell: str | None = None) -> Any:
        from aip_magics.notebook.magics import run

        return run(verb, shell, line, cell)

    magic.__name__ = magic_name(verb)
    magic.__doc__ = f"{VERBS[verb].help} `%{magic_name(verb)} --help` tells the options."
    return magic
