"""What a search leaves out, as it does nothing on the data."""

from typing import Any

import pandas as pd

from tests.conftest import catalogue_of, events
from twotower.config import Config, parse_config
from twotower.config.effects import DataFacts
from twotower.search.data_facts import facts_of, without_entries

DECAY = {"type": "float", "low": 0.0, "high": 0.6, "step": 0.2}
LR = {"type": "float", "low": 1e-3, "high": 0.1, "log": True}
NO_ORDER = "no user has events of different times"


def facts(frame: pd.DataFrame, *, features: bool = False) -> DataFacts:
    catalogue = catalogue_of(frame, features=features)
    return facts_of(catalogue, catalogue.encode(frame))


def config(space: dict[str, Any], **hpo: Any) -> Config:
    return parse_config({"hpo": {"search_space": space, **hpo}})


def test_facts_of_a_split() -> None:
    frame = events(seed=0)
    found = facts(frame, features=True)
    assert (found.num_rows, found.num_users) == (len(frame), frame["user_id"].nunique())
    assert found.num_items == frame["item_id"].nunique()
    assert (found.has_order, found.user_features, found.item_features) == (True, False, True)


def test_order_is_within_a_user() -> None:
    frame = events(seed=0)
    assert not facts(frame.assign(timestamp=0)).has_order
    assert not facts(frame.assign(timestamp=frame["user_id"])).has_order


def test_what_does_nothing_leaves_the_space() -> None:
    bare = facts(events(seed=0).assign(timestamp=0))
    start = {"init": {"type": "categorical", "choices": ["random", "ridge"]}, "lr": LR}
    decays = {
        "history_decay": DECAY | {"only_if": {"init": "random"}},
        "slow_decay": DECAY | {"sets": "history_decay", "only_if": {"init": "ridge"}},
    }
    settings = config(start | decays)
    left_out = settings.search_space.without_effect(bare)
    assert left_out == {"history_decay": NO_ORDER, "slow_decay": NO_ORDER}
    assert without_entries(settings, left_out).search_space.searched.keys() == {"init", "lr"}
    assert settings.search_space.without_effect(facts(events(seed=0))) == {}
    # What another entry depends on stays, and what is pinned was not searched.
    named = {"temperature": LR | {"only_if": {"history_decay": 0.2}}, "history_decay": DECAY}
    assert config(named).search_space.without_effect(bare) == {}
    depends = {"lr": LR | {"only_if": {"recent": 0.2}}, "init": start["init"]}
    recent = {"type": "categorical", "choices": [0.2], "only_if": {"init": "ridge"}}
    settled = config(depends | {"recent": recent | {"sets": "history_decay"}})
    assert settled.search_space.without_effect(bare) == {}
    chain = {"history_half_life": LR | {"only_if": {"history_decay": 0.2}}, "history_decay": DECAY}
    assert config(start | chain).search_space.without_effect(bare) == {
        "history_decay": NO_ORDER,
        "history_half_life": NO_ORDER,
    }
    pinned = config(start | decays, fixed={"history_decay": 0.2})
    assert pinned.search_space.without_effect(bare) == {}


def test_nothing_may_be_left() -> None:
    settings = config({"history_decay": DECAY})
    bare = facts(events(seed=0).assign(timestamp=0))
    left_out = settings.search_space.without_effect(bare)
    assert without_entries(settings, left_out).search_space.searched == {}
