"""The service under load for minutes, while its model is replaced and other clients break off.

    python -m benchmarks.service_load [--seconds 600] [--workers 1] [--markdown FILE]

Honest clients check every answer against the model that it names. Afterwards the lines of the
exposure log are counted. Memory is read from /proc, which is Linux's. Exits with status 1 if
anything was refused, dropped, wrong or lost.
"""

import argparse
import http.client
import json
import re
import socket
import statistics
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from benchmarks.http_load import PROCESSES, Running, serving
from benchmarks.markdown import table
from benchmarks.serving import random_model
from benchmarks.slow_clients import memory, post
from twotower import Recommender
from twotower.artifacts import META
from twotower.common.folders import atomic_folder, copy_files
from twotower.serving.live_model import LiveModel

USERS, ITEMS = 5_000, 5_000
DIMS = 16, 32
"""Of the two models that replace each other."""
ASKED = range(0, USERS, 50)
"""Users whose recommendations are asked for."""
K = 10
HONEST, BROKEN = 4, 4
"""Clients."""
SWAP = 5.0
"""Seconds between two models."""
PAUSE = 0.05
"""Seconds between two requests of a broken client."""
WARM = 0.2
"""Share of the time after which memory should not grow."""
BODY = json.dumps({"user_ids": [7]}).encode()
BROKEN_OFF = (
    post(BODY[:5], len(BODY)),  # the body is cut short
    post(BODY),  # and nobody reads the answer
    post(BODY)[:20],
    post(b"[" * 1000, 2**24),  # too large
    post(b'{"user_ids": [}'),
    b"\x16\x03\x01\x02\x00\x01\x00" + b"\xff" * 200,  # TLS
    b"GET /metrics HTTP/1.1\r\nhost: shop\r\n\r\n" * 20,
)
Answers = dict[str, dict[int, list[int]]]
"""By version of the model and user."""


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        counts: answers, by model, and what went wrong.
        seconds: that each answer took.
        megabytes: of memory, over time.
    """

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def ask(port: int, want: Answers, seen: Seen, is_over: Callable[[], bool]) -> None:
    """Ask as an honest client, on one connection as long as it lasts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for user in cycle(ASKED):
        if is_over():
            return
        body = json.dumps({"user_ids": [user], "k": K})
        began = time.perf_counter()
        try:
            connection.request("POST", "/recommend", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            said = json.load(answer)
        except (OSError, http.client.HTTPException) as error:
            seen.counts[f"dropped: {error!r}"] += 1
            connection.close()
            continue
        seen.seconds.append(time.perf_counter() - began)
        if answer.status != 200:
            seen.counts[f"refused: {said}"] += 1
        elif said["results"][0]["items"] != want[said["model"]][user]:
            seen.counts["wrong"] += 1
        else:
            seen.counts[said["model"]] += 1


def break_off(port: int, seen: Seen, is_over: Callable[[], bool]) -> None:
    """Say something that is no whole request, or hang up before it is answered."""
    for what in cycle(BROKEN_OFF):
        if is_over():
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as one:
            one.sendall(what)
        seen.counts["broken off"] += 1
        time.sleep(PAUSE)


def swap(folder: Path, models: Iterable[Path], seen: Seen, end: threading.Event) -> None:
    """Put one model after the other into the folder that is served."""
    for source in cycle(models):
        if end.wait(SWAP):
            return
        with atomic_folder(folder, META) as new:
            copy_files(source, new)
        seen.counts["swaps"] += 1


def memory_of(pid: int) -> float:
    """Of a process and those below it, in MB."""
    children = (PROCESSES / str(pid) / "task" / str(pid) / "children").read_text().split()
    return memory(pid) + sum(memory_of(int(child)) for child in children)


def run(server: Running, folder: Path, models: list[Path], seconds: float) -> Seen:
    """Load a service for so many seconds."""
    want: Answers = {}
    for source in models:
        found = Recommender.load(source).recommend(list(ASKED), k=K)
        want[LiveModel(source).served.version] = dict(zip(ASKED, found.item_ids, strict=True))
    seen, end = Seen(), threading.Event()
    threads = [
        *(threading.Thread(target=ask, args=(server.port, want, seen, end.is_set))
          for _ in range(HONEST)),
        *(threading.Thread(target=break_off, args=(server.port, seen, end.is_set))
          for _ in range(BROKEN)),
        threading.Thread(target=swap, args=(folder, models, seen, end)),
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        time.sleep(min(1, seconds / 10))
        seen.megabytes.append(memory_of(server.pid))
    end.set()
    for thread in threads:
        thread.join()
    return seen


def metric(server: Running, name: str) -> float:
    """The sum of a metric over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text = answer.read().decode()
    return sum(map(float, re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)))


def main() -> None:
    """Run it, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service_load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=600, help="(600)")
    parser.add_argument("--workers", type=int, default=1, help="of the service (1)")
    parser.add_argument("--markdown", type=Path, help="a file for the table")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        models = [random_model(base / f"of_{dim}", USERS, ITEMS, dim) for dim in DIMS]
        copy_files(models[1], base / "served")
        command = ["twotower", "serve", "--artifacts", str(base / "served"), "--poll", "0.5",
                   "--workers", str(asked.workers), "--exposures", str(base / "log")]  # fmt: skip
        with serving(command, "/health") as server:
            seen = run(server, base / "served", models, asked.seconds)
            answered = metric(server, 'twotower_requests_total{route="/recommend",status="200"}')
        lines = sum(file.read_bytes().count(b"\n") for file in (base / "log").iterdir())
    rows, is_good = report(seen, asked.seconds, int(answered), lines)
    markdown = table(("what", ""), rows)
    print(markdown)
    if asked.markdown is not None:
        asked.markdown.write_text(f"{markdown}\n", encoding="utf-8", newline="\n")
    raise SystemExit(not is_good)


def report(
    seen: Seen, seconds: float, answered: int, lines: int
) -> tuple[list[tuple[str, str]], bool]:
    """Rows of a table, and whether nothing went wrong.

    Args:
        seen: by the clients.
        seconds: that they asked for.
        answered: requests that the service says it answered.
        lines: of the exposure log.
    """
    faults = {what: count for what, count in seen.counts.items()
              if what.startswith(("dropped", "refused", "wrong"))}  # fmt: skip
    for what, count in faults.items():
        print(f"{count:,} times {what}"[:500])
    ordered = sorted(seen.seconds)
    late = ordered[int(0.99 * len(ordered))]
    warm = seen.megabytes[int(WARM * len(seen.megabytes)) :]
    half = len(warm) // 2
    growth = statistics.median(warm[half:]) - statistics.median(warm[: half or 1])
    rows = [
        ("seconds", f"{seconds:.0f}"),
        ("answers that honest clients checked", f"{len(ordered):,}"),
        ("dropped, refused or wrong", f"{sum(faults.values()):,}"),
        ("models swapped", f"{seen.counts['swaps']}"),
        ("requests broken off by other clients", f"{seen.counts['broken off']:,}"),
        ("median and 99th percentile of an answer", f"{1000 * statistics.median(ordered):.1f} ms, "
         f"{1000 * late:.1f} ms"),
        ("memory after a fifth of the time, at the end, at most", f"{warm[0]:.0f} MB, "
         f"{warm[-1]:.0f} MB, {max(seen.megabytes):.0f} MB"),
        ("second half of the rest beside the first, medians", f"{growth:+.1f} MB"),
        ("answers and lines of the exposure log", f"{answered:,}, {lines:,}"),
    ]  # fmt: skip
    return rows, not faults and answered == lines


if __name__ == "__main__":
    main()
