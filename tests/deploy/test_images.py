"""The files of deploy/ agree with each other, with the command line and with the package."""

import fnmatch
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from setup import SHIPPED
from tests.cli.command import twotower
from tests.conftest import REPOSITORY
from twotower.cli.serve import SHUTDOWN, serve

DEPLOY = REPOSITORY / "deploy"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = re.sub(
    r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.M
).replace("\\\n", " ")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
OBJECTS = {
    each["kind"]: each
    for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
}
POD = OBJECTS["Deployment"]["spec"]["template"]["spec"]
CONTAINERS = [*POD["initContainers"], *POD["containers"]]
SERVICE = next(each for each in CONTAINERS if each["name"] == "service")
OWN = {f"twotower-{target}:{PROJECT['version']}" for target in ("serve", "pipeline")}
USER = "10001"


def instructions(name: str, stage: str = "") -> list[str]:
    """What follows the instruction, in one stage or in all."""
    parts = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.M)
    chosen = "".join(part for part in parts if not stage or f" AS {stage}\n" in part)
    return re.findall(rf"^{name} +(.*)$", chosen, re.M)


def entry() -> list[str]:
    """Program and arguments of the service's image."""
    (line,) = instructions("ENTRYPOINT", "serve")
    words: list[str] = yaml.safe_load(line)
    return words


def is_sent(path: str) -> bool:
    """Whether the builder may read it: the last line of .dockerignore that matches decides."""
    sent = True
    for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parents = [path, *map(str, Path(path).parents)]
        names = parents if "**/" not in line else Path(path).parts
        if not line.startswith("#") and any(fnmatch.fnmatch(name, pattern) for name in names):
            sent = line.startswith("!")
    return sent


def test_what_is_copied_exists_and_is_sent() -> None:
    copied = [line.split() for line in instructions("COPY")]
    sources = [name for line in copied if "--from" not in line[0] for name in line[:-1]]
    assert "deploy/requirements-serve.txt" in sources
    for name in {*sources} - {"."}:
        assert (REPOSITORY / name).is_file()
        assert is_sent(name)


def test_what_the_wheel_is_made_of_is_sent_and_nothing_else() -> None:
    needed = ["pyproject.toml", "setup.py", PROJECT["readme"], *PROJECT["license-files"]]
    needed += ["twotower/cli/serve.py", "twotower/report/page.html"]
    for pattern in SHIPPED:
        needed += [path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob(pattern)]
    assert [name for name in needed if not is_sent(name)] == []
    for name in ("deploy/.env", ".git/config", "data/sample.csv", "twotower/x/__pycache__/y.pyc"):
        assert not is_sent(name), name


def test_images_of_others_have_a_version() -> None:
    stages = re.findall(r" AS (\S+)$", DOCKERFILE, re.M)
    bases = {line.split()[0] for line in instructions("FROM")} - set(stages)
    used = {each["image"] for each in COMPOSE["services"].values()}
    for image in bases | used | {each["image"] for each in CONTAINERS}:
        assert image in OWN or re.search(r":v?\d+[\d.]*\d(-[a-z]+)*$", image), image
    built = {s["image"]: s["build"]["target"] for s in COMPOSE["services"].values() if "build" in s}
    assert built == {image: image.removeprefix("twotower-").split(":")[0] for image in OWN}
    assert {each["image"] for each in CONTAINERS} == OWN


def test_qdrant_is_of_a_version_that_its_client_supports() -> None:
    (server,) = re.findall(r":v1\.(\d+)\.", COMPOSE["services"]["qdrant"]["image"])
    pinned = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    (client,) = re.findall(r"^qdrant-client==1\.(\d+)\.", pinned, re.M)
    assert abs(int(server) - int(client)) <= 1


def test_the_extras_exist() -> None:
    (extras,) = re.findall(r"\$\{wheel\}\[(.*?)\]", DOCKERFILE)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_the_python_is_one_that_is_tested() -> None:
    (version,) = re.findall(r"^FROM python:(\d+\.\d+)-slim", DOCKERFILE, re.M)
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_nothing_runs_as_root_or_writes_into_its_image() -> None:
    for target in ("serve", "pipeline"):
        assert instructions("USER", target) == [f"{USER}:{USER}"]
    pod = POD["securityContext"]
    assert pod["runAsNonRoot"]
    assert {pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]} == {int(USER)}
    for each in CONTAINERS:
        security = each["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert each["resources"].keys() == {"requests", "limits"}
    for service in COMPOSE["services"].values():
        if service["image"] in OWN:
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]


def test_the_ports_are_those_of_the_command_line() -> None:
    port = inspect.signature(serve).parameters["port"].default
    words = entry()
    assert words[words.index("--port") + 1] == str(port)
    assert instructions("EXPOSE", "serve") == [str(port)]
    assert f"127.0.0.1:{port}/health" in instructions("HEALTHCHECK", "serve")[0]
    assert COMPOSE["services"]["service"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    (named,) = SERVICE["ports"]
    assert named["containerPort"] == port
    probes = [probe["httpGet"] for name, probe in SERVICE.items() if name.endswith("Probe")]
    assert probes == [{"path": "/health", "port": named["name"]}] * 3
    assert [each["targetPort"] for each in OBJECTS["Service"]["spec"]["ports"]] == [named["name"]]


def test_the_entry_point_is_a_command(tmp_path: Path) -> None:
    program, command, *options = entry()
    folder = options[options.index("--artifacts") + 1]
    assert program == "twotower"
    said = twotower(command, *options[:-1], tmp_path / "none", status=1).stderr
    assert f"error: {tmp_path / 'none'}: " in said
    for fetch in (COMPOSE["services"]["model"], POD["initContainers"][0]):
        assert fetch["command"] == [program, "registry", "fetch", "--out", folder]


def test_requests_may_end_before_the_service_is_killed() -> None:
    grace = int(COMPOSE["services"]["service"]["stop_grace_period"].removesuffix("s"))
    assert grace > SHUTDOWN
    (pause,) = SERVICE["lifecycle"]["preStop"]["exec"]["command"][1:]
    assert POD["terminationGracePeriodSeconds"] > int(pause) + SHUTDOWN


def test_there_is_no_password_by_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOY / "env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", example, re.M))
    used = set(re.findall(r"\$\{(\w+)", text)) | {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"}
    assert used == given.keys()
    for name in used:
        if name.endswith(("PASSWORD", "KEY")):
            assert given[name] == ""
            assert set(re.findall(rf"\$\{{{name}(.*?)\}}", text)) == {":?set it in deploy/.env"}
    assert "/deploy/.env" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "Deployment"])
def test_kubernetes_selects_the_pods(kind: str) -> None:
    spec: dict[str, Any] = OBJECTS[kind]["spec"]
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"].get("matchLabels", spec["selector"]) == labels
