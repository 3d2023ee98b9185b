"""Exact ranking of the whole catalogue, in blocks of users, with ties broken by item index.

All of it happens where the scores are: of a scorer on a GPU only the rankings come back.
"""

from concurrent.futures import ThreadPoolExecutor
from math import isqrt
from threading import get_ident
from typing import Protocol

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.errors import TrainingError
from twotower.common.progress import track
from twotower.data.interactions import ItemLists, pair_keys
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import Rankings

BLOCK_SCORES = 2**24
"""Scores in memory at once. Constant, as the shape of a matrix product can change its bits."""
DEVICE_BLOCK_SCORES = 2**28
"""The same on a GPU, which smaller blocks do not keep busy: 1 GB."""
BLOCK_ROWS = 1024
"""Users of a block at most, on a CPU."""
GROUP_SIZE = 16
"""Items that are compared by the best of them, at most."""


class Scorer(Protocol):
    """Anything that scores the catalogue for a user: a model or a baseline."""

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32; a higher score ranks earlier. The caller may change it."""
        ...


class VectorScorer:
    """Inner products of user and item vectors.

    Attributes:
        user_vecs: [num_users, dim] float32.
        item_vecs: [num_items, dim] float32.
        device: where they are, and the scores.
    """

    def __init__(
        self,
        user_vecs: Float32Array,
        item_vecs: Float32Array,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.user_vecs = torch.from_numpy(user_vecs).to(self.device)
        self.item_vecs = torch.from_numpy(item_vecs).to(self.device)
        self._scores: dict[int, Tensor] = {}

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] inner products; the next call of this thread overwrites them."""
        queries = self.user_vecs[_moved(user_idx, self.device)]
        scores = self._scores.get(get_ident())
        # Fresh memory for each block would take the system as long to map as the product takes.
        if scores is None or len(scores) != len(queries):
            scores = self.item_vecs.new_empty(len(queries), len(self.item_vecs))
            self._scores[get_ident()] = scores
        if self.device.type != "cpu":
            return torch.mm(queries, self.item_vecs.T, out=scores)
        # Where bytes are portable, MKL in torch is held to a fraction of what OpenBLAS may use.
        np.matmul(queries.numpy(), self.item_vecs.numpy().T, out=scores.numpy())
        return scores


def rank(scorer: Scorer, target: EvaluationSet, k: int, threads: int = 1) -> Rankings:
    """Rank the catalogue for every user, leaving out the masked items.

    Args:
        scorer: scores users by index.
        target: users, relevant items and masks.
        k: length of the rankings, at most the size of the catalogue.
        threads: blocks of users in work at once, if a VectorScorer scores them on a CPU; no bit
            depends on it.

    Raises:
        TrainingError: if a score is not finite.
    """
    device = scorer.device if isinstance(scorer, VectorScorer) else torch.device("cpu")
    block = _block_rows(device, target)
    starts = range(0, len(target), block)

    def ranked(start: int) -> tuple[Tensor, ...]:
        rows = slice(start, min(start + block, len(target)))
        return _rank_block(scorer, target, rows, block, k)

    parallel = isinstance(scorer, VectorScorer) and device.type == "cpu"
    with (
        threadpool_limits(1 if parallel else None, user_api="blas"),
        ThreadPoolExecutor(threads if parallel else 1) as pool,
    ):
        run = pool.map if threads > 1 else map
        found = list(track(run(ranked, starts), "block of users", len(starts)))
    *columns, finite = (torch.cat(column) for column in zip(*found, strict=True))
    if not bool(finite.all()):
        msg = "the model's scores are not finite"
        raise TrainingError(msg)
    return Rankings(*(column.cpu().numpy() for column in columns))


