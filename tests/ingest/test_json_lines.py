"""JSON lines: keys are columns, numbers stay as they are written."""

import re

import pytest

from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.open_file import open_source


def json_lines(tmp_path, *lines):
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(lines) + "\n")
    source = open_source(path, DataConfig(), None)
    return source.read(source.header).to_pydict()


def test_json_lines(tmp_path):
    got = json_lines(tmp_path, '{"a": 1.0, "b": [1]}', "", '{"a": NaN, "b": 2}', '{"c": "é"}')
    expected = {"a": ["1.0", None, None], "b": [["1"], ["2"], None], "c": [None, None, "é"]}
    assert got == expected
    assert json_lines(tmp_path, *['{"a": 1}'] * 1500, '{"b": 2}')["b"][-1] == "2"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('{"a": 1, "a": 2}', "a key twice"),
        ('{"a": {"$oid": "x"}}', "column 'a' must be text, a number or a list, not an object"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ("[1]", "not an object"),
    ],
)
def test_json_that_is_no_table(tmp_path, line, rule):
    with pytest.raises(DataError, match=rf"t\.jsonl: line 2: .*{re.escape(rule)}"):
        json_lines(tmp_path, '{"a": 1}', line)
