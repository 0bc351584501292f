"""A command: one verb with its options, its body and what it does. Magics and the command line are its two faces."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aip_magics.commands.verbs import VERBS
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from pathlib import Path

    from aip_magics import settings
    from aip_magics.commands.common.history_log import HistoryLog
    from aip_magics.events import Event
    from aip_magics.spec import Operation
    from aip_magics.targets import Target


class Reporter(Protocol):
    """Where a command shows what happens: a terminal, a notebook, nothing."""

    def emit(self, event: Event) -> None:
        """An event of a run."""

    def show(self, value: Any) -> None:
        """A result: a Version, a list of Models, predictions, a plan …"""


@dataclasses.dataclass(frozen=True)
class PendingOperation:
    """An operation that nobody waits for. `poll` asks how it stands (from any thread), best every `pause` seconds.

    `ended` is to be told of the operation when it is done.
    """

    operation: Operation
    poll: Callable[[], Operation]
    pause: float
    ended: Callable[[Operation], None]


@dataclasses.dataclass(frozen=True)
class Context:
    """What a command runs with. `names` are the variables of the notebook, `session` its configuration.

    `last_run` are the settings that the notebook's last run was given as arguments. `follow` shows how a pending
    operation goes on, and returns at once; `configure` changes the configuration of the session (None: no longer set).
    Where there is no notebook there is neither; without `journal` nothing is written down.
    """

    face: Reporter
    names: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    session: Mapping[str, str] = dataclasses.field(default_factory=dict)
    environment: settings.Environment | None = None
    last_run: Mapping[str, str] = dataclasses.field(default_factory=dict)
    journal: HistoryLog | None = None
    follow: Callable[[PendingOperation], None] | None = None
    configure: Callable[[Mapping[str, str | None]], None] | None = None

    def settings(self, args: argparse.Namespace) -> settings.Settings:
        """The settings for these arguments. `--regions` means the global endpoint, as gcloud has it."""
        from aip_magics import settings

        return settings.resolve(
            target=args.target,
            project=args.project,
            region="global" if getattr(args, "regions", None) else args.region,
            endpoint=args.endpoint,
            storage_endpoint=args.storage_endpoint,
            session=self.session,
            last_run=self.last_run,
            environment=self.environment,
        )

    def data_dir(self) -> Path:
        """Where the embedded server and the caches of this user keep what they hold."""
        from aip_magics import settings

        return settings.data_dir(self.environment.variables if self.environment else os.environ)

    def target(self, args: argparse.Namespace) -> Target:
        from aip_magics.targets import choose

        return choose(self.settings(args))


@dataclasses.dataclass(frozen=True)
class Command:
    """What a verb does: its options, and `run(args, body, context)`, which does the work and returns the value.

    `name` is a key of VERBS: `local-predict` is `%aip_local_predict` and `aip-magics local-predict`. What `changes`
    something goes into the journal. `failed` tells of the value whether the command line's exit code is 1.
    """

    name: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, str | None, Context], Any]
    example: str = ""
    changes: bool = False
    failed: Callable[[Any], bool] = lambda _value: False

    @property
    def help(self) -> str:
        return _(VERBS[self.name].help)