def _rank_block(
    scorer: Scorer, target: EvaluationSet, rows: slice, block: int, k: int
) -> tuple[Tensor, ...]:
    """Of these users: the columns of `Rankings`, and [rows] whether the best scores are finite.

    Args:
        scorer: scores users by index.
        target: users, relevant items and masks.
        rows: of the users.
        block: number of users that are scored at a time.
        k: length of the rankings.
    """
    scores = _unmasked_scores(scorer, target, rows, block)
    relevant = _positions(target.relevant, rows, scores)
    best_items = stable_top_k(scores, k)
    best = scores.gather(1, best_items)
    hits = _are_among(best_items, relevant, target.num_items)
    first_relevant = _first_relevant(scores, relevant, hits)
    # Infinity and NaN, which torch.topk takes for the largest, would be among the best.
    finite = (best < torch.inf).all(dim=1)
    return torch.where(best > -torch.inf, best_items, -1), hits, first_relevant, finite


def _unmasked_scores(scorer: Scorer, target: EvaluationSet, rows: slice, block: int) -> Tensor:
    """[rows, num_items] scores; -inf where an item is not ranked.

    Args:
        scorer: scores users by index.
        target: users and masks.
        rows: of the users.
        block: number of users that are scored at a time.
    """
    # The last block is padded with its first user, so that all products have one shape.
    padded = np.full(block, target.users[rows.start])
    padded[: rows.stop - rows.start] = target.users[rows]
    scores = scorer.scores(padded)[: rows.stop - rows.start].contiguous()
    scores.view(-1).index_fill_(0, _positions(target.masked, rows, scores), -torch.inf)
    if target.candidates is not None:
        scores.masked_fill_(_moved(~target.candidates, scores.device), -torch.inf)
    return scores


def stable_top_k(scores: Tensor, k: int) -> Tensor:
    """Indices of the k largest scores of each row; of equal scores the lower index comes first.

    Args:
        scores: [rows, num_items], without NaN; ranks -inf last.
        k: at most num_items.

    Returns:
        [rows, k] int64.
    """
    found = _largest(scores, min(k + 1, scores.shape[1])).sort(dim=1).values
    values, by_score = scores.gather(1, found).sort(dim=1, descending=True, stable=True)
    top = found.gather(1, by_score[:, :k])
    if found.shape[1] > k:  # which of several equal scores are found is left open
        tied = (values[:, k - 1] == values[:, k]).nonzero().squeeze(1)
        if len(tied):
            top[tied] = _with_lowest_ties(scores[tied], values[tied, :k], top[tied])
    return top


def _with_lowest_ties(scores: Tensor, values: Tensor, top: Tensor) -> Tensor:
    """[rows, k] the largest scores where more than fit equal the last of them.

    Args:
        scores: [rows, num_items].
        values: [rows, k] the largest, descending.
        top: [rows, k] right where a value is larger than the last one.
    """
    k, num_items = top.shape[1], scores.shape[1]
    last = values[:, -1:]
    items = torch.arange(num_items, dtype=torch.int32, device=scores.device)
    lowest = torch.where(scores == last, items, num_items).topk(k, largest=False).values
    place = torch.arange(k, device=scores.device) - (values > last).sum(dim=1, keepdim=True)
    return torch.where(place < 0, top, lowest.gather(1, place.clamp(min=0)).long())


