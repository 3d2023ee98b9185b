"""What a project consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twotower.common.choices import Table
from twotower.common.files import write_text
from twotower.common.sources import source_root
from twotower.project.shell import quoted
from twotower.project.stage_code import project_dvc_yaml

DEVELOPMENT = "# Only of the repository:\n"
"""Lines of .gitignore from this one on are not for projects."""
README = Path(__file__).with_name("project_readme.md")
RAW = "data/raw"
"""Where exports are expected if no folder is given; what the README has is replaced by another."""
GIVEN = "Give them to DVC, which keeps data out of git, and commit the rest:"
ELSEWHERE = "Commit the settings; the exports stay where they are, outside of git and DVC:"
JOB = ".ci/retrain"
WORKFLOW = ".github/workflows/retrain.yml"


@dataclass(frozen=True)
class Part:
    """Files of a project that are the repository's own, or nearly.

    Attributes:
        name: their path, or a pattern.
        adapted: text of the repository's file → that of the project's.
        weekly: whether it is only for `--weekly`.
    """

    name: str
    adapted: Callable[[str], str] = str
    weekly: bool = False


def _without_development(text: str) -> str:
    return text.partition(DEVELOPMENT)[0]


def _with_an_installed_package(text: str) -> str:
    """The workflow, where pip installs what a variable names instead of the checkout."""
    fetch = "      FETCH_DATA: ${{ vars.FETCH_DATA }}\n"
    install = '"${TWOTOWER:?set this variable to what pip installs}"'
    return text.replace(fetch, f"{fetch}      TWOTOWER: ${{{{ vars.TWOTOWER }}}}\n").replace(
        '-e ".[s3]"', install
    )


PARTS = Table(
    "file of a project",
    Part("dvc.yaml", project_dvc_yaml),
    Part("stages/*.py"),
    Part(".dvc/plots/*.json"),
    Part(".gitignore", _without_development),
    Part(".gitattributes"),
    Part(".dvcignore"),
    Part("params.schema.json"),
    Part("constraints.txt"),
    Part("data/start_model/start.json"),
    Part(JOB, weekly=True),
    Part(WORKFLOW, _with_an_installed_package, weekly=True),
)


def _readme(root: str) -> str:
    """The README, of exports in a folder of the project or elsewhere."""
    text = README.read_text(encoding="utf-8")
    if Path(root).is_absolute():
        text = text.replace(f"   $ dvc add {RAW}\n", "").replace(GIVEN, ELSEWHERE)
    return text.replace(f"`{RAW}`", f"`{root}`").replace(RAW, quoted(root))


def write_parts(folder: Path, root: str, *, weekly: bool) -> list[str]:
    """Write all of them, and a README; return their paths, sorted.

    Args:
        folder: an empty one.
        root: `data.root` of the project.
        weekly: whether the weekly retraining is one of them.
    """
    source, texts = source_root(), {"README.md": _readme(root)}
    for part in PARTS.values():
        if weekly or not part.weekly:
            for path in source.glob(part.name):
                text = part.adapted(path.read_text(encoding="utf-8"))
                texts[path.relative_to(source).as_posix()] = text
    for name, text in texts.items():
        write_text(folder / name, text)
    if weekly:
        (folder / JOB).chmod(0o755)
    return sorted(texts)
