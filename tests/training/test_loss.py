import math

import pytest
import torch

from twotower.training.loss import accidental_hits, in_batch_softmax, squared_error

ITEMS = torch.tensor([0, 1])
QUERY = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
CANDIDATE = torch.tensor([[1.0, 1.0], [3.0, 0.5]])


def test_softmax_by_hand() -> None:
    # Logits: row 0 is (1, 3), row 1 is (2, 1); the positive is on the diagonal.
    rows = [math.log(math.exp(1) + math.exp(3)) - 1, math.log(math.exp(2) + math.exp(1)) - 1]
    assert in_batch_softmax(QUERY, CANDIDATE, ITEMS).item() == pytest.approx(sum(rows) / 2)


def test_temperature_divides_before_log_q_is_subtracted() -> None:
    # Logits / 0.5: (2, 6) and (4, 2); minus log q of each column: q = (0.25, 0.75).
    log_q = torch.tensor([0.25, 0.75]).log()
    a, b = -math.log(0.25), -math.log(0.75)
    rows = [
        math.log(math.exp(2 + a) + math.exp(6 + b)) - (2 + a),
        math.log(math.exp(4 + a) + math.exp(2 + b)) - (2 + b),
    ]
    loss = in_batch_softmax(QUERY, CANDIDATE, ITEMS, log_q=log_q, temperature=0.5)
    assert loss.item() == pytest.approx(sum(rows) / 2)


def test_accidental_hits_are_masked() -> None:
    # Rows 0 and 2 hold the same item: neither is a negative of the other.
    items = torch.tensor([5, 6, 5])
    assert accidental_hits(items).tolist() == [
        [False, False, True],
        [False, False, False],
        [True, False, False],
    ]
    query, candidate = torch.eye(3), torch.eye(3)
    # Rows 0 and 2: own logit 1 against one 0; row 1: own 1 against two 0s.
    two, three = math.log(math.e + 1) - 1, math.log(math.e + 2) - 1
    loss = in_batch_softmax(query, candidate, items)
    assert loss.item() == pytest.approx((2 * two + three) / 3)


def test_weights_make_a_weighted_mean() -> None:
    rows = [math.log(math.exp(1) + math.exp(3)) - 1, math.log(math.exp(2) + math.exp(1)) - 1]
    loss = in_batch_softmax(QUERY, CANDIDATE, ITEMS, weight=torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx((rows[0] + 3 * rows[1]) / 4)


def test_all_weights_zero_is_zero() -> None:
    assert in_batch_softmax(QUERY, CANDIDATE, ITEMS, weight=torch.zeros(2)).item() == 0.0


def test_squared_error_by_hand() -> None:
    # Inner products 1 and 1, targets 0.5 and 3: (0.25 + 4) / 2.
    loss = squared_error(QUERY, CANDIDATE, torch.tensor([0.5, 3.0]))
    assert loss.item() == pytest.approx(2.125)


@pytest.mark.parametrize("loss", [in_batch_softmax, squared_error])
def test_shapes_must_agree(loss) -> None:
    with pytest.raises(ValueError, match="shapes disagree"):
        loss(QUERY, CANDIDATE[:1], ITEMS)