def _largest(scores: Tensor, count: int) -> Tensor:
    """[rows, count] indices of the largest scores of each row, in any order.

    Group g has the items g, g + groups, g + 2 · groups, …: the best items are in the groups that
    have the best maxima, which takes a third of the time of torch.topk on all of them.
    """
    num_items = scores.shape[1]
    size = min(GROUP_SIZE, isqrt(num_items // (4 * count)))
    if size < 3:  # all at once is as fast
        return _top(scores, count)
    groups = num_items // size
    grouped = scores[:, : groups * size].reshape(len(scores), size, groups)
    chosen = _top(grouped.amax(dim=1), count)
    found = grouped.gather(2, chosen.unsqueeze(1).expand(-1, size, -1)).flatten(1)
    places = _top(torch.cat([found, scores[:, groups * size :]], dim=1), count)
    items = places // count * groups + chosen.gather(1, places % count)
    return torch.where(places < size * count, items, places + (groups - count) * size)


def _top(values: Tensor, count: int) -> Tensor:
    """[rows, count] indices of the largest values of each row, NaN among them, in any order."""
    if values.device.type != "cpu":
        return torch.topk(values, count, sorted=False).indices
    smaller = values.shape[1] - count
    # Faster than torch.topk on a CPU, by its vector instructions.
    return torch.from_numpy(np.argpartition(values.numpy(), smaller, axis=1)[:, smaller:])


def _block_rows(device: torch.device, target: EvaluationSet) -> int:
    """Users that are ranked at a time."""
    if device.type == "cpu":
        return max(1, min(BLOCK_ROWS, BLOCK_SCORES // target.num_items))
    return max(1, min(len(target), DEVICE_BLOCK_SCORES // target.num_items))


def _moved(values: Int64Array | BoolArray, device: torch.device) -> Tensor:
    # Without waiting for what the device still has to do.
    return torch.from_numpy(values).to(device, non_blocking=True)


def _positions(lists: ItemLists, users: slice, scores: Tensor) -> Tensor:
    """[total] position of every pair of these users in their scores, row after row, ascending."""
    pairs = lists.rows(users.start, users.stop)
    return _moved(pair_keys(*pairs, scores.shape[1]), scores.device)


def _are_among(items: Tensor, positions: Tensor, num_items: int) -> Tensor:
    """[rows, k] whether each row's items are among the positions.

    Args:
        items: [rows, k] int64.
        positions: [total] int64, ascending, of pairs of row and item.
        num_items: size of the catalogue.
    """
    if not len(positions):
        return torch.zeros(items.shape, dtype=torch.bool, device=items.device)
    rows = torch.arange(len(items), device=items.device).unsqueeze(1)
    wanted = rows * num_items + items
    found = torch.searchsorted(positions, wanted).clamp(max=len(positions) - 1)
    return positions[found] == wanted


def _first_relevant(scores: Tensor, relevant: Tensor, hits: Tensor) -> Tensor:
    """[rows] rank of each row's best relevant item, counting only the items before it; 0 without.

    Args:
        scores: [rows, num_items].
        relevant: [total] positions of the relevant items in them.
        hits: [rows, k] whether the best items are relevant.
    """
    num_items = scores.shape[1]
    rows, items = relevant // num_items, relevant % num_items
    values = scores.view(-1)[relevant]
    best = values.new_full((len(scores),), -torch.inf).scatter_reduce(0, rows, values, "amax")
    # Of equally good relevant items the one with the lowest index comes first.
    candidates = torch.where(values == best[rows], items, num_items)
    first = torch.full_like(best, num_items, dtype=torch.int64)
    first = first.scatter_reduce(0, rows, candidates, "amin")
    in_top = hits.any(dim=1)
    count = _counted_by_row if scores.device.type == "cpu" else _counted_at_once
    before = count(scores, best, first, in_top | (first == num_items))
    ranks = torch.where(in_top, hits.byte().argmax(dim=1), before) + 1
    return torch.where(first < num_items, ranks, 0)


def _counted_by_row(scores: Tensor, best: Tensor, first: Tensor, known: Tensor) -> Tensor:
    """[rows] items that rank before `first`, whose score is `best`; 0 for rows that are known.

    On a CPU: a row stays in its cache, where comparing whole blocks waits for the memory.
    """
    before = np.zeros(len(scores), dtype=np.int64)
    array, rows = scores.numpy(), (~known).nonzero().squeeze(1)
    sought = zip(rows.tolist(), best[rows].tolist(), first[rows].tolist(), strict=True)
    for row, value, index in sought:
        of_row = array[row]
        earlier = np.count_nonzero(of_row[:index] >= value)
        before[row] = earlier + np.count_nonzero(of_row[index:] > value)
    return torch.from_numpy(before)


def _counted_at_once(scores: Tensor, best: Tensor, first: Tensor, _known: Tensor) -> Tensor:
    """The same of all rows, known or not, without a step per row: on a GPU."""
    items = torch.arange(scores.shape[1], device=scores.device)
    value, is_earlier = best.unsqueeze(1), items < first.unsqueeze(1)
    return torch.where(is_earlier, scores >= value, scores > value).sum(dim=1)
