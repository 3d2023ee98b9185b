"""`twotower report` after `dvc repro`: titles reach the page, and nothing else."""

from tests.pipeline.project import Project


def test_titles_start_no_search_and_git_sees_no_report(project: Project) -> None:
    project.set("data.items.title", "category")
    output = project.dvc("repro")
    stages = ("prepare", "hpo", "refit", "visualize")
    assert [name for name in stages if f"Running stage '{name}'" in output] == ["prepare"]
    output = project.run("twotower", "report")
    assert output == f"report: {project.path('report.html').absolute()}\n"
    assert "<bdi>games" in project.read("report.html")
    changed = {line.split()[1] for line in project.git("status", "--porcelain").splitlines()}
    assert changed == {"dvc.lock", "params.yaml"}
