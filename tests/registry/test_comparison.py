"""Two models on the same test rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.registry.conftest import GOOD, Workspace
from twotower.artifacts import Artifacts, load_artifacts
from twotower.assessment.clusters import CLUSTERS, write_clusters
from twotower.config.assessing import AssessConfig
from twotower.data.prepared import read_parts
from twotower.registry.comparison import ChampionComparison, compare

USERS, ITEMS = 30, 20
CHOSEN = {"train": (0, 7), "validation": (3,), "test": (11,)}
"""User u has the items u + n of each part, modulo ITEMS."""


@pytest.fixture
def scored(workspace: Workspace) -> Workspace:
    """Data in which each user has one test item."""
    rows = {
        part: [(user, (user + n) % ITEMS, place) for user in range(USERS) for n in offsets]
        for place, (part, offsets) in enumerate(CHOSEN.items())
    }
    names = ["user_id", "item_id", "timestamp"]
    workspace.new_data(
        {
            part: pd.DataFrame(found, columns=names).assign(weight=1.0)
            for part, found in rows.items()
        }
    )
    return workspace


def ranking(artifacts: Artifacts, ranks: Sequence[int]) -> Artifacts:
    """A model that puts each user's test item at that rank of the items new to the user."""
    scores = np.zeros((USERS, ITEMS), np.float32)
    for user, rank in enumerate(ranks):
        chosen = [(user + n) % ITEMS for offsets in CHOSEN.values() for n in offsets]
        others = np.setdiff1d(np.arange(ITEMS), chosen)
        scores[user, others[: rank - 1]], scores[user, chosen[-1]] = 2, 1
    return replace(artifacts, user_vecs=np.eye(USERS, dtype=np.float32), item_vecs=scores.T)


def compared(
    workspace: Workspace,
    candidate: Sequence[int],
    champion: Sequence[int],
    cluster: str | None = None,
) -> ChampionComparison:
    config = workspace.config.model_copy(update={"evaluate": AssessConfig(cluster=cluster)})
    artifacts = load_artifacts(workspace.model("any", GOOD))
    models = [ranking(artifacts, ranks) for ranks in (candidate, champion)]
    splits = read_parts(workspace.prepared)
    return compare(config, *models, splits, workspace.prepared, root=workspace.root)


def test_frequent_small_gains_do_not_outweigh_a_rare_large_loss_unseen(scored: Workspace) -> None:
    """The champion wins rarely but big. Sign flips, with p below 0.001, would replace it."""
    found = compared(scored, [4] * 28 + [3] * 2, [5] * 28 + [2] * 2)
    difference = (28 * (1 / 4 - 1 / 5) + 2 * (1 / 3 - 1 / 2)) / 30
    assert found.candidate - found.champion == pytest.approx(difference)
    assert found.num_users == USERS
    assert found.p_value > 0.1
    assert (found.beats, found.low < 0 < found.high) == (False, True)


def test_a_gain_that_such_a_loss_cannot_undo_is_enough(scored: Workspace) -> None:
    found = compared(scored, [2] * 28 + [3] * 2, [5] * 28 + [2] * 2)
    assert (found.beats, found.low > 0) == (True, True)
    start = "mrr over 30 users: candidate 0.4889, champion 0.2200, difference +0.2689 [+0."
    assert str(found).startswith(start)
    assert found.figures == f"+0.2689, p {found.p_value:.4f}"


def test_users_of_a_household_are_one_draw(scored: Workspace) -> None:
    ranks = [2] * 18 + [3] * 12, [4] * 18 + [2] * 12
    alone = compared(scored, *ranks)
    households = pa.chunked_array([[str(user // 3) for user in range(USERS)]])
    write_clusters(scored.prepared / CLUSTERS, pa.array(range(USERS)), households)
    found = compared(scored, *ranks, cluster="household")
    assert (found.candidate, found.champion) == (alone.candidate, alone.champion)
    assert found.p_value > alone.p_value
    assert found.low < alone.low
    assert str(found).startswith("mrr over 30 users in 10 clusters: candidate ")


def test_equal_models_stay_where_they_are(scored: Workspace) -> None:
    found = compared(scored, [3] * USERS, [3] * USERS)
    assert (found.candidate, found.p_value, found.beats) == (pytest.approx(1 / 3), 1.0, False)
