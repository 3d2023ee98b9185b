"""How many local workers a search has."""

from pathlib import Path

import pytest

from twotower.config import parse_config
from twotower.search.workers import count
from twotower.search.workers.count import local_count

GIGABYTE = 10**9
MEMORY = count._memory


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores, 64 gigabytes, no GPU."""
    monkeypatch.setattr(count.joblib, "cpu_count", lambda: 8)
    monkeypatch.setattr(count, "_memory", lambda: 64 * GIGABYTE)
    monkeypatch.setattr(count.torch.cuda, "is_available", lambda: False)
    return monkeypatch


def counted(
    rows: int = 10**6, trials: int = 20, device: str = "auto", threads: int = 1, **hpo: object
) -> tuple[int, list[str]]:
    """The number, and what is said of it."""
    said: list[str] = []
    train = {"device": device, "threads": threads}
    config = parse_config({"hpo": hpo, "train": train})
    return local_count(config, rows, trials, said.append), said


@pytest.mark.parametrize(
    ("settings", "expected", "reason"),
    [
        ({}, 4, "by hpo.lookahead"),
        ({"lookahead": 16}, 8, "by cores"),
        ({"threads": 3}, 2, "by cores"),
        ({"threads": 16}, 1, "by cores"),
        ({"trials": 3}, 3, "by trials"),
        ({"rows": 5_000}, 1, "for a short search"),
        ({"rows": 5_000, "trials": 100}, 4, "by hpo.lookahead"),
        ({"rows": 25 * 10**6}, 3, "by memory"),
        ({"rows": 10**9}, 1, "by memory"),
    ],
)
def test_auto_has_as_many_as_find_work_and_room(
    settings: dict[str, int], expected: int, reason: str
) -> None:
    assert counted(**settings) == (expected, [f"workers: {expected}, {reason} (hpo.workers: auto)"])


def test_one_gpu_has_one(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(count.torch.cuda, "is_available", lambda: True)
    assert counted()[0] == 1
    assert counted(device="cpu")[0] == 4


def test_unknown_memory_is_no_limit(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(count, "_memory", lambda: 0)
    assert counted(rows=10**9)[0] == 4


def test_a_number_is_taken_as_it_is() -> None:
    assert counted(rows=1, workers=3) == (3, [])
    assert counted(workers=0) == (0, [])


def test_a_container_has_less_memory_than_its_machine(
    tmp_path: Path, machine: pytest.MonkeyPatch
) -> None:
    limits = [tmp_path / name for name in ("none", "max", "bytes")]
    limits[1].write_text("max\n")
    limits[2].write_text("2000000\n")
    machine.setattr(count, "CONTAINER", limits)
    assert MEMORY() == 2_000_000
