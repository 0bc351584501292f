"""Read the access token for `server start` from a file, standard input or the environment.

There is no option for the token itself: every user of the machine sees the arguments of a command, and shells,
notebooks and logs store them.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.targets.state import MIN_TOKEN_CHARS, is_token

VARIABLE = "AIP_MAGICS_TOKEN"


def read_access_token(file: str | None, variables: Mapping[str, str]) -> str | None:
    """Read the token from the file (`-`: the first line of standard input), else from the environment.

    Returns:
        The token, or None if neither is given.

    Raises:
        OptionError: The token cannot be read or is invalid. The message never contains the token.
    """
    if file is None and not variables.get(VARIABLE):
        return None
    where = VARIABLE if file is None else f"--token-file {file}"
    try:
        if file is None:
            token = variables[VARIABLE]
        else:
            token = _prompt() if file == "-" else Path(os.path.expanduser(file)).read_text("utf-8")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OptionError(_("could not read the token: {reason}", reason=reason), where=where, fix=_fix()) from None
    token = token.strip()
    if not is_token(token):
        text = _("the token is too short or contains characters that are not allowed in an HTTP header")
        raise OptionError(text, where=where, fix=_fix())
    return token


def _prompt() -> str:
    """Read a line from the terminal without echo, or from a pipe. A kernel has no standard input."""
    if sys.stdin is None:
        raise EOFError
    return getpass.getpass(_("Token: ")) if sys.stdin.isatty() else sys.stdin.readline()


def _fix() -> str:
    return _("use one line of at least {count} printable ASCII characters without spaces", count=MIN_TOKEN_CHARS)
