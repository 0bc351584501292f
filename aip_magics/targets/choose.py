"""Choice of the target by the settings."""

from __future__ import annotations

from aip_magics import target_types
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.settings import Settings
from aip_magics.spec import nearest
from aip_magics.targets.base import Target

_USUAL_REGION = "us-central1"


def choose(settings: Settings) -> Target:
    """Create the target of these settings, without any request and without starting a server."""
    target: Target = load(settings.target.value)(settings)
    return target


def load(name: str) -> type[Target]:
    """Import the class of the target of this name. SettingsError for an unknown name."""
    found: type[Target] = target_types.get(name).load()
    return found


def check_region(target: str, region: str, where: str) -> None:
    """Raise OptionError if a region, or `global`, is none of a target's.

    Args:
        target: The name of the target.
        region: The value of `--region`.
        where: The place of the region in errors.
    """
    regions = load(target).regions()
    if not regions or region in regions:
        return
    if region == "global":
        text = _("target {target} has no global endpoint", target=target)
        one = _USUAL_REGION if _USUAL_REGION in regions else regions[0]
        raise OptionError(text, where=where, fix=_("use a region: --region {region}", region=one))
    fix = nearest(region, list(regions)) or _("use one of {names}", names=", ".join(regions))
    text = _("invalid region {region!r} for target {target}", region=region, target=target)
    raise OptionError(text, where=where, fix=fix)
