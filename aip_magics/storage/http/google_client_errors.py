"""Exceptions of google-cloud-storage as errors of ours; the form's file browser lists buckets with that library."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from aip_magics.connection_errors import credentials_error
from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _


@contextlib.contextmanager
def translate_google_errors(where: str, fixes: dict[int, str] | None = None) -> Iterator[None]:
    """Raise a StorageError about `where` for what google-cloud-storage raises inside the block.

    `fixes` maps an HTTP status to its remedy.
    """
    import google.api_core.exceptions
    import google.auth.exceptions
    import requests

    try:
        yield
    except google.auth.exceptions.GoogleAuthError as error:
        raise credentials_error(error, where) from None
    except google.api_core.exceptions.GoogleAPICallError as error:
        code = int(error.code or 0)
        text = _("Cloud Storage returned HTTP {code}: {text}", code=code, text=error.message)
        raise StorageError(text, where=where, fix=(fixes or {}).get(code, "")) from error
    except google.api_core.exceptions.RetryError as error:
        text = _("Cloud Storage did not respond in time: {message}", message=error.message)
        raise StorageError(text, where=where) from error
    except requests.RequestException as error:
        text = _("could not connect to Cloud Storage: {name}", name=type(error).__name__)
        raise StorageError(text, where=where, fix=_("run the command again to resume")) from error
