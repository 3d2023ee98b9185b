"""`twotower serve`: recommendations over HTTP from a model folder."""

import ipaddress
import logging.config
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from twotower.cli.app import NO_VERIFY, app, examples, loading
from twotower.common.errors import ConfigError
from twotower.common.paths import ARTIFACTS
from twotower.common.progress import step

if TYPE_CHECKING:
    from twotower.serving.options import ServeOptions

MEMORY = "/dev/shm"  # noqa: S108 - where Linux keeps files in memory
SHUTDOWN = 30
"""Seconds that requests have to end once the service is asked to."""
HANGS = 60
"""Seconds after which a process that gives no sign of life is replaced; on a busy machine, one
takes more than uvicorn's 5 to begin."""


@app.command(
    epilog=examples(
        "twotower serve",
        "twotower serve --artifacts served --port 8080 --workers 4",
        "curl localhost:8000/recommend -H 'content-type: application/json' "
        '-d \'{"user_ids": [42], "k": 3}\'',
    ),
)
def serve(
    *,
    artifacts: Annotated[Path, typer.Option(help="Model folder.")] = ARTIFACTS,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    poll: Annotated[
        float,
        typer.Option(
            min=0,
            max=3600,
            help="How often to check the folder for a new model, in seconds; 0: never.",
        ),
    ] = 2.0,
    max_k: Annotated[int, typer.Option(min=1, help="Largest k of a request.")] = 1000,
    max_batch: Annotated[
        int, typer.Option(min=1, help="Most users, histories or items per request.")
    ] = 1000,
    max_seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Longest time to rank the items of a request.")
    ] = 30.0,
    mmap: Annotated[
        bool,
        typer.Option(
            "--mmap",
            help="Memory-map the model's files, so that processes share them, instead of reading "
            "them. Then replace the folder to deploy a model; never write into its files.",
        ),
    ] = False,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Search the index that refit.index made.")
    ] = False,
    no_verify: Annotated[bool, NO_VERIFY] = False,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log a line for each request.")
    ] = False,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="Of the log; json: an object on each line.")
    ] = "text",
    exposures: Annotated[
        Path | None,
        typer.Option(help="Folder for what is recommended to whom, as JSON lines; default: none."),
    ] = None,
) -> None:
    """Serve recommendations over HTTP until interrupted.

    When another model is put into the folder, requests go to that one, without a restart.
    /docs describes the requests, and /metrics counts them for Prometheus. With a key in
    TWOTOWER_API_KEY, or several between commas, every request needs one, but for /health. There is
    no TLS: put a proxy in front.
    """
    with _counted_together(workers):
        try:
            with loading():
                import uvicorn

                from twotower.serving.connection import Connection
                from twotower.serving.guard import keys_of
                from twotower.serving.http_app import from_environment
                from twotower.serving.options import OPTIONS, ServeOptions
        except ModuleNotFoundError as error:
            msg = f'the service needs {error.name}: pip install "twotower[serve]"'
            raise ConfigError(msg) from None
        options = ServeOptions(
            artifacts=artifacts.absolute(),
            approximate=approximate,
            mmap=mmap,
            poll=poll,
            max_k=max_k,
            max_batch=max_batch,
            verify=not no_verify,
            max_seconds=max_seconds,
            exposures=exposures and exposures.absolute(),
        )
        log = _log_settings(log_format, requests=access_log)
        if not keys_of(os.environ) and not _is_loopback(host):
            _note(f"whoever reaches {host} may ask; to require a key, set TWOTOWER_API_KEY", log)
        os.environ[OPTIONS] = options.model_dump_json()
        alone = workers == 1
        with step("reading the model"):
            _check(options, verify=not (alone or no_verify))
            service = from_environment() if alone else None
        uvicorn.run(
            service or "twotower.serving.http_app:from_environment",
            factory=not alone,
            http=Connection,
            host=host,
            port=port,
            workers=workers,
            access_log=access_log and not log,
            log_config=log or uvicorn.config.LOGGING_CONFIG,
            ws="none",
            server_header=False,
            headers=[("x-content-type-options", "nosniff")],
            timeout_graceful_shutdown=SHUTDOWN,
            timeout_worker_healthcheck=HANGS,
        )


@contextmanager
def _counted_together(workers: int) -> Iterator[None]:
    """Give several processes a folder where each leaves what it counts, for /metrics.

    It is in memory where there is such a place, so that a full disk does not concern it. What
    prometheus_client reads of the environment, it reads when it is imported.
    """
    os.environ.setdefault("PROMETHEUS_DISABLE_CREATED_SERIES", "true")
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if workers == 1:
        yield
        return
    in_memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="twotower-metrics-", dir=in_memory) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _log_settings(log_format: str, *, requests: bool) -> dict[str, Any] | None:
    """For the logs of all processes; None: uvicorn's own."""
    if log_format == "text":
        return None
    from twotower.serving.json_log import json_log

    return json_log(requests=requests)


def _note(text: str, log: dict[str, Any] | None) -> None:
    if log is None:
        typer.echo(f"note: {text}", err=True)
        return
    logging.config.dictConfig(log)
    logging.getLogger("uvicorn.error").warning(text)


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(options: "ServeOptions", *, verify: bool) -> None:
    """Refuse what cannot be served in one line; workers would print tracebacks, and start again."""
    from twotower.artifacts import load_artifacts
    from twotower.serving.exposures import check_folder

    artifacts = load_artifacts(options.artifacts, verify=verify)
    if verify:
        artifacts.check_rest()
    if options.approximate:
        artifacts.index()
    if options.exposures:
        check_folder(options.exposures)
