"""The pictures of the README are those that the command draws, and small."""

import pytest

from tests.conftest import REPOSITORY
from tests.report.pictures import FOLDER, PARTS, SCHEMES

NAMES = {f"{part}-{scheme}.png" for part in PARTS for scheme in SCHEMES}
MAX_BYTES = 250_000


def test_the_readme_shows_each_light_and_dark() -> None:
    assert {path.name for path in FOLDER.iterdir()} >= NAMES
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert {name for name in NAMES if f'"docs/images/{name}"' in text} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_small(name: str) -> None:
    assert (FOLDER / name).stat().st_size < MAX_BYTES
