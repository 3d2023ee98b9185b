"""evaluate.cluster, from a column of the users table to the prepared file."""

import pandas as pd
import pytest

from tests.ingest.conftest import Shop
from twotower.assessment.clusters import CLUSTERS, read_clusters
from twotower.common.errors import DataError
from twotower.config import parse_config
from twotower.ingest import prepare
from twotower.ingest.summary import summary

USERS = "user_id,city,household\n1,Madrid, 7 \n2,Cadiz,7\n3,Cadiz,\n4,Cadiz,8\n"
EVENTS = "user,item\n" + "".join(f"{user},{item}\n" for user in (1, 2, 3) for item in (10, 11, 12))


def run(shop: Shop, cluster: str | None = "household") -> dict:
    config = {**shop.params(), "evaluate": {"cluster": cluster}}
    return prepare(parse_config(config), shop.output, shop.metrics)


@pytest.fixture
def homes(shop: Shop) -> Shop:
    shop.write("users.csv", USERS)
    shop.write("interactions.csv", EVENTS)
    return shop


def test_users_of_a_household_share_a_code(homes: Shop) -> None:
    report = run(homes)
    assert read_clusters(homes.output, pd.Index([1, 2, 3, 4]), "household").tolist() == [0, 0, 5, 1]
    # User 4 has no rows.
    assert report["clusters"] == {"total": 2, "largest": 2, "users_without": 1}
    line = "  2 clusters of users, the largest of 2 users; 1 user without one, each by itself"
    assert f"{line} (evaluate.cluster)" in summary(report).splitlines()


def test_only_the_file_of_clusters_and_the_report_change(homes: Shop) -> None:
    assert "clusters" not in run(homes, None)
    before = homes.files()
    run(homes)
    changed = {name for name, content in homes.files().items() if before[name] != content}
    assert changed == {f"data/prepared/{CLUSTERS}", "metrics/data.json"}


def test_a_feature_may_be_the_column_too(homes: Shop) -> None:
    homes.data["users"] = {"features": {"city": "categorical"}}
    assert run(homes, "city")["clusters"]["largest"] == 2
    assert "city" in homes.catalogue().users.features.columns


def test_a_missing_column_is_named_with_those_that_are_there(homes: Shop) -> None:
    rule = r"users\.csv: no column 'home' \(evaluate\.cluster\); available columns: user_id, city, "
    with pytest.raises(DataError, match=rule):
        run(homes, "home")


def test_a_missing_table_is_asked_for(homes: Shop) -> None:
    homes.bare(EVENTS)
    rule = (
        r"evaluate\.cluster declares household, but there is no users table \(looked for users\.csv"
        r".*set data\.users\.file, or evaluate\.cluster: null"
    )
    with pytest.raises(DataError, match=rule):
        run(homes)
