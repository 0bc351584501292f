"""Registration of the magics in a shell; their implementation is imported on first use.

The start-up file (jupyter-config) runs this file by its path without importing the package. So the package is imported
only inside functions that run later.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

MATCHER = "aip_magics"  # identifier of our matcher in the completer


def register(shell: Any, verbs: ModuleType, configuration: ModuleType | None = None) -> None:
    """Register `%aip_verb` for each verb, `%%aip_verb` for verbs with a body, and their completion; idempotent.

    Args:
        shell: The IPython shell.
        verbs: The module `commands.verbs`.
        configuration: The module `notebook.configuration`, which provides `%config AipMagics`; None in start-up files
            of older versions of the package.
    """
    for name, verb in verbs.VERBS.items():
        magic = _build_magic(name, verbs.magic_name(name), verb.help, shell)
        kind = "line" if verb.body == "none" else "line_cell"
        shell.register_magic_function(magic, magic_kind=kind, magic_name=magic.__name__)
    _add_matcher(shell)
    if configuration is not None:
        configuration.get_session(shell)


def _build_magic(verb: str, name: str, help_text: str, shell: Any) -> Callable[..., Any]:
    from IPython.core.magic import no_var_expand

    # IPython's own expansion of $x and {x} silently expands nothing when one name is undefined.
    @no_var_expand
    def magic(line: str, cell: str | None = None) -> Any:
        from aip_magics.notebook.magics import run

        return run(verb, shell, line, cell)

    magic.__name__ = name
    magic.__doc__ = f"{help_text} `%{name} --help` shows the options."
    return magic


def _add_matcher(shell: Any) -> None:
    """Add our matcher to the completer of the shell, replacing an earlier one."""
    try:
        from IPython.core.completer import context_matcher
    except ImportError:  # IPython < 8.6 has no matchers
        return

    def matcher(context: Any) -> dict[str, Any]:
        if "%aip_" not in context.full_text:  # runs at every Tab
            return {"completions": []}
        from aip_magics.notebook.completion import matches

        return matches(context, shell.user_ns)

    completer = shell.Completer
    others = [other for other in completer.custom_matchers if getattr(other, "matcher_identifier", "") != MATCHER]
    completer.custom_matchers = [*others, context_matcher(identifier=MATCHER)(matcher)]
