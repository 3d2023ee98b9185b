"""What a search leaves and a later run reads, as JSON and SQLite: damaged, edited, swapped.

Either a file is refused, or all that is used of it is as it was written.
"""

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from benchmarks.fuzz.damage import ODD_TEXTS, damaged
from benchmarks.promises import insist, insist_bounded
from tests.plots.searches import random_trials, write_search
from tests.search.store.test_database import SPACE
from tests.search.store.test_live_study import location, made_by
from twotower.common.errors import DataError, SearchError
from twotower.config import Config
from twotower.config.hpo import HpoConfig
from twotower.config.splitting import GuardConfig
from twotower.ingest.data_profile import DataProfile, write_last_run
from twotower.ingest.drift import FeatureProfile
from twotower.ingest.guard import check_data
from twotower.plots.drawn_search import read_search
from twotower.search.store.live_study import open_study
from twotower.search.store.snapshot import read_snapshot, write_snapshot
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Trial
from twotower.search.warm_start import read_warm_start

TITLE = "results, studies, warm starts"
COUNT = 4
"""Trials of a study."""
HOME = Path("home")
WHERE = location(HOME)
TABLES = (
    "alembic_version", "studies", "study_directions", "study_system_attributes",
    "study_user_attributes", "trial_intermediate_values", "trial_params",
    "trial_system_attributes", "trial_user_attributes", "trial_values", "trials", "version_info",
)  # fmt: skip
LIVE = ("identity.json", "lock", "lock.holder", "provenance.json", "study.db-journal")


@dataclass(frozen=True)
class Case:
    """A file, and what it holds.

    Attributes:
        name: of the reader, see READERS.
        content: of the file, or the name of the one whose content it has; None: it is a folder.
        flips: places, as shares of its length, and what their bytes are changed by.
        cut: the share of it that is there.
        edit: what is done to the database in it, as the file's writer would not.
    """

    name: str
    content: bytes | str | None
    flips: tuple[tuple[float, int], ...] = ()
    cut: float = 1.0
    edit: str = ""

    def write(self, path: Path) -> None:
        """Put it where it is read."""
        if self.content is None:
            path.mkdir()
            return
        whole = originals()[self.content] if isinstance(self.content, str) else self.content
        data = bytearray(whole)
        for place, change in self.flips:
            data[int(place * (len(data) - 1))] ^= change
        path.write_bytes(data[: round(self.cut * len(data))])
        if self.edit:
            _edit(path, self.edit)


def trials() -> list[Trial]:
    """Of a study, the last one failed."""
    whole = [made_by(WHERE, number) for number in range(COUNT)]
    last: dict[str, Any] = {"state": "FAIL", "value": None, "metrics": {}, "failure": "it diverged"}
    pruned: dict[str, Any] = {
        "state": "PRUNED",
        "intermediate": {1: 0.25, 2: 0.5},
        "system_attrs": {"a": [1]},
    }
    return [*whole[:-2], replace(whole[-2], **pruned), replace(whole[-1], **last)]


LAST_RUN = DataProfile(
    9, 2, 2, 5, 6, ["0a"], ["0b"], "text", "text", [9], {"view": 6, "buy": 3},
    {
        "items.price": FeatureProfile(0.5, None, [n / 4 for n in range(101)], 1),
        "items.brand": FeatureProfile(0.0, {"0c": 2}),
    },
)  # fmt: skip


