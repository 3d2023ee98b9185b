"""The pictures of the README: parts of the report, light and dark.

Run as a module after `dvc repro`, it draws them from the report of the sample shop.
"""

import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.report.browser import Window, photograph
from twotower.report import write_report

FOLDER = REPOSITORY / "docs" / "images"
SCHEMES = ("light", "dark")
AREA = """
(() => {
  document.querySelector("header .muted")?.remove();  // time and commit
  const boxes = %s.map((element) => element.getBoundingClientRect());
  const sides = (name) => boxes.map((box) => box[name]);
  const left = Math.min(...sides("left")) - 8, top = Math.min(...sides("top")) - 8;
  const right = Math.max(...sides("right")) + 8, bottom = Math.max(...sides("bottom")) + 8;
  return [left + scrollX, top + scrollY, right - left, bottom - top];
})()
"""
PARTS = {
    "report": "[...document.querySelectorAll('h1, #verdict, #scores > figure:first-of-type')]",
    "recommendations": """(() => {
      const people = [...document.querySelectorAll(".person")];
      const lucky = people.find((person) => person.querySelector(".found"));
      return people.filter((person) => person.offsetTop === lucky.offsetTop);
    })()""",
}
"""By name, the elements that a picture spans: verdict and scores; the first two users beside each
other of whom one later chose what was recommended."""


def draw(page: Path, folder: Path) -> None:
    """Write `<part>-<scheme>.png` for each part of a report."""
    areas = tuple(AREA % elements for elements in PARTS.values())
    for scheme in SCHEMES:
        pictures = photograph(page, areas, Window(width=1000, scale=1.5, scheme=scheme))
        for part, picture in zip(PARTS, pictures, strict=True):
            (folder / f"{part}-{scheme}.png").write_bytes(picture)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        write_report(page)
        draw(page, FOLDER)
