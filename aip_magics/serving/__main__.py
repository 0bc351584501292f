"""Serve a model as Vertex AI and KServe expect it of a container, until SIGTERM.

Reads these variables:
  AIP_HTTP_PORT, AIP_HEALTH_ROUTE, AIP_PREDICT_ROUTE, AIP_STORAGE_URI: set by the platform
  MODEL_NAME            the only model name in paths of KServe's protocol
  MODEL_WORKERS         number of worker processes (default: one per processor, as far as memory permits)
  MODEL_PREDICT_SECONDS longest prediction, from 1 to 3600 (default: 600). A worker that takes longer is replaced.
                        Use the timeout of the endpoint (inferenceTimeout of Vertex AI, timeout of KServe).
  MODEL_COALESCE        1: batch queued requests for scikit-learn and XGBoost models, 0: do not. By default they are
                        batched for trees, scalers and boosters, where no answer changes, and never for custom code.
                        A step that looks at whole columns, such as FunctionTransformer(scale), would see the rows of
                        other requests, and the last bit of what a linear model computes may differ.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from aip_magics.errors import AipError

EXIT_FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        from aip_magics.serving.contract import Contract
        from aip_magics.serving.manifest import Manifest
        from aip_magics.serving.run import run

        contract = Contract.from_environ(os.environ)
        manifest = Manifest.read(options.container.absolute())
        run(contract, manifest, options.address, dict(os.environ))
    except AipError as error:
        sys.stderr.write("\n".join(error.format_lines()) + "\n")
        return EXIT_FAILED
    except OSError as error:  # a full disk, a directory without permission
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aip_magics.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--address", default="127.0.0.1", help="address to listen on (default: 127.0.0.1; a container needs 0.0.0.0)"
    )
    parser.add_argument(
        "--container",
        type=Path,
        default=Path("container.json"),
        metavar="FILE",
        help="description of the container (default: container.json, if it exists)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
