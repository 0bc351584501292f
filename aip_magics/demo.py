"""`aip-magics demo`: train, deploy and predict with a small real model, in the terminal.

The demo trains with scikit-learn in its own process, as a notebook would.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aip_magics import settings
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.parser import HelpAsked, Parser
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import AipError, SettingsError
from aip_magics.i18n import gettext as _
from aip_magics.render.terminal import TerminalReporter
from aip_magics.targets import local

ROWS = ("[5.1, 3.5, 1.4, 0.2]", "[6.7, 3.0, 5.2, 2.3]")
CELL = "test:\n  instances:\n" + "".join(f"  - {row}\n" for row in ROWS)


def main(words: Sequence[str]) -> int:
    """Train, deploy and predict.

    Returns:
        0 when the version is READY and online and local predictions are identical, else 1.
    """
    parser = Parser("aip-magics demo", _("Train a small real model, deploy it to the embedded server and predict."))
    parser.add_argument("--keep-server", action="store_true", help=_("keep the embedded server running"))
    try:
        args = parser.parse(words)
        directory = settings.data_dir(settings.Environment.read().variables)
        was_running = local.running(directory) is not None
        try:
            _demo()
        finally:
            if not was_running and not args.keep_server:
                local.stop(directory)
                stopped = _(
                    "The embedded server was stopped; the next command restarts it, and the version is still READY."
                )
                print(f"\n{stopped}")
    except HelpAsked as help_text:
        print(help_text)
    except AipError as error:
        print(*error.format_lines(), sep="\n", file=sys.stderr)
        return 1
    return 0


def _demo() -> None:
    with tempfile.TemporaryDirectory(prefix="aip-magics-demo-") as directory:
        export = Path(directory) / "iris"
        export.mkdir()
        print(_("Training a scikit-learn model on the iris data …"), flush=True)
        _train(export)
        print(f"\n%%aip_deploy --model iris --origin {export}\n{CELL}", flush=True)
        _command("deploy", ["--target", "local", "--model", "iris", "--origin", str(export)], CELL)
        print("\n%%aip_predict --model iris\n- " + ROWS[0], flush=True)
        _command("predict", ["--target", "local", "--model", "iris"], f"- {ROWS[0]}")


def _command(name: str, words: list[str], body: str) -> None:
    command = get_command(name)
    args = build_parser(command, name).parse(words)
    reporter = TerminalReporter(_print, _print, time.monotonic)
    command.run(args, body, Context(reporter))


def _train(directory: Path) -> None:
    try:
        import joblib
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise SettingsError(
            _("the demo needs scikit-learn, which is not installed: {error}", error=error),
            where="aip-magics demo",
            fix="pip install 'aip-magics[sklearn]'",
        ) from None
    features, species = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0)).fit(features, species)
    joblib.dump(model, directory / "model.joblib")


def _print(text: str) -> None:
    print(text, flush=True)
