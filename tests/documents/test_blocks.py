"""Code blocks say what they are; configurations and Python in them are valid."""

import ast
import importlib
import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.documents.blocks import Block, blocks, commands, documents, of_language, statements
from tests.documents.programs import PROGRAMS
from twotower.cli.preset import apply_preset
from twotower.common.yaml_file import parse_yaml
from twotower.config import Config

LANGUAGES = ("console", "python", "yaml", "json", "text", "mermaid")


@pytest.mark.parametrize("document", documents())
def test_every_block_says_its_language(document: str) -> None:
    strange = [block.place for block in blocks(document) if block.language not in LANGUAGES]
    assert not strange, f"write one of {', '.join(LANGUAGES)} after the fence"


def by_place(language: str) -> pytest.MarkDecorator:
    found = of_language(language)
    return pytest.mark.parametrize("block", found, ids=[block.place for block in found])


@by_place("console")
def test_a_console_block_begins_with_a_command(block: Block) -> None:
    assert commands(block)


@by_place("text")
def test_text_is_no_command(block: Block) -> None:
    programs = re.compile(rf"\$ |({'|'.join(PROGRAMS)}) ")
    assert not any(map(programs.match, block.text.splitlines())), "use ```console"


@pytest.mark.parametrize("document", documents())
def test_json_is_valid(document: str) -> None:
    for block in blocks(document):
        if block.language == "json":
            json.loads(block.text)


@by_place("yaml")
def test_yaml_is_valid_in_params_yaml(block: Block, tmp_path: Path) -> None:
    """As `twotower preset` would merge it; other YAML is marked as not run."""
    content = parse_yaml(block.text, block.place)
    if block.why_not_run:
        return
    assert content.keys() <= Config.model_fields.keys(), "not params.yaml? <!-- not run: reason -->"
    params, snippet = tmp_path / "params.yaml", tmp_path / "snippet.yaml"
    shutil.copy(REPOSITORY / "params.yaml", params)
    snippet.write_text(block.text, encoding="utf-8")
    apply_preset(snippet, params)


@by_place("python")
def test_python_compiles_and_imports_what_exists(block: Block) -> None:
    """What is not run may import what is not installed here."""
    for source, _ in statements(block):
        tree = ast.parse(source, block.place)
        for node in ast.walk(tree) if not block.why_not_run else ():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    assert importlib.util.find_spec(alias.name), alias.name
            elif isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), node.module
