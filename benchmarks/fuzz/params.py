"""params.yaml as text: damaged, of other types, extreme, aliased, tagged, with keys given twice."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from benchmarks.fuzz.damage import ODD_TEXTS, damaged
from benchmarks.promises import insist, insist_bounded
from twotower.common.errors import ConfigError
from twotower.config.params import Config, load_config, parse_config
from twotower.config.section import Section

TITLE = "`params.yaml`"
ROOT = Path(__file__).parents[2]
ODD_VALUES = (
    "2026-13-45", "2026-02-28", '!!int "abc"', '!!int "0x_"', '!!float "x"', '!!bool "maybe"',
    '!!binary "x"', "!!timestamp x", "!!set {a, b}", "!!omap [a: 1]", "!!python/name:os.system x",
    "!!null x", "!!str 5", "!!map [1]", "!!seq {a: 1}", "!a b", "&a [*a]", "&a {b: *a}", "*a",
    "&a x", "{<<: *a}", "{<<: 3}", "9" * 5000, "-" + "9" * 400, "0x" + "f" * 4300, "[" * 1000,
    "{a: " * 900,
    "[" * 90 + "]" * 90, "1e400", "1e-400", ".nan", "-.inf", "0", "-1", "0.1", "1.0", "5e0",
    '"5"', "1_0", "010", "0o17", "0b11", "0x1F", "true", "yes", "off", "~", "null", "''", '"\\0"',
    '"\\uD800"', '"\\U00110000"', '"é"', "'%d'", '"%Y%"', "|\n   text", ">\n   folded", "[]", "{}",
    "[1, two, 3.5, null]", "{a: 1, a: 2}", "{1: 2}", "{? [a] : b}", "{type: int, low: 1, high: 9}",
    "1:30", "@x", "`x", "%x", "- 1", "a: b", "# gone", "postgresql://u:pw@host/db", "x" * 70_000,
    "[&b [x, x, x, x, x], &c [*b, *b, *b, *b], &d [*c, *c, *c, *c], [*d, *d, *d, *d, *d, *d]]",
)  # fmt: skip
"""Of one key, as they stand in the file."""
WORDS = {True: ("true", "yes", "y", "on", "t"), False: ("false", "no", "n", "off", "f")}
HEADS = (
    "%YAML 1.2\n---\n",
    "%YAML 3.0\n---\n",
    "%TAG ! tag:yaml.org,2002:\n---\n",
    "---\n",
    "\ufeff",
)


@cache
def _keys() -> dict[str, Any]:
    """Every key with a fixed name, and its default."""

    def inside(section: Section, above: str) -> Iterator[tuple[str, Any]]:
        for name in type(section).model_fields:
            value = getattr(section, name)
            yield above + name, value
            if isinstance(value, Section):
                yield from inside(value, f"{above}{name}.")

    return {key: _plain(value) for key, value in inside(Config(), "")}


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value


@cache
def _documents() -> list[str]:
    """Sections of the files of parameters, and what the documents say of them."""
    files = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]
    texts = [file.read_text(encoding="utf-8") for file in files]
    sections = [part for text in texts for part in re.split(r"\n(?=\w)", text)]
    pages = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))]
    blocks = [b for page in pages for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    return [text for text in dict.fromkeys([*sections, *blocks]) if len(text) < 1_500]


@st.composite
def _made(draw: st.DrawFn) -> str:
    """A few keys, most of them with a value of their type."""
    odd = st.sampled_from(ODD_VALUES) | st.sampled_from(ODD_TEXTS).map(json.dumps)
    lines: dict[tuple[str, ...], str] = {}
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(sorted(_keys())))
        default = json.dumps(_keys()[key])
        number = st.integers(-3, 300) | st.floats(0, 2).map(lambda value: round(value, 3))
        value = draw(st.just(default) | number.map(str) | odd)
        lines[tuple(key.split("."))] = value
    text = draw(st.sampled_from(("", "", "", "", *HEADS)))
    above: tuple[str, ...] = ()
    for *sections, name in sorted(lines):
        for depth, section in enumerate(sections):
            if tuple(sections[: depth + 1]) != above[: depth + 1]:
                text += f"{'  ' * depth}{section}:\n"
        text += f"{'  ' * len(sections)}{name}: {lines[(*sections, name)]}\n"
        above = tuple(sections)
    return text


def cases() -> SearchStrategy[bytes]:
    """Files of a few keys, sections of real ones, and both damaged."""
    texts = _made() | st.sampled_from(_documents())
    return texts.map(str.encode).flatmap(lambda whole: st.just(whole) | damaged(whole))


def check(case: bytes, folder: Path) -> str:
    """A file is refused in few words, or all that stands in it is used as it stands there."""
    path = folder / "params.yaml"
    path.write_bytes(case)
    try:
        config = load_config(path)
    except ConfigError as error:
        insist_bounded(error)
        return "refused"
    insist(parse_config(config.model_dump(mode="json")) == config, "reads otherwise when written")
    try:
        node = yaml.compose(case.decode("utf-8-sig"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError):
        return "read"  # of YAML 1.1, to which other things are errors
    if node is not None:
        _compare(node, config, "")
    return "read"


def _compare(node: Any, used: Any, key: str) -> None:
    """Insist that a value of the file is the one that is used."""
    if isinstance(node, yaml.MappingNode):
        names = [name.value for name, _ in node.value if name.value != "<<"]
        insist(len(set(names)) == len(names), f"{key}: a key is given twice: {names}")
        for name, inner in node.value:
            if isinstance(used, Section) and name.value in type(used).model_fields:
                _compare(inner, getattr(used, name.value), f"{key}.{name.value}")
            elif isinstance(used, dict) and name.value in used:
                _compare(inner, used[name.value], f"{key}.{name.value}")
            elif isinstance(used, Section | dict):
                insist(name.value == "<<", f"{key}.{name.value} is not used")
    elif isinstance(node, yaml.SequenceNode) and isinstance(used, tuple):
        insist(len(node.value) == len(used), f"{key}: {len(used)} entries are used")
    elif isinstance(node, yaml.ScalarNode):
        insist(_is_spelled(node.value, used), f"{key}: {node.value!r} is used as {used!r}")


def _is_spelled(text: str, used: Any) -> bool:
    """Whether a text of the file may stand for a value."""
    if isinstance(used, bool):
        return text.lower() in WORDS[used] or _number(text) == used
    if isinstance(used, float):
        number = _number(text)
        return number is not None and float(number) == used
    if isinstance(used, int):
        return _number(text) == used
    if not isinstance(used, str) or text in (used, "", "false"):
        return True
    return used.isdecimal() and _number(text) == int(used)  # the position of a column


def _number(text: str) -> float | None:
    spelled = text.replace("_", "")
    try:
        if re.fullmatch("[+-]?[0-9]+", spelled):
            return int(spelled)
        return int(spelled, 0) if re.match("0[xob]", spelled) else float(spelled)
    except ValueError:
        return None
