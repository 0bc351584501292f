"""What every verb has: help for each option, an example, and the options that all share; who lacks one has a reason."""

from __future__ import annotations

import argparse

import pytest

from aip_magics.commands.common.command import Command
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.notebook.magics import magic_parser

LONGEST_HELP = 100  # characters: one short sentence

# The verbs without `--dry-run`, and why they need none.
NO_DRY_RUN = {
    "check": "changes nothing",
    "local-predict": "changes nothing",
    "history": "changes nothing: it only shows",
    "compare": "changes nothing",
    "logs": "changes nothing",
    "package": "makes one file of its own, which nothing else uses before it is named",
    "config": "changes this notebook's defaults; what is not taken is refused before it is kept",
    "server": "starts and stops a process of this machine",
    "autoload": "`status` tells what holds; on and off undo each other",
    "trust": "changes what is remembered on this machine; --forget undoes it",
}
# The verbs without `--show gcloud|curl|python`, and why there is nothing to show.
NO_SHOW = {
    "history": "sends nothing",
    "config": "sends nothing",
    "server": "sends nothing; `env` has the lines that lead other clients to it",
    "autoload": "sends nothing",
    "trust": "sends nothing",
    "logs": "asks the embedded server for what no other client of the API knows",
    "compare": "no other client compares answers; `predict --show` has the request",
}
# The verbs that something is different after, in the journal or not.
CHANGES = {
    "deploy", "delete", "create-model", "create-version", "set-default", "update", "cancel", "upload", "remove",
    "traffic", "promote", "rollback", "undeploy",
}  # fmt: skip


def options(command: Command) -> list[argparse.Action]:
    return build_parser(command, "verb")._actions


@pytest.mark.parametrize("verb", VERBS)
def test_options_are_all_described_in_a_short_sentence(verb: str) -> None:
    for action in options(get_command(verb)):
        name = "/".join(action.option_strings) or str(action.dest)
        assert action.help, f"{verb} {name} has no help"
        assert len(action.help) <= LONGEST_HELP, f"{verb} {name}: {action.help}"
        assert "\n" not in action.help


@pytest.mark.parametrize("verb", VERBS)
def test_registry_examples_of_every_verb_can_be_typed(verb: str) -> None:
    command = get_command(verb)
    line, _, body = command.example.partition("\n")
    typed = line.split()
    assert typed[0].lstrip("%") == magic_name(verb) or typed[:2] == ["aip-magics", verb]
    assert typed[0].startswith("%%") == bool(body)
    build_parser(command, verb).parse([word for word in typed if word not in (typed[0], "aip-magics", verb)])


@pytest.mark.parametrize("verb", VERBS)
def test_registry_gives_every_verb_the_shared_options(verb: str) -> None:
    command = get_command(verb)
    flags = {flag for action in magic_parser(command)._actions for flag in action.option_strings}
    assert {"--help", "-h", "--quiet", "-q", "--debug", "-o"} <= flags
    assert ("--dry-run" in flags) == (verb not in NO_DRY_RUN)
    assert ("--show" in flags) == (verb not in NO_SHOW)
    assert command.changes == (verb in CHANGES)
    if command.changes:
        assert {"--dry-run", "--show"} <= flags
