"""`aip_form(…)`: the form as a Python function, also for a model object instead of a directory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aip_magics.commands.form import COMMAND
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.notebook.form.form import Form


def aip_form(origin: object = None, *, test: object = None, **options: object) -> Form:
    """Show a form that deploys a model.

    Example: `aip_form("./export", model="iris", machine_type="mls1-c4-m2", labels={"team": "a"})`

    Args:
        origin: A directory (string or path), or a trained model object.
        test: Test instances (a list, an array, a DataFrame).
        options: The options of `%aip_deploy` with underscores.

    Returns:
        The form; its `wait()` returns the Version.

    Raises:
        OptionError: An option is unknown, or no notebook is running.
    """
    from IPython.core.getipython import get_ipython

    from aip_magics.notebook import magics
    from aip_magics.notebook.configuration import get_session
    from aip_magics.notebook.reporter import NotebookReporter
    from aip_magics.notebook.session import choose_language

    shell = get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        raise OptionError(
            _("a form needs a notebook"), where="aip_form", fix=_("use %aip_deploy, which works without a notebook")
        )
    choose_language(get_session(shell))
    args = magics.magic_parser(COMMAND).parse(list(_words(options)))
    args.origin = args.origin if origin is None else origin
    args.verb = COMMAND.name
    context = magics.build_context(shell, NotebookReporter("aip_form"), args)
    context = dataclasses.replace(context, names={**shell.user_ns, "test": test})
    form: Form = COMMAND.run(args, None if test is None else "test: $test", context)
    return form


def _words(options: Mapping[str, object]) -> Iterator[str]:
    """The options as words of a line; options that are None or False are omitted."""
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if name == "version":
            yield str(value)
        elif value is True:
            yield flag
        elif value is not None and value is not False:
            yield f"{flag}={_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in value.items())
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
