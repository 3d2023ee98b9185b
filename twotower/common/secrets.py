"""Passwords and tokens, taken out of what is shown or written."""

import os
import re
from collections.abc import Iterable, Iterator

MASK = "***"
SECRET = re.compile(
    r"pass|secret|token|credential|signature|(?:api|access)[_-]?key|^sig$", re.IGNORECASE
)
"""In the name of an option of a URL whose value is not shown."""
VARIABLE = re.compile(r"(?:PASSWORD|PASSWD|SECRET|TOKEN|(?:API|ACCESS)_KEY)$")
"""End of the name of an environment variable whose value is not shown."""
USER = re.compile(
    r"(?<=://)(?!/|[^\s:@]{0,99}+:\*\*\*@)[^\s:/?#@]*+(?::[^\s@]{0,999}+)?+@(?:[^\s@/?#]*+@)*"
)
"""What stands before the host: a password may have a slash, and a careless one an @. Where there is
no host, as in sqlite:////home/me@work, there is no user either; one that is masked stays. Limits
keep a hostile text from taking minutes."""
CUT = re.compile(r"(?<=://)[^\s:/?#@]*+:(?!\d{1,5}[/…])[^\s@…]{0,999}+…")
"""A URI that was shortened, perhaps within its password."""
OPTION = re.compile(r"(?<=[?&])([^\s=?&#'\"]+)=[^\s&#'\"]*")
GIVEN = re.compile(
    r"((?:password|passwd|secret)(?:=|['\"]: ?)['\"]?)[^\s'\"&,;})*]+", re.IGNORECASE
)
"""A password by its name, as in a connection string or a mapping."""
LEAST = 4
"""Characters of a secret that is looked for in a text: shorter ones are in every text."""


def is_secret(name: str) -> bool:
    """Whether an option of that name may hold a secret: password, sslpassword, X-Amz-Signature."""
    return SECRET.search(name) is not None


def mask_credentials(text: str) -> str:
    """The text without its secrets.

    They are users and passwords of URIs, options such as password, and what the environment holds
    in variables such as PGPASSWORD, MLFLOW_TRACKING_TOKEN and AWS_SECRET_ACCESS_KEY.
    """
    text = CUT.sub(f"{MASK}…", USER.sub(f"{MASK}@", text))
    text = OPTION.sub(_masked, text)
    return without(GIVEN.sub(rf"\1{MASK}", text), _of_environment())


def without_credentials(uri: str | None) -> str | None:
    """The URI without user name and password; secret options are masked."""
    return uri and OPTION.sub(_masked, USER.sub("", uri))


def without(text: str, secrets: Iterable[str]) -> str:
    """The text without these words, the longest first; those too short to be told are left."""
    for secret in sorted((s for s in secrets if len(s) >= LEAST), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)
    return text


def _masked(option: re.Match[str]) -> str:
    return f"{option[1]}={MASK}" if is_secret(option[1]) else option[0]


def _of_environment() -> Iterator[str]:
    """Values, and parts of those that are lists, without the line feed that a file may end with."""
    for name, value in os.environ.items():
        if VARIABLE.search(name):
            yield from {value.strip(), *map(str.strip, value.split(","))}


def has_password(uri: str) -> bool:
    """Whether a URI has a password, before its host or as an option."""
    user = USER.search(uri)
    options = (option[1] for option in OPTION.finditer(uri))
    return (user is not None and ":" in user[0]) or any(map(is_secret, options))
