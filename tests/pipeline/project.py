"""A repository of its own: the project's code, and a tiny shop or the sample data."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tests.conftest import REPOSITORY

NOT_COPIED = ("benchmarks/", "docs/", "dvc.lock", "metrics/", "tests/")
SAMPLE = "data/sample/"
N_TRIALS = 4
UNSOLD = 3
SHOP = Path("data/shop")
FAST: dict[str, dict[str, Any]] = {
    "data": {
        "root": SHOP.as_posix(),
        "users": {"features": {"city": "categorical"}},
        "items": {"features": {"category": "categorical", "price": "numeric"}},
    },
    "model": {"dim": 8},
    "train": {"epochs": 1, "batch_size": 64, "device": "cpu"},
    "hpo": {
        "n_trials": N_TRIALS,
        "search_space": {
            "dim": {"type": "int", "low": 4, "high": 16, "step": 4},
            "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
            "epochs": {"type": "int", "low": 1, "high": 3},
        },
    },
    "visualize": {"static": "never"},
}


CANARY = "cAnArY"
"""In every value of the shop's columns that are not declared, and in every secret."""
SECRETS = {
    name: f"{CANARY}-{name.lower()}"
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_USERNAME",
        "PGPASSWORD",
        "TWOTOWER_API_KEY",
    )
}
"""Variables that the project's programs are given."""


