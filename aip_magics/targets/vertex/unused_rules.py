"""The generic rules that do not apply to Vertex AI, each with the reason: they are about AI Platform alone."""

from __future__ import annotations

from collections.abc import Mapping

from aip_magics.i18n import gettext as _


def unused_rules() -> Mapping[str, str]:
    """Return the reason for each rule that is not applied to a deployment to Vertex AI, by the id of the rule."""
    runtimes = _("about the runtimes of AI Platform; Vertex AI has images")
    images = _("about the libraries of a runtime; {rules} compare those of the image", rules="V03, V27, V41")
    machines = _("about the machines of AI Platform; {rules} know those of Vertex AI", rules="V28, V29, V31")
    memory = _("about the machines of AI Platform; {rules} know those of Vertex AI", rules="V42, V43")
    names = _("about names at AI Platform; {rules} know the ids and aliases of Vertex AI", rules="V32, V33")
    containers = _("about containers at AI Platform; {rules} know those of Vertex AI", rules="V23, V26")
    requests = _("about requests to AI Platform; {rules} know those to Vertex AI", rules="V35, V37, V38")
    size = _("Vertex AI has no documented limit for the files of a model")
    return {
        "A01": _("the Python of the images reads all protocols of pickle"),
        "A02": images,
        "A03": images,
        "A08": images,
        "A11": memory,
        "A14": _("about the libraries of AI Platform's runtimes; a container has those of the routine"),
        "A18": images,
        "B01": images,
        "C05": _("about packages at AI Platform; V24 knows what runs them on Vertex AI"),
        "E01": _("about the end of AI Platform Prediction"),
        "F01": runtimes,
        "F02": _("V34 knows the labels of Vertex AI"),
        "F03": _("V39 reports explanations"),
        "K01": containers,
        "M02": names,
        "M03": _("about the regions of AI Platform; V30 knows those of Vertex AI"),
        "N01": machines,
        "O01": _("a bucket in another region is refused by Vertex AI, which V22 reports"),
        "P03": containers,
        "P05": _("V39 reports explanations"),
        "R01": requests,
        "R04": requests,
        "R07": images,
        "R14": _("about permissions of AI Platform"),
        "R15": _("about the output of gcloud ai-platform predict"),
        "S05": size,
        "S06": size,
        "S09": runtimes,
        "S10": runtimes,
        "S11": runtimes,
        "S13": runtimes,
        "S14": machines,
        "S15": machines,
        "S17": machines,
        "S19": containers,
        "S20": _("on Vertex AI, every version may have a service account"),
        "S22": machines,
        "S25": _("about the quotas of AI Platform"),
        "T07": memory,
        "V10": images,
    }
