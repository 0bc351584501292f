"""`autoload`: the magics in every notebook without `%load_ext`, by a start-up file that IPython reads.

The wheel brings the file to `etc/ipython/startup` of its environment, where IPython finds it. With `pip --user`,
`pip --target` or a plain checkout it lies elsewhere: `on` puts a copy into the user's profile.
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
OFF = "50-aip-magics.off"  # beside it in the profile, and the start-up file does nothing
VARIABLE = "AIP_MAGICS_AUTOLOAD"
_STARTUP = Path("etc", "ipython", "startup", FILE)


@dataclasses.dataclass(frozen=True)
class Autoload:
    """Whether IPython makes the magics known as it starts; `files` are the start-up files it reads for that."""

    on: bool
    files: tuple[Path, ...]
    reason: str

    def to_json(self) -> dict[str, object]:
        return {"on": self.on, "files": [str(file) for file in self.files], "reason": self.reason}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("on", "off", "status"), help=_("it counts from the next start of IPython"))
    parser.add_argument("--profile", metavar="NAME", default="default", help=_("the profile of IPython (default)"))
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Autoload:
    """Turn it on or off for a profile of IPython, or only look; returns what holds for the next start."""
    startup = _profile(args.profile) / "startup"
    try:
        if args.action == "on":
            _turn_on(startup)
        elif args.action == "off":
            _turn_off(startup)
    except OSError as error:
        text = _("the profile of IPython cannot be written: {reason}", reason=error.strerror or error)
        raise SettingsError(text, where=str(startup)) from None
    variables = context.environment.variables if context.environment else os.environ
    found = _status(startup, switched_off=variables.get(VARIABLE) == "0")
    context.face.show(found)
    return found


def _turn_on(startup: Path) -> None:
    (startup / OFF).unlink(missing_ok=True)
    if not any(_of_environment()):
        startup.mkdir(parents=True, exist_ok=True)
        (startup / FILE).write_bytes(_shipped().read_bytes())


def _turn_off(startup: Path) -> None:
    (startup / FILE).unlink(missing_ok=True)
    if any(_of_environment()):  # it belongs to the package: left where it is, and told to do nothing
        startup.mkdir(parents=True, exist_ok=True)
        (startup / OFF).touch()


def _status(startup: Path, *, switched_off: bool) -> Autoload:
    files = tuple(file for file in (*_of_environment(), startup / FILE) if file.is_file())
    if switched_off:
        return Autoload(False, files, _("the environment variable {name} is 0", name=VARIABLE))
    if (startup / OFF).exists():
        return Autoload(False, files, _("{file} turns it off", file=startup / OFF))
    if not files:
        return Autoload(False, files, _("IPython reads no start-up file of this package"))
    return Autoload(True, files, _("IPython reads it as it starts"))


def _profile(name: str) -> Path:
    if Path(name).name != name or name in ("", ".", ".."):
        fix = _("a name such as {example}", example="default")
        raise OptionError(_("{name!r} is not the name of a profile", name=name), where="--profile", fix=fix)
    from IPython.paths import get_ipython_dir

    return Path(get_ipython_dir()) / f"profile_{name}"


def _of_environment() -> Iterator[Path]:
    """The start-up files that IPython reads for all profiles: of its environment, and of the machine."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    for directory in (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS):
        if (file := Path(directory, "startup", FILE)).is_file():
            yield file


def _shipped() -> Path:
    """Where the installation left the file: a checkout, `pip --target`, `pip --user`, the data of the environment."""
    root = Path(__file__).parents[2]
    user = sysconfig.get_path("data", sysconfig.get_preferred_scheme("user"))
    places = [
        root / "jupyter-config" / "ipython" / "startup" / FILE,
        *(Path(data) / _STARTUP for data in (root, user, sysconfig.get_path("data"))),
    ]
    for place in places:
        if place.is_file():
            return place
    fix = _("write %load_ext aip_magics in the notebook, or install the package again")
    raise SettingsError(_("the start-up file of this package is missing"), where=FILE, fix=fix)


COMMAND = Command("autoload", add_options, run, example="aip-magics autoload on")
