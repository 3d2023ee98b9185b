"""The users of a sample, and what is left of the rows."""

from dataclasses import replace
from pathlib import Path

from tests.conftest import events, split_by_user, write_prepared
from twotower.config import parse_config
from twotower.search.trial_data import SearchRows, TrialData


def test_a_share_of_the_users_keeps_all_of_theirs(prepared: Path) -> None:
    whole = SearchRows.read(prepared)
    assert whole.trained_on(1.0, 42).scored_by(1.0, 42) is whole
    half, fifth = (whole.trained_on(share, 42) for share in (0.5, 0.2))
    users, fewer = (set(rows.catalogue.users.vocabulary.ids) for rows in (half, fifth))
    assert 0 < len(fewer) < len(users) < len(whole.catalogue.users)
    assert fewer < users
    assert half.train.equals(whole.train[whole.train["user_id"].isin(users)])
    scored = whole.scored_by(0.5, 42).validation
    assert scored.equals(whole.validation[whole.validation["user_id"].isin(users)])
    assert len(half.catalogue.items) == len(whole.catalogue.items)
    assert users != set(whole.trained_on(0.5, 43).catalogue.users.vocabulary.ids)


def test_all_shares_are_scored_by_the_same(prepared: Path) -> None:
    rows = SearchRows.read(prepared).scored_by(0.5, 42)
    half, whole = (TrialData.of(rows.trained_on(share, 42), parse_config({})) for share in (0.5, 1))
    ids = [data.catalogue.users.vocabulary.ids[data.target.users] for data in (half, whole)]
    assert ids[0].equals(ids[1])
    assert half.target.counts() == whole.target.counts()
    for name in ("relevant", "masked"):
        first, second = (getattr(data.target, name).items for data in (half, whole))
        assert first.tolist() == second.tolist()
    assert half.counts()["num_train_rows"] < whole.counts()["num_train_rows"]


def test_items_are_cold_that_nobody_at_all_has(prepared: Path) -> None:
    rows = SearchRows.read(prepared).scored_by(0.2, 42)
    cold = rows.validation["item_id"].iloc[0]
    rows = replace(rows, train=rows.train[rows.train["item_id"] != cold])
    config = parse_config({"split": {"cold_items": 0.1}})
    whole = TrialData.of(rows, config)
    fifth = TrialData.of(rows.trained_on(0.2, 42), config, whole)
    assert (fifth.held_out.item_counts > 0).sum() < (whole.held_out.item_counts > 0).sum()
    assert fifth.targets.keys() == whole.targets.keys() > {"all"}
    for name, target in whole.targets.items():
        assert fifth.targets[name].counts() == target.counts()


def test_users_who_are_held_out_whole_are_sampled_alike(tmp_path: Path) -> None:
    whole = SearchRows.read(write_prepared(tmp_path, split_by_user(events(seed=0))))
    half = whole.scored_by(0.5, 42)
    users = set(half.validation["user_id"])
    assert 0 < len(users) < whole.validation["user_id"].nunique()
    assert set(half.history["user_id"]) == users
