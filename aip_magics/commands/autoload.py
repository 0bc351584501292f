"""`autoload`: load the magics in every notebook without `%load_ext`, by a start-up file that IPython reads.

The wheel installs the file to `etc/ipython/startup` of the environment, where IPython finds it. `pip --user`,
`pip --target` and a checkout put the file elsewhere; then `on` copies it to the user's profile.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.errors import OptionError, SettingsError
from aip_magics.i18n import gettext as _

FILE = "50-aip-magics.py"
OFF = "50-aip-magics.off"  # a file of this name in the profile disables the start-up file
VARIABLE = "AIP_MAGICS_AUTOLOAD"
_STARTUP = Path("etc", "ipython", "startup", FILE)


@dataclasses.dataclass(frozen=True)
class Autoload:
    """Whether IPython loads the magics when it starts, the start-up files that do so, and the reason."""

    on: bool
    files: tuple[Path, ...]
    reason: str

    def to_json(self) -> dict[str, object]:
        return {"on": self.on, "files": [str(file) for file in self.files], "reason": self.reason}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("on", "off", "status"), help=_("takes effect the next time IPython starts"))
    parser.add_argument("--profile", metavar="NAME", default="default", help=_("IPython profile (default: default)"))
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Autoload:
    """Turn automatic loading on or off for an IPython profile; return the status for the next start of IPython."""
    startup = _profile(args.profile) / "startup"
    try:
        if args.action == "on":
            _turn_on(startup)
        elif args.action == "off":
            _turn_off(startup)
    except OSError as error:
        text = _("could not write to the IPython profile: {reason}", reason=error.strerror or error)
        raise SettingsError(text, where=str(startup)) from None
    variables = context.environment.variables if context.environment else os.environ
    status = _status(startup, switched_off=variables.get(VARIABLE) == "0")
    context.reporter.show(status)
    return status


def _turn_on(startup: Path) -> None:
    (startup / OFF).unlink(missing_ok=True)
    if not any(_installed_files()):
        startup.mkdir(parents=True, exist_ok=True)
        from aip_magics.targets.state import write_private

        # Atomically: IPython would run half a file at its next start.
        write_private(startup / FILE, _find_shipped_file().read_text("utf-8"))


def _turn_off(startup: Path) -> None:
    (startup / FILE).unlink(missing_ok=True)
    if any(_installed_files()):  # the file belongs to the installation: disable it instead of deleting it
        startup.mkdir(parents=True, exist_ok=True)
        (startup / OFF).touch()


def _status(startup: Path, *, switched_off: bool) -> Autoload:
    files = tuple(file for file in (*_installed_files(), startup / FILE) if file.is_file())
    if switched_off:
        return Autoload(False, files, _("the environment variable {name} is 0", name=VARIABLE))
    if (startup / OFF).exists():
        return Autoload(False, files, _("turned off by {file}", file=startup / OFF))
    if not files:
        return Autoload(False, files, _("IPython finds no start-up file of this package"))
    return Autoload(True, files, _("IPython reads the start-up file when it starts"))


def _profile(name: str) -> Path:
    if Path(name).name != name or name in ("", ".", ".."):
        fix = _("use a name such as {example}", example="default")
        raise OptionError(_("invalid profile name {name!r}", name=name), where="--profile", fix=fix)
    from IPython.paths import get_ipython_dir

    return Path(get_ipython_dir()) / f"profile_{name}"


def _installed_files() -> Iterator[Path]:
    """Yield the start-up files of this package that IPython reads for all profiles: environment and system."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    for directory in (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS):
        if (file := Path(directory, "startup", FILE)).is_file():
            yield file


def _find_shipped_file() -> Path:
    """Find the file in a checkout, or where `pip --target`, `pip --user` or the environment installed it."""
    root = Path(__file__).parents[2]
    user = sysconfig.get_path("data", sysconfig.get_preferred_scheme("user"))
    candidates = [
        root / "jupyter-config" / "ipython" / "startup" / FILE,
        *(Path(data) / _STARTUP for data in (root, user, sysconfig.get_path("data"))),
    ]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    fix = _("run %load_ext aip_magics in the notebook, or reinstall the package")
    raise SettingsError(_("the start-up file of this package is missing"), where=FILE, fix=fix)


COMMAND = Command("autoload", add_options, run, example="aip-magics autoload on")
