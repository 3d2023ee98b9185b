"""The page: complete, escaped, and silent about who the users are."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.report.conftest import TITLES, run_pipeline
from twotower.common.errors import ArtifactError, ConfigError, DataError
from twotower.common.git import git
from twotower.plots.interpretation import interpret
from twotower.plots.pages import SCRIPT, with_commands
from twotower.report import write_report
from twotower.report.page import _tone, render
from twotower.report.sources import Sources, read_sources

FAIR = "signal, but ease is better (by 0.0145, p 0.0004)"


@pytest.fixture(scope="module")
def other(sources: Sources) -> str:
    """An anonymous page in which most figures of the sources differ."""
    dropped = {"interactions": {"rows": 360, "dropped": {"total": 2, "blank_user": 2}}}
    change = {"rule": "max_rows", "value": 1.0456, "limit": 2.0, "text": "104 rows, <b>"}
    changes = [change, {**change, "limit": None}]
    metrics = sources.metrics | {
        "data": sources.metrics["data"] | {"read": dropped, "changes": changes},
        "verdict": sources.metrics["verdict"] | {"sentence": FAIR},
    }
    return render(replace(sources, metrics=metrics, looks=14), anonymous=True)


def text_of(page: str) -> str:
    """The page without its scripts."""
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def test_every_section_is_there_with_what_the_files_say(page: str, sources: Sources) -> None:
    text = text_of(page)
    targets = re.findall(r'href="#(\w+)"', text)
    assert len(targets) == 8
    assert all(f'<section id="{target}"' in text for target in targets)
    assert f"Verdict: {html.escape(sources.metrics['verdict']['sentence'])}" in text
    for line in interpret(sources.search):
        assert line in html.unescape(re.sub("</?code>", "", text))
    assert f"<td>{sources.metrics['test']['popularity']['recall_at_10']:.4f}</td>" in text
    assert sources.results["provenance"]["torch"] in text
    assert sources.results["identity"] in text


def test_commands_are_set_apart_and_all_else_is_escaped() -> None:
    line = "<b> is low: dvc exp run -S 'a=[\"<&\"]'; more: twotower preset x.yaml"
    assert with_commands(line) == (
        "&lt;b&gt; is low: <code>dvc exp run -S &#39;a=[&#34;&lt;&amp;&#34;]&#39;</code>; "
        "more: <code>twotower preset x.yaml</code>"
    )


def test_ids_of_elements_are_unique(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', text_of(page))
    assert len(ids) > 20
    assert len(ids) == len(set(ids))


def test_all_text_is_escaped(page: str) -> None:
    for title in TITLES[:2]:
        assert title not in page
    assert "&lt;script&gt;alert(&#39;pwned&#39;)&lt;/script&gt;" in page
    assert "&#34;Quoted&#34; &amp; &#39;all&#39;" in page
    assert "a&lt;b" in text_of(page)
    assert "Ñandú 🦙" in page


def test_the_script_is_there_once_and_the_network_is_not(page: str) -> None:
    assert page.count("/**\n* plotly.js v") == 1
    assert SCRIPT not in page
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)=", text_of(page))


def test_anonymous_pages_hold_no_user_id(page: str, other: str, sources: Sources) -> None:
    users = {str(user) for user in sources.rows["user_id"]}
    assert sum(html.escape(user) in page for user in users) == 10
    assert "@example.org" not in other
    assert "User 10" in other


def test_a_model_without_test_scores(changed: Callable[..., Sources]) -> None:
    blind = render(
        changed("metrics/verdict.json", scored=False, reason="refit.score_test is false")
    )
    text = text_of(blind)
    assert "<h2>The model was not scored</h2>" in text
    assert text.count("No test scores: refit.score_test is false.") == 2
    assert "Ten users" in text


@pytest.mark.parametrize(
    ("sentence", "tone"),
    [("beats every baseline", "good"), (FAIR, "fair"), ("no better than random", "poor")],
)
def test_the_verdict_has_a_tone(sentence: str, tone: str) -> None:
    assert _tone(sentence) == tone


def test_the_verdict_is_shown_in_its_tone(other: str) -> None:
    assert 'class="verdict fair"' in other
    assert f"Verdict: {FAIR}" in other


def test_several_looks_are_said(page: str, other: str) -> None:
    assert "which was scored once." in text_of(page)
    assert "<p>This test split has been looked at 14 times: with" in other
    assert "scored once" not in text_of(other)


def test_data_without_times_validation_or_features(tmp_path: Path) -> None:
    """And a final model that was trained on the test split, after it was scored."""
    data = {
        "interactions": {"columns": {"timestamp": False}},
        "items": {"file": False},
        "users": {"features": {}},
    }
    changes = {"split": {"validation": 0}, "refit": {"final": "all", "seeds": 1}}
    text = text_of(render(read_sources(run_pipeline(tmp_path / "shop", data=data, **changes))))
    assert "The search has no trials" in text
    assert "The data has no times." in text
    assert re.search(r"item 1\d\d\d", text)
    assert "later item" not in text


def test_what_is_not_used_is_said(page: str, other: str) -> None:
    assert "<li>interactions: dropped 2 of 360 rows: 2 blank_user</li>" in other
    assert "What is not used" not in page


def test_what_changed_since_the_last_run_is_shown(page: str, other: str) -> None:
    row = '<td class="text">104 rows, &lt;b&gt;</td><td>1.05</td><td>{}</td><td>max_rows</td>'
    assert row.format("2") in other
    assert row.format("none") in other
    assert "since the last run" not in page


def test_outside_a_repository_there_is_no_commit(page: str) -> None:
    assert "git checkout" not in page
    assert "dvc repro " in page


def test_dvc_pull_is_named_only_where_the_commit_has_the_lock(copy: Path, sources: Sources) -> None:
    def commit(*names: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        assert git(copy, "add", "--", *names) is not None
        assert git(copy, *author, "commit", "--quiet", "--message", "x") is not None

    there, lock = replace(sources, root=copy), copy / "dvc.lock"
    assert git(copy, "init", "--quiet") is not None
    commit("params.yaml")
    assert not there.is_lock_committed  # there is none
    lock.write_text("one", encoding="utf-8")
    assert not there.is_lock_committed
    commit("dvc.lock")
    assert there.is_lock_committed
    committed = render(there)
    lock.write_text("another", encoding="utf-8")
    assert not there.is_lock_committed
    changed = render(there)
    assert "\ndvc pull " in committed
    assert "lacks dvc.lock" not in committed
    assert "git checkout" in changed
    assert "\ndvc pull " not in changed
    assert "That commit lacks dvc.lock" in changed


def test_a_folder_is_no_file(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; --out names the file to write"):
        write_report(tmp_path, finished)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file, so nothing can be put there"):
        write_report(tmp_path / "file" / "report.html", finished)


@pytest.mark.parametrize(
    "name",
    [
        "hpo_results.json",
        "metrics/verdict.json",
        "metrics/data.json",
        "data/prepared/titles.parquet",
    ],
)
def test_a_missing_file_is_named_with_what_to_run(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: no such file; run .*dvc"):
        read_sources(copy)


def test_a_damaged_file_and_a_missing_model(copy: Path) -> None:
    (copy / "metrics" / "verdict.json").write_text('{"scored": true}', encoding="utf-8")
    with pytest.raises(DataError, match=r"verdict\.json: .*refit stage \(it has no '\w+'\); run"):
        write_report(copy / "report.html", copy)
    (copy / ".artifacts_best" / "item_vecs.npy").unlink()
    with pytest.raises(ArtifactError, match="not a complete model folder"):
        read_sources(copy)
    (copy / "metrics" / "slices.json").write_text("[1", encoding="utf-8")
    with pytest.raises(DataError, match=r"slices\.json: not a file of the refit stage"):
        read_sources(copy)
