"""Files of URLs, copied as they are: buckets and web servers, through fsspec."""

import errno
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from twotower.common.errors import ConfigError, DataError
from twotower.config.raw_files import FORMATS
from twotower.fetch.credentials import Address, fill_in

EXTRAS = {"s3": "twotower[s3]", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""What pip installs for a scheme, where it is more than what is there."""
WEB = ("http", "https")
SECONDS = 60
"""Of silence, after which a web server is given up."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def copy_url(url: str, folder: Path, role: str) -> tuple[str, list[str]]:
    """Copy the file of a URL, or the files of a pattern or of a URL that ends in a slash.

    Args:
        url: as params.yaml has it.
        folder: where the copy goes.
        role: what it is called there, with the extension that it has; a folder for several files.

    Returns:
        The name of the file or folder, and the paths of all files, inside the folder.

    Raises:
        ConfigError: if a variable, or the package for the scheme, is missing.
        DataError: if there is no such file, or it cannot be read.
    """
    key = f"data.{role}.file"
    address = fill_in(url, key)
    system = _system(address, key)
    with _errors(url, address, key):
        if (below := _several(address)) is None:
            name = role + extension(address.url)
            system.get_file(address.url, str(folder / name))
            return name, [name]
        start = system._strip_protocol(below)
        found = system.find(start) if below == address.url else system.glob(address.url)
    names = []
    for path in sorted(found):
        inside = _inside(path, start, key)
        if any(part.startswith(("_", ".")) for part in inside.parts):
            continue
        target = folder / role / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        with _errors(url, address, key):
            system.get_file(path, str(target))
        names.append(target.relative_to(folder).as_posix())
    if not names:
        msg = f"{key}: {url}: no files (names that begin with _ or . do not count)"
        raise DataError(msg)
    return role, names


def extension(url: str) -> str:
    """What follows the name of a file: its format, and .gz; "" if it tells no format."""
    name = PurePosixPath(urlsplit(url).path).name.lower()
    zipped = ".gz" if name.endswith(".gz") else ""
    suffix = PurePosixPath(name.removesuffix(".gz")).suffix
    known = {one for row in FORMATS.values() for one in row.extensions}
    return suffix + zipped if suffix in known else zipped


def _several(address: Address) -> str | None:
    """The URL of the folder that several files are below; None of a single file."""
    if urlsplit(address.url).scheme in WEB:
        return None
    before = address.url
    for mark in "*?[":
        before = before.partition(mark)[0]
    if before == address.url and not before.endswith("/"):
        return None
    return before[: before.rindex("/") + 1]


def _inside(path: str, start: str, key: str) -> PurePosixPath:
    """The place of a file below the folder of the copy."""
    inside = PurePosixPath(posixpath.relpath(f"/{path}", f"/{start}"))
    if ".." in path.split("/") or ".." in inside.parts:
        msg = f"{key}: the name of a file leads elsewhere: {path!r}"
        raise DataError(msg)
    return inside


def _system(address: Address, key: str) -> Any:
    import fsspec

    scheme = urlsplit(address.url).scheme
    options = _web_options(address) if scheme in WEB else {}
    try:
        return fsspec.filesystem(scheme, skip_instance_cache=True, **options)
    except ImportError:
        wanted = EXTRAS.get(scheme, f"the fsspec package for {scheme}://")
        msg = f'{key}: reading {scheme}:// needs a package: pip install "{wanted}"'
        raise ConfigError(msg) from None
    except ValueError:
        msg = f"{key}: nothing reads URLs that begin with {scheme}://"
        raise ConfigError(msg) from None


def _web_options(address: Address) -> dict[str, Any]:
    """Proxies and ~/.netrc count, as elsewhere; a file may take as long as it arrives."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=SECONDS, sock_read=SECONDS)
    client = {"trust_env": True, "timeout": timeout}
    return {"client_kwargs": client, "encoded": "%" in address.url}


@contextmanager
def _errors(url: str, address: Address, key: str) -> Iterator[None]:
    """One line for whatever a server and the libraries that ask it may raise."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        reason = "no such file" if isinstance(error, FileNotFoundError) else address.explain(error)
        msg = f"{key}: {url}: {reason}"
        raise DataError(msg) from None
