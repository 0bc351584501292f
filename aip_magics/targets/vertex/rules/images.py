"""Rules about the image that serves the model: it must exist, be available, and be able to load the model."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.artifacts import ModelDir, saved_models
from aip_magics.artifacts.facts import PickleFacts, SavedModelFacts
from aip_magics.checks.context import CheckContext
from aip_magics.checks.model_facts import get_model_file, requires_pickle, requires_saved_model
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links
from aip_magics.targets.vertex.image_choice import choose_image, global_names, has_custom_code, is_served_by_ours
from aip_magics.wording import join_names

_IMAGE = "version.container.image"


@rule("V06", "unknown-prebuilt-image", link=links.UNKNOWN_IMAGE, target="vertex")
def unknown_prebuilt_image(context: CheckContext) -> Outcomes:
    """A prebuilt image must be one that Google offers, with the tag `latest`: the list is closed.

    There is no image for each release of a framework: names that are made from the version of a library often do not
    exist.
    """
    uri = named_uri(context)
    if not catalog.is_prebuilt(uri) or catalog.prediction_image(uri):
        return []
    text = _("Google has no prebuilt image {image}", image=uri)
    name = uri.rpartition("/")[2].partition(":")[0].partition("@")[0]
    same = next((image for image in catalog.prediction_images() if image.name == name), None)
    if same and same.is_available(context.today):
        return [error(_IMAGE, text, f"image: {same.uri(region_of(context))}")]
    return [error(_IMAGE, text, _matching_fix(context))]


@rule("V07", "ended-prebuilt-image", link=links.IMAGES, target="vertex")
def ended_prebuilt_image(context: CheckContext) -> Outcomes:
    """A prebuilt image must still be available: after its end, no model can be deployed with it.

    An image that ends within 90 days is only a warning. Google also moved all images once: the old paths have ended.
    """
    image = serving_image(context)
    if image is None:
        return []
    field = _IMAGE if named_uri(context) else "version.framework"
    if image.is_available(context.today):
        text = catalog.ending_text(image, context.today)
        return [warning(field, text, _later_fix(context, image))] if text else []
    if image.moved:
        text = _("the path of image {name} is no longer supported by Google", name=named_uri(context))
        if image.days_left(context.today) >= 0:
            return [error(_IMAGE, text, f"image: {image.uri(region_of(context))}")]
    else:
        date = image.available_until.isoformat()
        text = _("image {name} was available until {date}", name=image.name, date=date)
    return [error(_IMAGE, text, _matching_fix(context))]


@rule("V21", "image-of-other-framework", link=links.EXPORTING, target="vertex")
def image_of_other_framework(context: CheckContext) -> Outcomes:
    """The image must be one for the framework of the model's files."""
    image = catalog.prediction_image(named_uri(context))
    if image is None:
        return []
    if context.model_dir is None:
        return context.no_files
    has = context.model_dir.framework
    if has is None:
        return Skipped(_("the framework of the model is unknown"))
    if has == image.framework:
        return []
    text = _(
        "image {name} is for {framework}, the model is of {has}", name=image.name, framework=image.framework, has=has
    )
    return [error(_IMAGE, text, _matching_fix(context))]


@rule("V03", "image-cannot-load-model", link=links.MODEL_SERVER_EXITED, target="vertex")
def image_cannot_load_model(context: CheckContext) -> Outcomes:
    """The libraries of the image must be able to load the model: else the model server ends after 10 to 20 minutes.

    Where no prebuilt image has them, which is so for most models that are trained today, the model needs a container.
    """
    if context.version.container is None:
        if has_custom_code(context.version) or is_served_by_ours(context.version):
            return []  # V24 reports the first; the second has the libraries of the model
        if context.framework is None:
            return Skipped(_("the framework of the model is unknown"))
        if context.version.acceleratorConfig and catalog.cpu_only(context.framework):
            return []  # V29 reports it
        match = _choice(context)
        if isinstance(match, catalog.ImageMatch):
            return []
        return [error("version.framework", match.reason, container_fix())]
    image = catalog.prediction_image(named_uri(context))
    if image is None or context.model_dir is None:
        return context.no_files if image else []
    library = catalog.library_name(image.framework)
    saved_with = context.model_dir.libraries.get(library)
    if saved_with is None:
        return []  # V21 reports another framework
    gone = catalog.find_library_break(library, saved_with, image.version, global_names(context.model_dir))
    if not gone and not (catalog.older_fails(library) and catalog.is_newer(saved_with, image.version)):
        return []
    text = _(
        "the model was saved with {library} {wrote}; image {name} has {has} and cannot load it",
        library=library,
        wrote=saved_with,
        name=image.name,
        has=image.version,
    )
    return [error(_IMAGE, text, _matching_fix(context))]


