"""The map in CONTRIBUTING.md names every room, and no other."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY

GUIDE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP = GUIDE.partition("## Where things are\n")[2]
ROOMS, PLACES, ADDITIONS = re.findall(r"(?:^\|.*\n)+", MAP, re.MULTILINE)[:3]


def named(table: str) -> list[str]:
    """What is between backticks in the first column."""
    return [name for row in table.splitlines() for name in re.findall("`(.*?)`", row.split("|")[1])]


def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, text=True)
    return [name for name in listed.stdout.splitlines() if (REPOSITORY / name).exists()]


def rooms() -> Iterator[str]:
    """Packages, and modules beside them; `__init__` and `__main__` only say how to start."""
    library = REPOSITORY / "twotower"
    for package in library.glob("*/**/__init__.py"):
        yield package.parent.relative_to(library).as_posix()
    for module in library.glob("*.py"):
        if not module.stem.startswith("__"):
            yield module.name


def test_every_room_is_on_the_map_once() -> None:
    assert sorted(named(ROOMS)) == sorted(rooms())


def test_what_is_said_of_additions_names_files_that_exist() -> None:
    paths = re.findall("`(.*?)`", ADDITIONS)
    assert all((REPOSITORY / "twotower" / path).exists() for path in paths)


def test_every_top_level_folder_is_on_the_map_once() -> None:
    folders = {name.split("/")[0] + "/" for name in tracked() if "/" in name}
    places = named(PLACES)
    assert len(places) == len(set(places))
    assert {place for place in places if place.endswith("/")} == folders - {"twotower/", ".dvc/"}
    assert all((REPOSITORY / place).exists() for place in places)


@pytest.mark.parametrize("room", sorted(room for room in rooms() if "/" not in room))
def test_every_room_has_tests_of_the_same_name(room: str) -> None:
    tests = REPOSITORY / "tests"
    mirror = tests / f"test_{room}" if room.endswith(".py") else tests / room
    assert mirror.exists()
