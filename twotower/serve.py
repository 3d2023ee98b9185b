"""An HTTP service that recommends from a model folder, and follows it when it is replaced.

python -m twotower.serve --artifacts .artifacts_best --port 8000
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from twotower.artifacts import ARTIFACTS, load_artifacts, verify_artifacts
from twotower.common.console import one_line_errors
from twotower.common.errors import ConfigError


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m twotower.serve", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="folder of the model")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=_port, default=8000, help="0: any that is free")
    parser.add_argument("--workers", type=_positive, default=1, help="processes")
    parser.add_argument("--poll", type=_seconds, default=2.0,
                        help="seconds between looks for another model; 0: never")  # fmt: skip
    parser.add_argument("--max-k", type=_positive, default=1000, help="items a row")
    parser.add_argument("--max-batch", type=_positive, default=1000, help="rows a request")
    parser.add_argument("--mmap", action="store_true",
                        help="map the files of the model, which processes then share, instead of "
                        "reading them; they may be replaced, but never written to")  # fmt: skip
    parser.add_argument("--approximate", action="store_true", help="search the index of refit")
    parser.add_argument("--access-log", action="store_true", help="a line for each request")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    asked = parse(arguments)
    try:
        import uvicorn

        from twotower.serving.app import OPTIONS, ServeOptions
    except ModuleNotFoundError as error:
        msg = f'the service needs {error.name}: pip install "twotower[serve]"'
        raise ConfigError(msg) from None
    # Here, so that an error is one line: workers would end with tracebacks, and be started again.
    artifacts = load_artifacts(asked.artifacts)
    verify_artifacts(asked.artifacts)
    if asked.approximate:
        artifacts.index()
    options = ServeOptions(
        artifacts=asked.artifacts.absolute(),
        approximate=asked.approximate,
        mmap=asked.mmap,
        poll=asked.poll,
        max_k=asked.max_k,
        max_batch=asked.max_batch,
    )
    os.environ[OPTIONS] = options.model_dump_json()
    uvicorn.run(
        "twotower.serving.app:from_environment",
        factory=True,
        host=asked.host,
        port=asked.port,
        workers=asked.workers,
        access_log=asked.access_log,
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        msg = f"must be at least 1, got {text}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**16:
        msg = f"must be from 0 to 65535, got {text}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        msg = f"must be from 0 to 3600 seconds, got {text}"
        raise argparse.ArgumentTypeError(msg)
    return value


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
