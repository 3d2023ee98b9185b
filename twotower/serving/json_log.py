"""The log of the service as JSON: one object per line, whatever is in it."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from twotower.common.secrets import mask_credentials

PATH = f"{__name__}.JsonFormatter"


def utc(seconds: float) -> str:
    """Seconds since 1970 as 2026-11-28T16:30:00.123456Z."""
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat(timespec='microseconds')[:-6]}Z"


class JsonFormatter(logging.Formatter):
    """Records as JSON of ASCII letters, so that neither lines nor terminals can be meddled with.

    Keys are time, level and message; those of a record's `request`, if it has one; and
    `exception`, the traceback of a bug.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        line: dict[str, Any] = {
            "time": utc(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        request = getattr(record, "request", None)
        if request is None:  # of a request nothing is logged that could hold a secret
            line["message"] = mask_credentials(line["message"])
        else:
            line |= request
        if record.exc_info:
            line["exception"] = mask_credentials(self.formatException(record.exc_info))
        return json.dumps(line)


def json_log(*, requests: bool) -> dict[str, Any]:
    """Settings for `logging.config.dictConfig`.

    Args:
        requests: whether each request has a line, on stdout; the others go to stderr.
    """
    streams = {"stderr": "ext://sys.stderr", "stdout": "ext://sys.stdout"}
    handler = {"class": "logging.StreamHandler", "formatter": "json"}
    of_requests = {"handlers": ["stdout"], "level": "INFO" if requests else "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": PATH}},
        "handlers": {name: handler | {"stream": stream} for name, stream in streams.items()},
        "loggers": {
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "twotower.access": of_requests | {"propagate": False},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
    }
