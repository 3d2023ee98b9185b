"""Credentials, which come from the environment and go into no file and no message."""

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from twotower.common.bounded import one_line
from twotower.common.errors import ConfigError
from twotower.common.secrets import LEAST, MASK, mask_credentials
from twotower.config.fetched import VARIABLE


@dataclass(frozen=True)
class Address:
    """A URL whose variables are filled in.

    Attributes:
        url: in full.
        secrets: what no message may show: values of variables, and passwords.
    """

    url: str
    secrets: tuple[str, ...] = ()

    def explain(self, error: BaseException | str) -> str:
        """What an error says, in a line without secrets."""
        said = str(error) or type(error).__name__
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= LEAST:  # also where a URL has letters before or behind a variable
                said = re.sub(re.escape(secret), MASK, said, flags=re.IGNORECASE)
        return one_line(mask_credentials(said))


def fill_in(text: str, key: str) -> Address:
    """Put environment variables in the place of ${NAME}.

    Args:
        text: a URL. A variable that is all of it holds a URL; others are escaped as URLs need it.
        key: of params.yaml, for the message.

    Raises:
        ConfigError: if there is no such variable.
    """
    values = {}
    for name in VARIABLE.findall(text):
        value = os.environ.get(name, "").strip()
        if not value:
            msg = f"{key}: the environment variable {name} is not set"
            raise ConfigError(msg)
        values[name] = value
    if VARIABLE.fullmatch(text):
        url = next(iter(values.values()))
    else:
        url = VARIABLE.sub(lambda found: quote(values[found[1]], safe=""), text)
    return Address(url, tuple({*values.values(), *map(_quoted, values.values()), *_password(url)}))


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _password(url: str) -> set[str]:
    """The password of a URL, as it is written there and as it is."""
    try:
        password = urlsplit(url).password
    except ValueError:  # whoever opens the URL says what is wrong with it
        return set()
    return {password, unquote(password)} if password else set()
