"""Google's Application Default Credentials: those of the user, of a file, or of the metadata server of a platform."""

from __future__ import annotations

import os
from typing import Any

from aip_magics.errors import CredentialsError
from aip_magics.i18n import gettext as _

FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"


def default_credentials(scope: str, *, where: str, fix: str) -> Any:
    """Find the credentials.

    Args:
        scope: What they are used for.
        where: The `where` of the error if there are none.
        fix: Its remedy.

    Raises:
        CredentialsError: There are none, or those of the file that GOOGLE_APPLICATION_CREDENTIALS names are unusable.
    """
    import google.auth
    import google.auth.exceptions

    try:
        return google.auth.default(scopes=[scope], quota_project_id=None)[0]
    except google.auth.exceptions.DefaultCredentialsError as error:
        reason = str(error.args[0])
    except OSError as error:  # the path is that of a directory
        reason = str(error)
    except AttributeError:  # of google-auth, for JSON of another kind
        reason = _("expected a JSON object")
    if not os.environ.get(FILE_VARIABLE):
        raise CredentialsError(_("Application Default Credentials not found"), where=where, fix=fix)
    raise CredentialsError(
        _("could not load the credentials: {reason}", reason=reason),
        where=FILE_VARIABLE,
        fix=_("set the variable to the path of a credentials file, or unset it"),
    )
