"""What is uploaded can be looked at."""

from pathlib import Path

from twotower.tracking.uploads import self_contained


def test_pages_hold_the_scripts_that_lie_beside_them(tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    (folder / "static").mkdir(parents=True)
    for name, text in {
        ".gitignore": "/a.html",
        "a.html": '<p>a</p><script charset="utf-8" src="lib.js"></script>',
        "b.html": '<script src="lib.js"></script><script src="https://x.org/y.js"></script>',
        "lib.js": r"say('\1 \g<0>')",
        "static/a.png": "pixels",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    with self_contained(folder) as copy:
        assert copy.name == "plots"
        files = {file.relative_to(copy).as_posix() for file in copy.rglob("*") if file.is_file()}
        assert files == {"a.html", "b.html", "static/a.png"}
        script = r"<script>say('\1 \g<0>')</script>"
        assert (copy / "a.html").read_text(encoding="utf-8") == f"<p>a</p>{script}"
        elsewhere = '<script src="https://x.org/y.js"></script>'
        assert (copy / "b.html").read_text(encoding="utf-8") == script + elsewhere
    assert not copy.exists()
    assert (folder / "lib.js").exists()
