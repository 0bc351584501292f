"""Making the magics known to a shell, without importing what they do: that comes with the first use.

The start-up file (jupyter-config) runs this file by its path, when the package is not imported and shall not be. So
nothing of the package is imported here but inside of what is called later.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

MATCHER = "aip_magics"  # the completer knows a matcher by this


def register(shell: Any, verbs: ModuleType, configuration: ModuleType | None = None) -> None:
    """Register `%aip_verb` for each verb, `%%aip_verb` for those whose cells have a body, and their completion.

    `verbs` is the module `commands.verbs`, `configuration` the one here, which makes `%config AipMagics` known (None: a
    start-up file that an older version of the package put into the profile). To register twice is to register once.
    """
    for name, verb in verbs.VERBS.items():
        magic = _magic(name, verbs.magic_name(name), verb.help, shell)
        kind = "line" if verb.body == "none" else "line_cell"
        shell.register_magic_function(magic, magic_kind=kind, magic_name=magic.__name__)
    _complete(shell)
    if configuration is not None:
        configuration.get_session(shell)


def _magic(verb: str, name: str, about: str, shell: Any) -> Callable[..., Any]:
    from IPython.core.magic import no_var_expand

    # IPython's own expansion of $x and {x} leaves everything alone, silently, when one name is missing.
    @no_var_expand
    def magic(line: str, cell: str | None = None) -> Any:
        from aip_magics.notebook.magics import run

        return run(verb, shell, line, cell)

    magic.__name__ = name
    magic.__doc__ = f"{about} `%{name} --help` tells the options."
    return magic


def _complete(shell: Any) -> None:
    """Add our matcher to the shell's completer, in place of one that is there."""
    try:
        from IPython.core.completer import context_matcher
    except ImportError:  # IPython < 8.6 takes no matchers
        return

    def matcher(context: Any) -> dict[str, Any]:
        if "%aip_" not in context.full_text:  # asked at every Tab
            return {"completions": []}
        from aip_magics.notebook.completion import matches

        return matches(context, shell.user_ns)

    completer = shell.Completer
    others = [other for other in completer.custom_matchers if getattr(other, "matcher_identifier", "") != MATCHER]
    completer.custom_matchers = [*others, context_matcher(identifier=MATCHER)(matcher)]
