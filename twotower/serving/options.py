"""What a service serves, and its limits."""

from pathlib import Path

from pydantic import BaseModel

from twotower.common.errors import RequestError

OPTIONS = "TWOTOWER_SERVE"
"""Environment variable with `ServeOptions` as JSON, for worker processes."""


class ServeOptions(BaseModel):
    """What a service serves, and its limits."""

    artifacts: Path
    approximate: bool = False
    mmap: bool = False
    verify: bool = True
    """Whether the model's files are compared with their hashes."""
    poll: float = 2.0
    """How often to check the folder for a new model, in seconds; 0: never."""
    max_k: int = 1000
    max_batch: int = 1000
    """Most users, histories or items per request."""
    max_body: int = 2**23
    """Largest body of a request, in bytes."""
    max_seconds: float = 30.0
    """What is not answered by then is given up, as far as it is ranked row by row."""
    exposures: Path | None = None
    """Folder of the log of what was recommended to whom; None: there is none."""

    def check(self, k: int, batch: int) -> None:
        """Refuse requests above the limits; each service sets its own, so the schema has none.

        Raises:
            RequestError: naming the limit.
        """
        for name, value, limit in (("k", k, self.max_k), ("rows", batch, self.max_batch)):
            if value > limit:
                msg = f"{name}: must be at most {limit} per request, got {value}"
                raise RequestError(msg)
