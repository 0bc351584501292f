"""Where `server start` gets an access token of the user's from: a file, standard input, the environment; no option.

The words of a command are seen by every user of the machine, and kept by shells, notebooks and logs.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.targets.state import LEAST_TOKEN, is_token

VARIABLE = "AIP_MAGICS_TOKEN"


def read_access_token(file: str | None, variables: Mapping[str, str]) -> str | None:
    """The token in the file (`-`: the first line of standard input), else that of the environment; None without one.

    OptionError, which does not have it in its text, where there is none, or no header can carry it.
    """
    if file is None and not variables.get(VARIABLE):
        return None
    where = VARIABLE if file is None else f"--token-file {file}"
    try:
        if file is None:
            token = variables[VARIABLE]
        else:
            token = _asked() if file == "-" else Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OptionError(_("no token can be read: {reason}", reason=reason), where=where, fix=_fix()) from None
    token = token.strip()
    if not is_token(token):
        text = _("the token is too short or has characters that no header can carry")
        raise OptionError(text, where=where, fix=_fix())
    return token


def _asked() -> str:
    """What is typed, unseen, or comes by a pipe. A kernel has no standard input of its own."""
    if sys.stdin is None:
        raise EOFError
    return getpass.getpass(_("Token: ")) if sys.stdin.isatty() else sys.stdin.readline()


def _fix() -> str:
    return _("one line of at least {count} printable ASCII characters without blanks", count=LEAST_TOKEN)
