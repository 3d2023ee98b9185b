import pytest

from twotower.project.yaml_entry import in_a_line, with_entry

TEXT = """\
# All.
seed: 1   # of all
# The data.
data:
    # Where.
    root: raw   # folder
    columns: {user: null}

    # repeats: merge

# The search.
hpo: {n_trials: 2}
"""


def put(old: str, new: str) -> str:
    """The text with a change."""
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("section", "key", "before", "expected"),
    [
        (None, "portable", ["seed"], put("# of all\n", "# of all\nportable: false\n")),
        (None, "portable", [], put("seed: 1", "portable: false\nseed: 1")),
        (None, "portable", ["seed", "data", "hpo"], f"{TEXT}portable: false\n"),
        (None, "portable", ["data"], put("null}\n", "null}\nportable: false\n")),
        ("data", "header", ["root", "columns"], put("null}\n", "null}\n    header: false\n")),
        ("data", "header", ["root"], put("# folder\n", "# folder\n    header: false\n")),
        ("data", "header", ["file"], put("    root:", "    header: false\n    root:")),
        ("hpo", "resume", ["n_trials"], put("{n_trials", "{resume: false, n_trials")),
    ],
)
def test_an_entry_comes_behind_the_others_and_above_comments_on_what_follows(
    section: str | None, key: str, before: list[str], expected: str
) -> None:
    assert with_entry(TEXT, section, key, False, before) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "seed: 1\n"),
        ("# none", "# none\nseed: 1\n"),
        ("a: 2", "a: 2\nseed: 1\n"),
        ("a: |\n  text\n\n# end\n", "a: |\n  text\nseed: 1\n\n# end\n"),
        ("{}", "{seed: 1}\n"),
        ('&all {"a": 2}', '&all {seed: 1, "a": 2}\n'),
    ],
)
def test_other_ways_to_write_a_file(text: str, expected: str) -> None:
    assert with_entry(text, None, "seed", 1, ["a"]) == expected


def test_a_new_section_is_over_lines() -> None:
    value = {"ks": [5, 10], "relevant": {"events": None}, "on": "null"}
    lines = "evaluate:\n  ks: [5, 10]\n  relevant: {events: null}\n  on: 'null'\n"
    assert with_entry("seed: 1\n", None, "evaluate", value, ["seed"]) == f"seed: 1\n{lines}"
    assert with_entry("{seed: 1}\n", None, "evaluate", {}) == "{evaluate: {}, seed: 1}\n"


def test_a_long_entry_is_in_one_line() -> None:
    value = [f"item {number}" for number in range(200)]
    assert "\n" not in in_a_line("items", value)
