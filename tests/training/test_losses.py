import math

import pytest
import torch

from twotower.training.losses import (
    Batch,
    bayesian_personalised_ranking,
    bilateral_softmax,
    full_softmax,
    in_batch_softmax,
    sampled_softmax,
    squared_error,
)

ITEMS = torch.tensor([0, 1])
QUERY = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
CANDIDATE = torch.tensor([[1.0, 1.0], [3.0, 0.5]])


def batch_of(query=QUERY, candidate=CANDIDATE, item_idx=ITEMS, **more) -> Batch:
    """A batch whose rows weigh the same."""
    ones = torch.ones(len(query))
    return Batch(query, candidate, item_idx, **{"weight": ones, "target": ones, **more})


def test_softmax_by_hand() -> None:
    # Logits: row 0 is (1, 3), row 1 is (2, 1); the positive is on the diagonal.
    rows = [math.log(math.exp(1) + math.exp(3)) - 1, math.log(math.exp(2) + math.exp(1)) - 1]
    assert in_batch_softmax(batch_of()).item() == pytest.approx(sum(rows) / 2)


def test_temperature_divides_before_log_q_is_subtracted() -> None:
    # Logits / 0.5: (2, 6) and (4, 2); minus log q of each column: q = (0.25, 0.75).
    log_q = torch.tensor([0.25, 0.75]).log()
    a, b = -math.log(0.25), -math.log(0.75)
    rows = [
        math.log(math.exp(2 + a) + math.exp(6 + b)) - (2 + a),
        math.log(math.exp(4 + a) + math.exp(2 + b)) - (2 + b),
    ]
    loss = in_batch_softmax(batch_of(log_q=log_q, temperature=0.5))
    assert loss.item() == pytest.approx(sum(rows) / 2)


def test_accidental_hits_are_masked() -> None:
    # Rows 0 and 2 hold the same item: neither is a negative of the other.
    items = torch.tensor([5, 6, 5])
    query, candidate = torch.eye(3), torch.eye(3)
    # Rows 0 and 2: own logit 1 against one 0; row 1: own 1 against two 0s.
    two, three = math.log(math.e + 1) - 1, math.log(math.e + 2) - 1
    loss = in_batch_softmax(batch_of(query, candidate, items))
    assert loss.item() == pytest.approx((2 * two + three) / 3)


def test_weights_make_a_weighted_mean() -> None:
    rows = [math.log(math.exp(1) + math.exp(3)) - 1, math.log(math.exp(2) + math.exp(1)) - 1]
    loss = in_batch_softmax(batch_of(weight=torch.tensor([1.0, 3.0])))
    assert loss.item() == pytest.approx((rows[0] + 3 * rows[1]) / 4)


def test_all_weights_zero_is_zero() -> None:
    assert in_batch_softmax(batch_of(weight=torch.zeros(2))).item() == 0.0


def test_sampled_softmax_compares_with_the_drawn_items_alone() -> None:
    candidate = torch.cat([CANDIDATE, torch.tensor([[2.0, 0.0], [0.0, 1.0]])])
    items = torch.tensor([5, 6, 7, 5])
    q = torch.tensor([0.1, 0.2, 0.3, 0.4])
    # Row 0: positive 1, item 7 gives 2, and item 5 is its own. Row 1: positive 1; 0 and 2.
    own = [1 - math.log(0.1), 1 - math.log(0.2)]
    others = [[2 - math.log(0.3)], [0 - math.log(0.3), 2 - math.log(0.4)]]
    rows = [
        math.log(sum(map(math.exp, [positive, *negative]))) - positive
        for positive, negative in zip(own, others, strict=True)
    ]
    loss = sampled_softmax(batch_of(QUERY, candidate, items, log_q=q.log()))
    assert loss.item() == pytest.approx(sum(rows) / 2)


def test_sampled_softmax_of_rows_without_other_negatives_is_zero() -> None:
    query = QUERY.clone().requires_grad_()
    candidate = torch.cat([CANDIDATE, CANDIDATE[:1]])
    loss = sampled_softmax(batch_of(query, candidate, torch.tensor([5, 5, 5])))
    loss.backward()
    assert loss.item() == 0.0
    assert not query.grad.any()


def test_squared_error_by_hand() -> None:
    # Inner products 1 and 1, targets 0.5 and 3: (0.25 + 4) / 2.
    loss = squared_error(batch_of(target=torch.tensor([0.5, 3.0])))
    assert loss.item() == pytest.approx(2.125)


def test_extra_candidates_are_negatives_of_every_row() -> None:
    # Column 2 holds row 1's own item again: it is masked there, and a negative of row 0.
    items, candidate = torch.tensor([0, 1, 1]), torch.cat([CANDIDATE, torch.tensor([[2.0, 1.0]])])
    rows = [
        math.log(math.exp(1) + math.exp(3) + math.exp(2)) - 1,
        math.log(math.exp(2) + math.exp(1)) - 1,
    ]
    loss = in_batch_softmax(batch_of(QUERY, candidate, items))
    assert loss.item() == pytest.approx(sum(rows) / 2)


