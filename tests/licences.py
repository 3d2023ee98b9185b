"""Licences of the pinned packages, as the packages themselves state them.

Run as a module, this file renews docs/licences.md from the packages that are installed; those that
are not, because they are of another system or an extra, keep their rows.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "licences.md"
USUAL = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "BSD-2-Clause": "BSD",
    "BSD-3-Clause": "BSD",
    "3-Clause BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "DFSG approved; MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "BSD License; Apache Software License": "Apache-2.0 OR BSD",
    "Zope Public License": "ZPL-2.1",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0",
}
"""What older packages write, in the words of newer ones."""


def pinned() -> list[str]:
    """The packages of constraints.txt, some of which have several versions, by Python."""
    text = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE)))


def licence(package: str) -> str | None:
    """What an installed package says of itself; None if it is not here, or says nothing."""
    try:
        stated = metadata(package)
    except PackageNotFoundError:
        return None
    expression, text = (
        "".join(stated.get_all(key) or []) for key in ("License-Expression", "License")
    )
    classes = stated.get_all("Classifier") or []
    names = [name.rpartition(" :: ")[2] for name in classes if name.startswith("License :: ")]
    text = expression or "; ".join(name for name in names if name != "OSI Approved") or text
    first = text.strip().partition("\n")[0]
    return USUAL.get(first, first) or None


def listed() -> dict[str, str]:
    """The licence of each package, as the page has it."""
    rows = re.findall(r"^\| ([^|]+) \| (`.+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: kind for kind, names in rows for name in re.findall("`(.+?)`", names)}


def lines(licences: Mapping[str, str]) -> Iterator[str]:
    """The rows of the table, the licence of most packages first."""
    groups = defaultdict(list)
    for name, kind in licences.items():
        groups[kind].append(f"`{name}`")
    for kind, names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        yield f"| {kind} | {', '.join(sorted(names))} |"


def renew() -> None:
    """Write the table anew."""
    kept = listed()
    known = {name: licence(name) or kept.get(name, "not stated") for name in pinned()}
    head, line, rest = PAGE.read_text(encoding="utf-8").partition("|---|---|\n")
    after = re.sub(r"\A(\|.*\n)*", "", rest)
    PAGE.write_text(head + line + "\n".join(lines(known)) + "\n" + after, encoding="utf-8")


if __name__ == "__main__":
    renew()