@rule("V41", "operation-not-in-image", link=links.MODEL_SERVER_EXITED, target="vertex")
@requires_saved_model
def operation_not_in_image(context: CheckContext, directory: ModelDir, facts: SavedModelFacts) -> Outcomes:
    """The TensorFlow of the image must have the operations of the SavedModel, or it does not load."""
    image = serving_image(context)
    if image is None or image.framework != "TENSORFLOW":
        return []
    missing = saved_models.lacking(facts.ops, image.version)
    if not missing:
        return []
    text = _("TensorFlow of image {name} does not have the operations {ops}", name=image.name, ops=join_names(missing))
    return [error(get_model_file(directory), text, container_fix())]


@rule("V27", "module-not-in-image", link=links.NO_MODULE, target="vertex")
@requires_pickle
def module_not_in_image(context: CheckContext, directory: ModelDir, facts: PickleFacts) -> Outcomes:
    """The modules that loading the model imports must be in the prebuilt image, which takes no packages.

    Google does not list the modules of an image, so modules of other libraries are only a warning.
    """
    image = serving_image(context)
    if image is None:
        return []
    missing = [name for name in facts.modules if name != "__main__" and not catalog.image_has(name, image)]
    if not missing:
        return []
    text = _(
        "loading the model imports {names}, which image {name} is not known to have",
        names=join_names(missing),
        name=image.name,
    )
    return [warning(get_model_file(directory), text, container_fix())]


def named_uri(context: CheckContext) -> str:
    """Return the image that the version names; empty if it names none."""
    return (context.version.container.image or "") if context.version.container else ""


def region_of(context: CheckContext) -> str:
    """Return the region of the endpoint, or a region to build a fix with where V30 reports that it is missing."""
    return context.target.region or catalog.default_vertex_region()


def serving_image(context: CheckContext) -> catalog.PredictionImage | None:
    """Return the prebuilt image that serves the model, named or chosen; None if it is another one, or none fits."""
    if context.version.container is not None:
        return catalog.prediction_image(named_uri(context))
    match = _choice(context)
    return match.image if isinstance(match, catalog.ImageMatch) else None


def container_fix() -> str:
    """Return the fix for a model that no prebuilt image serves."""
    return _("build a container with %aip_package --container DIR, push its image, and set container.image")


def _matching_fix(context: CheckContext) -> str:
    """Return the image that serves the model, as a line of the cell; else the way to a container."""
    match = _choice(context)
    return f"image: {match.uri}" if isinstance(match, catalog.ImageMatch) else container_fix()


def _choice(context: CheckContext) -> catalog.ImageChoice:
    framework = context.framework
    if context.version.container is not None and context.model_dir is not None:
        framework = context.model_dir.framework
    return choose_image(framework, context.model_dir, context.version, region_of(context), context.today)


def _later_fix(context: CheckContext, image: catalog.PredictionImage) -> str:
    """Return the release to retrain with for an image that ends later, else the way to a container."""
    newest = catalog.match_image(image.framework, {}, region_of(context), context.today, accelerator=image.accelerator)
    if not isinstance(newest, catalog.ImageMatch) or newest.image.available_until <= image.available_until:
        return container_fix()
    library = catalog.library_name(image.framework)
    return _(
        "retrain with {library} {version} for {name}",
        library=library,
        version=newest.image.version,
        name=newest.image.name,
    )