def test_without_the_positive_only_negatives_are_in_the_denominator() -> None:
    loss = bilateral_softmax(batch_of())
    assert loss.item() == pytest.approx(((3 - 1) + (2 - 1)) / 2)


def test_without_any_negative_nothing_is_learnt() -> None:
    query = QUERY.clone().requires_grad_()
    loss = bilateral_softmax(batch_of(query, item_idx=torch.tensor([4, 4])))
    loss.backward()
    assert loss.item() == 0.0
    assert query.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_full_softmax_by_hand() -> None:
    # Both positives are item 1; after them comes the catalogue, items 0 and 1, whose logits are
    # (1, 3) for row 0 and (2, 1) for row 1.
    rows = [math.log(math.exp(1) + math.exp(3)) - 3, math.log(math.exp(2) + math.exp(1)) - 1]
    candidate = torch.cat([CANDIDATE[[1, 1]], CANDIDATE])
    loss = full_softmax(batch_of(QUERY, candidate, torch.tensor([1, 1, 0, 1])))
    assert loss.item() == pytest.approx(sum(rows) / 2)


def naive_softmax(query, candidate, items, log_q, weight, *, positive_as_negative):
    """The loss as its formula reads, for autograd to differentiate."""
    logits = query @ candidate.T / 0.3 - log_q
    own = torch.eye(len(query), len(candidate), dtype=torch.bool)
    same = items[: len(query), None] == items[None, :]
    hidden = same & ~own if positive_as_negative else same
    positive = (logits * own).sum(dim=1)
    losses = logits.masked_fill(hidden, -torch.inf).logsumexp(dim=1) - positive
    return (losses * weight).sum() / weight.sum()


@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize("rows", [6, 4, 1])
@pytest.mark.parametrize("positive_as_negative", [True, False])
def test_gradients_are_those_of_the_formula(
    positive_as_negative, rows, queued, monkeypatch
) -> None:
    """However many rows the blocks have, and as a GPU computes them."""
    monkeypatch.setattr("twotower.training.softmax.is_queued", lambda _: queued)
    monkeypatch.setattr("twotower.training.softmax.DEVICE_BLOCK_SCORES", rows * 8)
    monkeypatch.setattr("twotower.training.softmax.BLOCK_SCORES", rows * 8)
    monkeypatch.setattr("twotower.training.softmax.MIN_BLOCK_ROWS", 1)
    generator = torch.Generator().manual_seed(0)
    items = torch.tensor([3, 1, 3, 0, 2, 5, 5, 1])
    query = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    candidate = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    log_q = torch.rand(8, generator=generator, dtype=torch.float64).log()
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0, 0.5, 1.0], dtype=torch.float64)
    results = []
    for ours in (True, False):
        inputs = query.clone().requires_grad_(), candidate.clone().requires_grad_()
        if ours:
            more = {"log_q": log_q, "temperature": 0.3, "weight": weight}
            batch = batch_of(*inputs, items, **more)
            value = in_batch_softmax(batch, positive_as_negative=positive_as_negative)
        else:
            value = naive_softmax(
                *inputs, items, log_q, weight, positive_as_negative=positive_as_negative
            )
        value.backward()
        results.append([value.detach(), *(tensor.grad for tensor in inputs)])
    for actual, expected in zip(*results, strict=True):
        assert torch.allclose(actual, expected)


def test_logits_far_apart_do_not_underflow() -> None:
    loss = in_batch_softmax(batch_of(temperature=0.001))
    assert loss.item() == pytest.approx((2000 + 1000) / 2)


def test_pairwise_ranking_by_hand() -> None:
    # Leads over the other row's item at temperature 0.5: (1 - 3) / 0.5 and (1 - 2) / 0.5.
    losses = [math.log1p(math.exp(4)), math.log1p(math.exp(2))]
    candidate = torch.cat([CANDIDATE, CANDIDATE.flip(0)])
    items = torch.tensor([0, 1, 1, 0])
    loss = bayesian_personalised_ranking(batch_of(QUERY, candidate, items, temperature=0.5))
    assert loss.item() == pytest.approx(sum(losses) / 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"candidate": CANDIDATE[:1]},
        {"candidate": CANDIDATE[:, :1]},
        {"candidate": CANDIDATE[:1], "item_idx": ITEMS[:1]},
        {"item_idx": ITEMS[:1]},
        {"weight": torch.ones(3)},
        {"target": torch.ones(3)},
        {"log_q": torch.zeros(3)},
    ],
)
def test_shapes_must_agree(wrong) -> None:
    with pytest.raises(ValueError, match=r"shapes disagree: query \[2, 2\], candidate"):
        batch_of(**wrong)
