"""`predict` and `local-predict`: the same instances, online and on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from aip_magics.commands import options
from aip_magics.commands.base import Command, Context
from aip_magics.commands.instances import add_instances, request


def add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, metavar="NAME")
    parser.add_argument("--version", metavar="VERSION", help="left out: the model's default version")
    add_instances(parser)
    options.add_target(parser)
    options.add_output(parser)


def predict(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any]:
    """Online prediction; returns `{"predictions": […]}`, one prediction per instance."""
    asked = request(args, body, context)
    target = context.target(args)
    target.connect()
    answer = target.client.predict(args.model, asked, args.version)
    context.face.show(answer)
    return answer


def add_local_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", required=True, metavar="DIR", help="directory of the model, or its file")
    parser.add_argument("--framework", type=options.framework, choices=options.FRAMEWORKS)
    add_instances(parser)
    options.add_output(parser)


def local_predict(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any]:
    """Prediction in a process of this machine, with this Python; returns `{"predictions": […]}`."""
    from aip_magics.prediction.local import local_predict as predict_here

    asked = request(args, body, context)
    answer = predict_here(Path(args.model_dir).expanduser(), body=asked, framework=args.framework)
    context.face.show(answer)
    return answer


PREDICT = Command(
    name="predict",
    add_options=add_predict,
    run=predict,
    example="%%aip_predict --model iris\n- [5.1, 3.5, 1.4, 0.2]",
)
LOCAL_PREDICT = Command(
    name="local-predict",
    add_options=add_local_predict,
    run=local_predict,
    example="%%aip_local_predict --model-dir ./export\n- [5.1, 3.5, 1.4, 0.2]",
)
