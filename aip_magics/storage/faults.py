"""google-cloud-storage's exceptions as our errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from aip_magics.errors import CredentialsError, StorageError
from aip_magics.i18n import gettext as _


@contextlib.contextmanager
def storage_errors(where: str, fixes: dict[int, str] | None = None) -> Iterator[None]:
    """Turn what the Cloud Storage client raises inside the block into a StorageError about `where`.

    `fixes` maps an HTTP code to what to do about it.
    """
    import google.api_core.exceptions
    import google.auth.exceptions
    import requests

    try:
        yield
    except google.auth.exceptions.GoogleAuthError as error:
        raise CredentialsError(
            _("the credentials were not accepted: {error}", error=error),
            where=where,
            fix=_("run `gcloud auth application-default login`"),
        ) from None
    except google.api_core.exceptions.GoogleAPICallError as error:
        code = int(error.code or 0)
        message = _("Cloud Storage answered {code}: {message}", code=code, message=error.message)
        raise StorageError(message, where=where, fix=(fixes or {}).get(code, "")) from error
    except google.api_core.exceptions.RetryError as error:
        raise StorageError(
            _("Cloud Storage did not answer in time ({message})", message=error.message), where=where
        ) from error
    except requests.RequestException as error:
        raise StorageError(
            _("Cloud Storage cannot be reached ({name})", name=type(error).__name__),
            where=where,
            fix=_("run it again: it continues"),
        ) from error
