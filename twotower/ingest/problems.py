"""Everything that is wrong with the raw files, so that one run says all of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from twotower.common.errors import ConfigError, DataError

ADVICE = "fix the file or set data.on_invalid: drop"
"""For rows that break a rule."""
SHOWN = 40
"""Number of problems that are listed."""


class Problems:
    """Collects problems, which end what they make meaningless, and raises all of them at the end.

    Reading goes on after a problem, so a caller must not use what it got before `raise_any`.
    """

    def __init__(self, advice: str = ADVICE) -> None:
        """Begin without any.

        Args:
            advice: what to do about rows that break a rule.
        """
        self._advice = advice
        self._found: list[tuple[DataError | ConfigError, bool]] = []

    def __len__(self) -> int:
        """How many there are so far."""
        return len(self._found)

    def add(self, error: DataError | ConfigError) -> None:
        """Collect an error."""
        self._found.append((error, False))

    def add_rows(self, text: str) -> None:
        """Collect rows of a file that break a rule: all that there is to say but the advice."""
        self._found.append((DataError(text), True))

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect the error that ends what is done inside."""
        try:
            yield
        except (DataError, ConfigError) as error:
            self.add(error)

    def raise_any(self) -> None:
        """Raise the problem, or one error with a line for each.

        Raises:
            DataError: if there are any; of a single one that is not of a file, ConfigError.
        """
        different = {str(error): (error, of_rows) for error, of_rows in self._found}
        if len(different) == 1:
            [(error, of_rows)] = different.values()
            raise DataError(f"{error}; {self._advice}") if of_rows else error
        if different:
            raise DataError("\n".join(self._lines(list(different))))

    def _lines(self, texts: list[str]) -> Iterator[str]:
        yield f"{len(texts)} problems with the raw files:"
        yield from (f"- {text}" for text in texts[:SHOWN])
        if len(texts) > SHOWN:
            yield f"- and {len(texts) - SHOWN} more"
        if any(of_rows for _, of_rows in self._found):
            yield f"for invalid rows, {self._advice}"
