"""What a reader of a document stumbles over."""

import shutil
from pathlib import Path

import pytest

from tests.documents.blocks import parsed
from tests.documents.reader import Reader
from tests.pipeline.project import Project

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")

GOOD = """
```console
$ echo 25 files; echo and more
26 files
$ twotower preset none.yaml
error: none.yaml: …
$ mkdir folder
$ cd folder
$ pwd | grep -c folder
1
$ sh -c 'exit 3'
$ echo $?
3
$ dvc repro
Running stage 'hpo':
```

<!-- not run: takes long -->
```console
$ sleep 1000
```

```python
total = 1 + 1
```

```python
>>> print("sum", total)
sum 5
>>> total
2
```
"""


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    shutil.copy("params.yaml", tmp_path)
    return Reader(Project(tmp_path), {"dvc repro": "Running stage 'hpo':\n"})


def test_a_true_document_has_no_stumbles(reader: Reader) -> None:
    reader.follow(parsed("good.md", GOOD))
    assert not reader.stumbles


@pytest.mark.parametrize(
    ("block", "stumble"),
    [
        ("```console\n$ echo 25 files\n25 folders\n```", "a.md:2: echo 25 files\ndid not print"),
        ("```console\n$ true\n$ false\n```", "a.md:3: false\nended with status 1"),
        ("```console\n$ twotower preset none.yaml\n```", "ended with status 1"),
        ("```python\n>>> 1 == 2\nTrue\n```", "a.md:1: 1 == 2\n"),
    ],
)
def test_what_is_not_true_is_a_stumble(reader: Reader, block: str, stumble: str) -> None:
    reader.follow(parsed("a.md", block))
    assert stumble in "".join(reader.stumbles)
