"""Command and Context: one verb with its options and its work, and what it runs with.

The magics and the command line both run commands, through `execution.execute`.
"""

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
    """Shows the events and results of a command: in a terminal, in a notebook, or not at all."""

    def emit(self, event: Event) -> None:
        """Show an event of a run."""

    def show(self, value: Any) -> None:
        """Show a result: a Version, a list of Models, predictions, a plan …"""


@dataclasses.dataclass(frozen=True)
class PendingOperation:
    """A running operation that the command does not wait for.

    Attributes:
        operation: The operation as it was started.
        poll: Fetches the operation again; may be called from any thread.
        pause: The recommended number of seconds between two polls.
        ended: To be called with the finished operation.
    """

    operation: Operation
    poll: Callable[[], Operation]
    pause: float
    ended: Callable[[Operation], None]


@dataclasses.dataclass(frozen=True)
class Context:
    """What a command runs with. The callbacks are None outside of a notebook.

    Attributes:
        reporter: Shows events and results.
        names: The variables of the notebook.
        session: The configuration of the notebook, setting → value.
        environment: Environment variables and gcloud's configuration; None for those of this process.
        last_run: The settings that the last run of the notebook was given as options.
        history: The history that changes are recorded in; None to record nothing.
        watch_operation: Shows the progress of a pending operation in the background.
        set_config: Changes the configuration of the notebook; None removes a setting.
        open_form: Shows the form of a `commands.form.FormRequest` and returns it at once.
    """

    reporter: Reporter
    names: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    session: Mapping[str, str] = dataclasses.field(default_factory=dict)
    environment: settings.Environment | None = None
    last_run: Mapping[str, str] = dataclasses.field(default_factory=dict)
    history: HistoryLog | None = None
    watch_operation: Callable[[PendingOperation], None] | None = None
    set_config: Callable[[Mapping[str, str | None]], None] | None = None
    open_form: Callable[[Any], Any] | None = None

    def settings(self, args: argparse.Namespace) -> settings.Settings:
        """Resolve the settings for these arguments. As in gcloud, `--regions` means the global endpoint.

        Raises:
            SettingsError: A setting is missing or malformed.
            OptionError: The region is none of the target's.
        """
        from aip_magics import settings

        models_regions = getattr(args, "regions", None)
        found = settings.resolve(
            target=args.target,
            project=args.project,
            region="global" if models_regions else args.region,
            endpoint=args.endpoint,
            storage_endpoint=args.storage_endpoint,
            session=self.session,
            last_run=self.last_run,
            environment=self.environment,
        )
        if found.region or args.region or models_regions:
            from aip_magics.targets import check_region

            region = found.region.value if found.region else "global"
            if models_regions:
                where = "--regions"
            elif args.region or found.region is None:
                where = "--region"
            else:
                where = _("region, from {source}", source=found.region.label)
            check_region(found.target.value, region, where)
        return found

    def data_dir(self) -> Path:
        """The data directory of this user: the embedded server's state, caches and history."""
        from aip_magics import settings

        return settings.data_dir(self.environment.variables if self.environment else os.environ)

    def target(self, args: argparse.Namespace) -> Target:
        """Choose the target for these arguments; it is not connected yet."""
        from aip_magics.targets import choose

        return choose(self.settings(args))


@dataclasses.dataclass(frozen=True)
class Command:
    """One verb: its options and its work.

    Attributes:
        name: A key of VERBS: `local-predict` is `%aip_local_predict` and `aip-magics local-predict`.
        add_options: Adds the options to a parser.
        run: Does the work, with the arguments, the body of the cell and the context, and returns the value.
        example: A line or a cell for the help.
        changes: Whether runs are recorded in the history.
        is_change: Whether a run with these arguments is recorded, for a verb that changes something or only shows it.
        failed: Whether the command line exits with 1 for this value.
    """

    name: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, str | None, Context], Any]
    example: str = ""
    changes: bool = False
    is_change: Callable[[argparse.Namespace], bool] = lambda _args: True
    failed: Callable[[Any], bool] = lambda _value: False

    @property
    def help(self) -> str:
        """The translated help sentence of the verb."""
        return _(VERBS[self.name].help)
