"""The model of versions on the line: that of `--model` or of a full name, else the only one of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.wording import join_names

if TYPE_CHECKING:
    from aip_magics.targets import Target


def given_model(model: str | None, *versions: str) -> str | None:
    """Return the model that the line names, by its full name if one is given; None if it names none.

    OptionError if the names are of different models.
    """
    parts = [version.split("/") for version in versions if is_full(version)]
    named = ["/".join(part[:-2]) for part in parts if part[-4::2] == ["models", "versions"]]
    if model:
        named.append(model)
    full = dict.fromkeys(filter(is_full, named))  # of the same ID in two projects, too, are two models
    for names in (dict.fromkeys(name.rpartition("/")[2] for name in named), full):
        if len(names) > 1:
            text = _("expected one model, got {names}", names=join_names(names))
            raise OptionError(text, where="--model", fix=_("use versions of the same model"))
    return next(iter(full), model or None)


def choose_model(target: Target, model: str | None, line: str, *versions: str) -> str:
    """Return the model that the line names, else the only model of a project; the target is connected.

    `line` is an example with `--model`, for the error if the project has no model.
    """
    if found := given_model(model, *versions):
        return found
    models = [each.id for each in target.client.list_models()]
    if len(models) == 1:
        return models[0]
    if not models:
        raise OptionError(_("the project has no model"), where="--model", fix=line)
    text = _("a model name is required; the project has {names}", names=join_names(models))
    raise OptionError(text, where="--model", fix=_("add --model {name}", name=models[0]))
