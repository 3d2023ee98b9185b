"""The users of a sample, and what is left of the rows."""

from pathlib import Path

import numpy as np

from tests.conftest import events, split_by_user, write_prepared
from twotower.config import parse_config
from twotower.search.trial_data import SearchRows, TrialData


def test_a_share_of_the_users_keeps_all_of_theirs(prepared: Path) -> None:
    whole = SearchRows.read(prepared)
    assert whole.of_share(1.0, 42) is whole
    half, fifth = (whole.of_share(share, 42) for share in (0.5, 0.2))
    users, fewer = (set(rows.catalogue.users.vocabulary.ids) for rows in (half, fifth))
    assert 0 < len(fewer) < len(users) < len(whole.catalogue.users)
    assert fewer < users
    for name in ("train", "validation"):
        rows, of_all = getattr(half, name), getattr(whole, name)
        assert rows.equals(of_all[of_all["user_id"].isin(users)])
    assert len(half.catalogue.items) == len(whole.catalogue.items)
    assert users != set(whole.of_share(0.5, 43).catalogue.users.vocabulary.ids)


def test_a_sample_is_trained_on_and_scored(prepared: Path) -> None:
    config = parse_config({})
    whole = SearchRows.read(prepared)
    half, data = (TrialData.of(rows, config) for rows in (whole.of_share(0.5, 42), whole))
    sampled = half.catalogue.users.vocabulary.ids
    users = sampled[half.target.users]
    places = data.catalogue.users.vocabulary.encode(users)
    rows = np.flatnonzero(np.isin(data.target.users, places))
    assert len(rows) == len(half.target) > 0
    assert half.target.relevant.items.tolist() == data.target.relevant.select(rows).items.tolist()
    counts = {"num_train_rows": len(half.interactions), "num_train_users": len(sampled)}
    assert half.counts() == {**counts, "num_users": len(users)}


def test_users_who_are_held_out_whole_stay(tmp_path: Path) -> None:
    whole = SearchRows.read(write_prepared(tmp_path, split_by_user(events(seed=0))))
    half = whole.of_share(0.5, 42)
    assert len(half.train) < len(whole.train)
    assert half.validation.equals(whole.validation)
    assert half.history.equals(whole.history)
