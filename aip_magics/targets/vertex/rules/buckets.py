"""Online rules about the bucket of the model's files."""

from __future__ import annotations

from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, warning
from aip_magics.checks.rules.online import ServiceView, online_rule
from aip_magics.i18n import gettext as _
from aip_magics.targets.vertex import links


@online_rule("V22", "bucket-outside-region", link=links.BUCKET_REGION, target="vertex")
def bucket_outside_region(context: CheckContext, service: ServiceView) -> Outcomes:
    """The bucket must be in the region of the endpoint: Vertex AI refuses one of another region or of a multi-region.

    A multi-region or dual-region that contains the region is only a warning: not all of Vertex AI's methods refuse it.
    """
    from aip_magics.storage import Bucket  # imports urllib3, which only online rules need

    region = context.target.region
    bucket = service.bucket()
    if region is None or bucket is None:
        return Skipped(_("the bucket does not exist yet; it will be created in the region of the endpoint"))
    if not bucket.location:
        return Skipped(_("the location of bucket {name} is unknown", name=bucket.name))
    if bucket.location == region:
        return []
    text = _(
        "bucket gs://{name} is in {there}, the endpoint in {here}", name=bucket.name, there=bucket.location, here=region
    )
    contains = Bucket(bucket.name, bucket.location, bucket.regions).is_in(region)
    fix = _("use a bucket in the endpoint's region: --staging-bucket gs://BUCKET")
    return [(warning if contains else error)("version.deploymentUri", text, fix)]