class Project:
    """A checkout in which git, dvc and the stages are run as a user runs them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def environment(self) -> dict[str, str]:
        """The environment's programs first, this checkout's package, and nobody's settings."""
        foreign = ("DVC", "MLFLOW_TRACKING_URI")
        outer = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        settings = self.root.parent / "dvc"
        who = {"NAME": "A User", "EMAIL": "user@example.org"}
        return {
            **SECRETS,
            **outer,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), outer["PATH"]]),
            "PYTHONPATH": str(self.root),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(settings / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(settings / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(settings / "system"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()},
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a program; what it prints goes to one pipe."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def run(self, *command: str) -> str:
        """What a program prints, which must end well."""
        process = self.start(*command)
        output, _ = process.communicate()
        assert process.returncode == 0, f"{' '.join(command)}: {process.returncode}\n{output}"
        return output

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def dvc(self, *arguments: str) -> str:
        return self.run("dvc", *arguments)

    def stage(self, name: str, *arguments: str) -> str:
        """What a stage prints that is run by hand."""
        return self.run("python", f"stages/{name}.py", *arguments)

    def all_stages(self) -> str:
        """What the stages print, run one after the other in one process, which loads torch once."""
        return self.run(*in_one_process(*self.stages()))

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def path(self, name: str) -> Path:
        return self.root / name

    def read(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    def set(self, key: str, value: Any) -> None:
        """Change one key of params.yaml, e.g. `hpo.n_trials`."""
        params = yaml.safe_load(self.read("params.yaml"))
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[name] = value
        self.path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")

    def change_events(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        """Rewrite the shop's events."""
        path = self.path("data/shop/interactions.csv")
        change(pd.read_csv(path, dtype=str)).to_csv(path, index=False)

    def lock(self) -> dict[str, Any]:
        """dvc.lock's stages."""
        stages: dict[str, Any] = yaml.safe_load(self.read("dvc.lock"))["stages"]
        return stages

    def stages(self) -> dict[str, Any]:
        """dvc.yaml's stages."""
        stages: dict[str, Any] = yaml.safe_load(self.read("dvc.yaml"))["stages"]
        return stages

    def outputs(self, stage: str) -> list[str]:
        """Files and folders that the stage declares, those kept in git included."""
        declared = self.stages()[stage]
        entries = [*declared["outs"], *declared.get("metrics", []), *declared.get("plots", [])]
        return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]

    def digests(self, *names: str) -> dict[str, str]:
        """SHA-256 of files, and of all files in folders, by path."""
        found: dict[str, str] = {}
        for name in names:
            path = self.path(name)
            files = (
                [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
            )
            for file in sorted(files):
                relative = file.relative_to(self.root).as_posix()
                found[relative] = hashlib.sha256(file.read_bytes()).hexdigest()
        return found

    def forget_the_search(self) -> None:
        """As if the search had never run here; prepared data stays."""
        shutil.rmtree(self.path(".hpo"))
        for name in self.outputs("hpo"):
            self.path(name).unlink()

    def live_trials(self) -> int:
        """Trials of the first live study, counted from outside, also while a search runs."""
        for path in sorted(self.root.glob(".hpo/*/*/study.db")):
            try:
                with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                    (count,) = connection.execute("select count(*) from trials").fetchone()
                    return int(count)
            except sqlite3.Error:  # it is being created
                return 0
        return 0

    def copy(self, root: Path) -> "Project":
        """All of it, with cache and live studies."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def clone(self, root: Path, revision: str = "HEAD") -> "Project":
        """What another person gets from git."""
        self.git("clone", "--quiet", "--no-local", ".", str(root))
        clone = Project(root)
        clone.git("checkout", "--quiet", "--detach", self.git("rev-parse", revision).strip())
        return clone


def in_one_process(*stages: str) -> list[str]:
    """The command that runs stages, which must all end well, one after the other."""
    script = "import runpy, sys\nfor path in sys.argv[1:]:\n    sys.argv = [path]\n"
    script += "    runpy.run_path(path, run_name='__main__')\n"
    return ["python", "-c", script, *(f"stages/{name}.py" for name in stages)]


def create(root: Path, **shop: int) -> Project:
    """A repository with one commit: code, parameters and the shop, without any result.

    Args:
        root: its folder, which is made.
        shop: arguments of `write_shop` other than its folder.
    """
    project = _copied(root, *NOT_COPIED, SAMPLE)
    write_shop(root / SHOP, **shop)
    params = yaml.safe_load(project.read("params.yaml"))
    merged = {
        name: section | FAST.get(name, {}) for name, section in params.items() if name in FAST
    }
    text = yaml.safe_dump(params | merged, sort_keys=False)
    project.path("params.yaml").write_text(text, encoding="utf-8")
    project.git("init", "--quiet")
    project.commit("A shop")
    return project


def create_sample(root: Path) -> Project:
    """The same with the sample data and the parameters that go with it."""
    project = _copied(root, *NOT_COPIED)
    project.git("init", "--quiet")
    project.commit("The sample data")
    return project


def _copied(root: Path, *but: str) -> Project:
    """A folder with what git tracks here, or would after `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, encoding="utf-8"
    ).stdout.splitlines()
    for name in listed:
        if not name.startswith(but) and (REPOSITORY / name).is_file():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target)
    return Project(root)


def write_shop(folder: Path, num_users: int = 40, num_items: int = 30, per_user: int = 15) -> None:
    """CSV tables of a shop whose users mostly choose from one of three groups of items.

    Ids are strings that look like numbers: 007. Three more items were never chosen. Each table has
    columns that nobody declares, of personal and of other data.
    """
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(num_users), per_user)
    own = rng.integers(0, num_items // 3, len(users)) * 3 + users % 3
    items = np.where(rng.random(len(users)) < 0.9, own, rng.integers(0, num_items, len(users)))
    events = pd.DataFrame(
        {
            "user_id": pd.Series(users).map(id_of),
            "item_id": pd.Series(items).map(id_of),
            "timestamp": 1_700_000_000 + rng.permutation(len(users)),
            "ip_address": canaries(len(users)),
        }
    )
    folder.mkdir(parents=True)
    events.to_csv(folder / "interactions.csv", index=False)
    groups, cities = ["books", "games", "music"], ["Lima", "Quito"]
    num_items += UNSOLD
    pd.DataFrame(
        {
            "item_id": [id_of(item) for item in range(num_items)],
            "category": [groups[item % 3] for item in range(num_items)],
            "price": np.round(rng.uniform(1, 50, num_items), 2),
            "supplier": canaries(num_items),
        }
    ).to_csv(folder / "items.csv", index=False)
    pd.DataFrame(
        {
            "user_id": [id_of(user) for user in range(num_users)],
            "city": [cities[user % 2] for user in range(num_users)],
            **dict.fromkeys(("email", "phone", "full_name"), canaries(num_users)),
        }
    ).to_csv(folder / "users.csv", index=False)


def id_of(number: int) -> str:
    """007 for 7."""
    return f"{number:03d}"


def canaries(count: int) -> list[str]:
    """Different values that are found wherever they go."""
    return [f"{CANARY} {number}" for number in range(count)]