@cache
def originals() -> Mapping[str, bytes]:
    """The files as they are written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_search(folder, random_trials(COUNT))
        warm = [{"number": 1, "params": {"dim": 16, "lr": 0.01}, "value": 0.5}, {"params": {}}]
        (folder / "warm.json").write_text(json.dumps({"trials": warm}), encoding="utf-8")
        write_last_run(folder / "last.json", LAST_RUN)
        TrialFiles(folder).write(trials()[1])
        facts = {"identity": WHERE.identity.digest, "identity_values": WHERE.identity.values}
        write_snapshot(folder / "snapshot.db", "s", trials(), SPACE, facts)
        live = location(folder)
        with open_study(live, HpoConfig(), print) as study:
            for trial in trials():
                study.add(trial)
        paths = {
            "results": folder / "hpo_results.json",
            "warm start": folder / "warm.json",
            "last run": folder / "last.json",
            "trial file": folder / "0001.json",
            "snapshot": folder / "snapshot.db",
            "live study": live.own_storage.file,
        }
        return {name: path.read_bytes() for name, path in paths.items()}


def _results(path: Path) -> None:
    drawn, content = read_search(path), json.loads(path.read_text(encoding="utf-8-sig"))
    used = [(trial.number, trial.value) for trial in drawn.study.get_trials(deepcopy=False)]
    insist(
        used == [(trial["number"], trial["value"]) for trial in content["trials"]],
        f"trials are drawn as {used}",
    )


def _warm_start(path: Path) -> None:
    config = Config()
    for params in read_warm_start(path, config).trials:
        values = {**config.search_space.defaults, **params}
        insist(config.search_space.outside(values) is None, f"{params} is not in the space")


def _last_run(path: Path) -> None:
    check_data(LAST_RUN, path, GuardConfig())


def _trial_file(path: Path) -> None:
    path.replace(path.with_name("0001.json"))
    said: list[str] = []
    read = TrialFiles(path.parent).intact(said.append)
    insist(read == {1: trials()[1]} or (not read and said), f"{read} is used")
    _refuse(said)


def _snapshot(path: Path) -> None:
    attributes, read = read_snapshot(path)
    expected = [trial.without_times() for trial in trials()]
    insist(read == expected[: len(read)], f"{read} is used")
    insist(not read or attributes["identity"] == WHERE.identity.digest, "another identity is used")


def _live_study(path: Path) -> None:
    where = location(path.parent)
    where.folder.mkdir(parents=True)
    path.replace(where.own_storage.file)
    _open(path.parent)


def _beside(name: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        where = location(path.parent)
        where.folder.mkdir(parents=True)
        where.own_storage.file.write_bytes(originals()["live study"])
        folder = where.folder if name[0] in "ps" else where.home
        path.replace(folder / name)
        _open(path.parent)

    return read


def _open(folder: Path) -> None:
    """Insist that all trials of a live study are as they were, and that it can go on."""
    said: list[str] = []
    with open_study(location(folder), HpoConfig(), said.append) as study:
        _insist_same(study.trials)
        for trial in trials():
            if trial.number not in study.trials:
                study.add(trial)
    with open_study(location(folder), HpoConfig(), said.append) as study:
        insist(sorted(study.trials) == list(range(COUNT)), f"{sorted(study.trials)} are left")
        _insist_same(study.trials)
    _refuse(said)


def _insist_same(read: Mapping[int, Trial]) -> None:
    same = {trial.number: trial.without_times() for trial in trials()}
    for number, trial in read.items():
        insist(trial.without_times() == same.get(number), f"{trial} is used")


def _refuse(said: list[str]) -> None:
    """Count it as refused in part if something was said."""
    if said:
        raise SearchError(said[0])


READERS: dict[str, Callable[[Path], None]] = {
    "results": _results,
    "warm start": _warm_start,
    "last run": _last_run,
    "trial file": _trial_file,
    "snapshot": _snapshot,
    "live study": _live_study,
    **{name: _beside(name) for name in LIVE},
}
JSON = ("results", "warm start", "last run", "trial file")
DATABASES = ("snapshot", "live study")
ODD_JSON = (
    "null", "true", "0", "-1", "1e999", "NaN", "1.5", '"x"', "[]", "{}", "[[]]", "9" * 400,
    "9" * 5000, "[" * 3000, '{"a":' * 3000, '"' + "x" * 5000 + '"', '"\\ud800"', "1" + "0" * 20,
)  # fmt: skip


def _swapped(whole: bytes) -> SearchStrategy[bytes]:
    """JSON with another value in place of one."""
    content = json.loads(whole)
    places = list(_places(content, ()))

    @st.composite
    def swap(draw: st.DrawFn) -> bytes:
        place, odd = draw(st.sampled_from(places)), draw(st.sampled_from(ODD_JSON))
        copy = json.loads(whole)
        inner = copy
        for step in place[:-1]:
            inner = inner[step]
        if draw(st.booleans()):
            inner[place[-1]] = "\0odd"
            return json.dumps(copy).replace('"\\u0000odd"', odd).encode()
        del inner[place[-1]]
        return json.dumps(copy).encode()

    return swap()


def _places(content: Any, above: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    found = []
    for key, value in pairs:
        found.append((*above, key))
        if isinstance(value, dict | list):
            found += _places(value, (*above, key))
    return found


@st.composite
def _edits(draw: st.DrawFn) -> str:
    """A statement that changes or deletes a few rows of a table; `column` is one of its columns."""
    table = draw(st.sampled_from(TABLES))
    row = f"rowid % 7 = {draw(st.integers(0, 6))}"
    if draw(st.integers(0, 3)) == 0:
        return f"delete from {table} where {row}"  # noqa: S608 - as someone would type it
    values = ("NULL", "0", "1", "-1", "0.99", "1e308", "x'00ff'", "'{'", "'[1]'", "'FAIL'", "2e18")
    texts = st.sampled_from(ODD_TEXTS).map(lambda text: "'" + text.replace("'", "''") + "'")
    value = draw(st.sampled_from(values) | texts).replace("{", "{{").replace("}", "}}")
    place = draw(st.integers(0, 5))
    return f"update {table} set {{{place}}} = {value} where {row}"  # noqa: S608 - likewise


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Files of every kind, damaged, edited or in the place of others; databases take longest."""
    sort = draw(st.integers(0, 39))
    if sort < 37:
        name = draw(st.sampled_from(JSON))
        whole, odd = originals()[name], st.sampled_from(ODD_JSON).map(str.encode)
        return Case(name, draw(damaged(whole) | _swapped(whole) | odd))
    if sort == 37:
        others = st.sampled_from([None, b"", *originals()]) | st.binary(max_size=60)
        return Case(draw(st.sampled_from(sorted(READERS))), draw(others))
    name = draw(st.sampled_from(DATABASES))
    if sort == 38:
        return Case(name, name, edit=draw(_edits()))
    flips = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6).map(tuple)
    cut = draw(st.just(1.0) | st.floats(0, 1))
    return Case(name, name, draw(flips), cut)


def check(case: Case, folder: Path) -> str:
    """A file is refused in a line, or what is used of it is what was written."""
    path = folder / "file"
    case.write(path)
    try:
        READERS[case.name](path)
    except (DataError, SearchError) as error:
        insist_bounded(error)
        insist("\n" not in str(error), f"a message of several lines: {error}")
        return "refused"
    return "read"


def _edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("pragma synchronous = off")
        table = statement.split()[2 if statement.startswith("delete") else 1]
        columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
        names = [columns[number % len(columns)] for number in range(6)]
        with contextlib.suppress(sqlite3.Error):  # the table's rules forbid it
            connection.execute(statement.format(*names))
