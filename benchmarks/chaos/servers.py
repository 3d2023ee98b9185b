"""Servers that a search uses, stopped in the middle of it and started again."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.chaos.attack import Attack, NotPossible, Outcome
from benchmarks.chaos.damaged_study import same_bytes
from benchmarks.chaos.workshop import Project, Workshop
from benchmarks.promises import insist
from tests.pipeline import servers
from tests.search.store.server import Server, running
from tests.search.workers.processes import Cluster, kill_tree
from twotower.common.portable import PINS

AWAY = 5.0
"""Seconds that a server is away, at most."""
PATIENCE = 300.0
STORED = "SELECT number, state, value FROM trials LEFT JOIN trial_values USING (trial_id)"


def postgresql(workshop: Workshop, chance: random.Random) -> Outcome:
    """The database of the live study."""
    needs("psycopg")
    with running() as server, copy(workshop, "postgresql") as project:
        if server is None:
            msg = "PostgreSQL is not installed"
            raise NotPossible(msg)
        project.repository.set("hpo.storage", server.url())
        run = project.start("dvc", "repro")
        least = draw(chance)
        wait(lambda: len(stored(server)) >= least or run.poll() is not None, least)
        before = stored(server)
        server.stop()
        time.sleep(chance.uniform(0, AWAY))
        server.start()
        ended, note = project.ended(run, PATIENCE), "went on"
        if ended.status:
            insist(len(ended.errors) == 1 and "Traceback" not in ended.output, ended.output)
            ended, note = project.run("dvc", "repro", timeout=PATIENCE), "one line; resumed"
        insist(ended.status == 0, ended.output)
        insist(before <= stored(server), f"of {before} only {stored(server)} are left")
        same_bytes(workshop, project)
        return Outcome(1, note)


def tracking(workshop: Workshop, chance: random.Random) -> Outcome:
    """The tracking server of MLflow."""
    with copy(workshop, "tracking") as project:
        port = servers.free_port()
        store = f"sqlite:///{project.root.parent / 'tracking.db'}"
        where = ("--backend-store-uri", store, "--port", str(port))
        command = ("mlflow", "server", "--workers", "1", "--host", "127.0.0.1", *where)
        project.repository.set("mlflow.enabled", True)
        project.repository.set("mlflow.tracking_uri", f"http://127.0.0.1:{port}")
        with servers.running(project.repository, *command, port=port, path="/health"):
            run = project.start("dvc", "repro")
            least = draw(chance)
            wait(lambda: len(project.finished_trials()) >= least or run.poll() is not None, least)
        time.sleep(chance.uniform(0, AWAY))
        with servers.running(project.repository, *command, port=port, path="/health"):
            ended = project.ended(run, PATIENCE)
            insist(ended.status == 0, ended.output)
            same_bytes(workshop, project)
            ended = project.run("twotower", "tracking", "sync", timeout=PATIENCE)
            insist(ended.status == 0, ended.output)
        return Outcome(1, "went on, and logged the rest")


def scheduler(workshop: Workshop, chance: random.Random) -> Outcome:
    """The scheduler of dask, with its workers."""
    needs("distributed")
    with tempfile.TemporaryDirectory() as name, copy(workshop, "scheduler") as project:
        environment = {"PYTHONPATH": str(project.root), **PINS}
        with Cluster(Path(name)) as cluster:
            first = cluster.scheduler()
            workers = [cluster.worker("--no-nanny", **environment) for _ in range(2)]
            project.repository.set("hpo.executor", "dask")
            project.repository.set("hpo.dask", {"address": cluster.address, "wait": PATIENCE})
            run = project.start("dvc", "repro")
            least = draw(chance)
            wait(lambda: len(project.finished_trials()) >= least or run.poll() is not None, least)
            kill_tree(first)
            for worker in workers:
                worker.wait(PATIENCE)
            cluster.scheduler()
            cluster.worker("--no-nanny", **environment)
            ended = project.ended(run, PATIENCE)
        insist(ended.status == 0, ended.output)
        same_bytes(workshop, project)
        return Outcome(1, "went on")


@contextmanager
def copy(workshop: Workshop, name: str) -> Iterator[Project]:
    """A copy in which nothing has run; what still runs in it ends."""
    project = workshop.copy(name)
    try:
        yield project
    finally:
        project.remove()


def needs(package: str) -> None:
    """Insist on a package.

    Raises:
        NotPossible: if it is not installed.
    """
    if find_spec(package) is None:
        msg = f"{package} is not installed"
        raise NotPossible(msg)


def draw(chance: random.Random) -> int:
    """After how many finished trials a server stops; 0: while the search loads, or before."""
    return chance.randint(0, 5)


def wait(until: Callable[[], bool], least: int) -> None:
    """Wait for so many trials."""
    end = time.monotonic() + PATIENCE
    while least and not until():
        insist(time.monotonic() < end, f"{least} trials took longer than {PATIENCE:g} s")
        time.sleep(0.1)


def stored(server: Server) -> set[tuple[object, ...]]:
    """Trials in the database."""
    import psycopg

    try:
        return set(server.sql(STORED, "db"))
    except psycopg.errors.UndefinedTable:
        return set()


ATTACKS = (
    Attack("postgresql", "PostgreSQL with the live study stopped and started", postgresql),
    Attack("tracking-server", "MLflow's server stopped and started", tracking),
    Attack("dask-scheduler", "dask's scheduler killed and started", scheduler),
)
