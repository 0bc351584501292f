"""Source distributions whose setup.py lists modules as scripts only, as Google's samples of custom code do.

The setuptools of the service installs what setup.py lists. Since setuptools 61, a setup.py without packages and
py_modules makes setuptools discover modules, which fails for more than one of them.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping

from aip_magics.artifacts.packages import plain_project, setup_script
from aip_magics.artifacts.packages.setup_script import SetupScript
from aip_magics.artifacts.packages.source_tree import normalize_line_ends

_LISTS = ("packages", "py_modules", "ext_modules")
_NO_MODULES = "py_modules =\n"
_OPTIONS = re.compile(r"^\[options\][ \t]*$", re.MULTILINE)


def lists_only_scripts(texts: Mapping[str, bytes]) -> bool:
    """Whether modules are listed as scripts only. `texts` are the files of the package's root by name."""
    if "setup.py" not in texts or not script_modules(setup_script.read(texts["setup.py"])):
        return False
    project = plain_project.read(texts.get("pyproject.toml", b"").decode("utf-8", "replace"))
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read_string(texts.get("setup.cfg", b"").decode("utf-8", "replace"))
    except configparser.Error:
        return False
    if project is None or any(config.has_option("options", name) for name in _LISTS):
        return False
    tools = project.get("tool", {})
    return plain_project.is_setuptools(project) and isinstance(tools, dict) and "setuptools" not in tools


def script_modules(script: SetupScript) -> tuple[str, ...]:
    """The files of modules that setup.py lists as scripts, if it lists nothing else; relative to setup.py."""
    given = {*script.keywords, *script.computed}
    if script.problem or script.finds is not None or given & {*_LISTS, "**"}:
        return ()
    scripts = script.keywords.get("scripts") or ()
    return tuple(name for name in scripts if isinstance(name, str) and name.endswith(".py"))


def without_discovery(setup_cfg: str) -> str:
    """Return the text of a setup.cfg, which lists no modules, with an empty list: then none are discovered."""
    text, replaced = _OPTIONS.subn(
        lambda header: f"{header[0]}\n{_NO_MODULES}", normalize_line_ends(setup_cfg), count=1
    )
    return text if replaced else f"{text}\n[options]\n{_NO_MODULES}"
