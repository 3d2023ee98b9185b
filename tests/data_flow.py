"""The figure of the README: the stages of dvc.yaml, and which files each reads and writes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.conftest import REPOSITORY
from twotower.common.yaml_file import read_yaml

BLOCK = re.compile(r"(?<=^```mermaid\n)flowchart .*?(?=^```$)", re.DOTALL | re.MULTILINE)
CODE = ("stages/", "twotower/")
Stages = Mapping[str, Mapping[str, Any]]


def renewed(text: str) -> str:
    """A document with the figure as dvc.yaml has it."""
    stages = read_yaml(REPOSITORY / "dvc.yaml")["stages"]
    return BLOCK.sub("\n".join(figure(stages)) + "\n", text)


def figure(stages: Stages) -> Iterator[str]:
    """Lines of a Mermaid flowchart; files of one writer and the same readers share a box."""
    yield "flowchart TD"
    yield "  classDef stage stroke-width:3px,font-weight:bold"
    for name, stage in stages.items():
        sections = sorted({key.split(".")[0] for key in stage["params"]})
        yield f"  {name}([{name}<br>params: {', '.join(sections)}]):::stage"
    for number, ((writer, readers), files) in enumerate(_boxes(stages).items()):
        label = "<br>".join(files).replace("${data.root}", "your raw files (data.root)")
        yield f'  files{number}["{label}"]'
        if writer:
            yield f"  {writer} --> files{number}"
        yield from (f"  files{number} --> {reader}" for reader in readers)


def _boxes(stages: Stages) -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """Files by the stage that writes them, "" for none, and the stages that read them."""
    writers: dict[str, str] = {}
    readers: dict[str, list[str]] = {}
    for name, stage in stages.items():
        for file in _paths(stage["deps"]):
            if not file.startswith(CODE):
                writers.setdefault(file, "")
                readers.setdefault(file, []).append(name)
        for file in _paths([*stage["outs"], *stage.get("metrics", [])]):
            writers[file] = name
    boxes: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for file, writer in writers.items():
        boxes.setdefault((writer, tuple(readers.get(file, ()))), []).append(file)
    return boxes


def _paths(entries: list[str | dict[str, Any]]) -> Iterator[str]:
    """Of dependencies or outputs, which may have options."""
    for entry in entries:
        yield from [entry] if isinstance(entry, str) else entry
