from dataclasses import replace

import pandas as pd

from twotower.artifacts import Artifacts
from twotower.report.item_map import item_groups
from twotower.report.people import LENGTH, Person, choose_users, people
from twotower.report.sources import Sources
from twotower.serving import Recommender


def shown(sources: Sources, *, anonymous: bool = False) -> list[Person]:
    return people(sources, item_groups(sources.model.artifacts), anonymous=anonymous)


def test_users_are_chosen_evenly_by_activity() -> None:
    users = [user for user in range(19) for _ in range(user + 1)]  # user u has u + 1 rows
    assert choose_users(pd.Series(users[::-1])) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert choose_users(pd.Series(["b", "a", "b"])) == ["a", "b"]


def test_history_is_the_latest_first_and_each_item_once(sources: Sources) -> None:
    rows = pd.concat([sources.splits["train"], sources.splits["validation"]])
    assert len(shown(sources)) == 10
    for person in shown(sources):
        mine = rows[rows["user_id"] == person.name.removeprefix("User ")]
        latest = mine.sort_values("timestamp", ascending=False)["item_id"].drop_duplicates()
        titles = [sources.titles.get(item, f"item {item}") for item in latest[:LENGTH]]
        assert [item.title for item in person.history] == titles
        assert person.num_rows == len(mine)


def test_recommendations_are_those_of_the_model_with_what_came_true(sources: Sources) -> None:
    test = sources.splits["test"]
    seen = pd.concat([sources.splits["train"], sources.splits["validation"]])
    found = 0
    for person in shown(sources):
        user = person.name.removeprefix("User ")
        (items,) = sources.model.recommend([user], LENGTH).item_ids
        new = set(test[test["user_id"] == user]["item_id"]) - set(
            seen[seen["user_id"] == user]["item_id"]
        )
        expected = [(sources.titles.get(item, f"item {item}"), item in new) for item in items]
        assert [(item.title, item.found) for item in person.recommended] == expected
        assert person.num_new == len(new)
        assert person.num_found == len(new & set(items))
        found += person.num_found
    assert found > 0


def test_a_model_that_was_trained_on_the_test_split_finds_nothing(sources: Sources) -> None:
    artifacts = sources.model.artifacts
    everything: Artifacts = replace(
        artifacts, meta={**artifacts.meta, "trained_on": ["train", "validation", "test"]}
    )
    for person in shown(replace(sources, model=Recommender(everything))):
        assert person.num_new == 0
        assert not any(item.found for item in person.recommended)


def test_ids_can_be_masked(sources: Sources) -> None:
    masked = shown(sources, anonymous=True)
    assert [person.name for person in masked] == [f"User {number}" for number in range(1, 11)]
    assert [person.history for person in masked] == [person.history for person in shown(sources)]


def test_where_users_are_held_out_whole_new_users_are_shown(sources: Sources) -> None:
    test = sources.splits["test"]
    history = pd.concat([sources.splits["train"], sources.splits["validation"]])
    history = history[history["user_id"].isin(test["user_id"].unique()[:3])]
    found = shown(replace(sources, splits={**sources.splits, "test_history": history}))
    assert len(found) == 3
    for person in found:
        mine = history[history["user_id"] == person.name.removeprefix("User ")]
        items = sources.model.recommend_from_history(mine["item_id"].tolist(), LENGTH).item_ids[0]
        titles = [sources.titles.get(item, f"item {item}") for item in items]
        assert [item.title for item in person.recommended] == titles
        assert person.source == "fold-in"
        assert person.num_rows == len(mine)
        assert person.num_new > 0
