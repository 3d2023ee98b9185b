"""What refit says on the terminal of a model that continues from another."""

from collections.abc import Iterator, Mapping
from typing import Any


def finetuning_lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Lines of section `finetuning` of metrics/test.json; none without it."""
    section = metrics.get("finetuning", {})
    if against := section.get("against_anew"):
        yield (
            f"finetuned against trained anew: {against['metric']} {against['finetuned']:.4f} and "
            f"{against['anew']:.4f}, difference {against['difference']:+.4f} "
            f"[{against['lower_bound']:+.4f}, {against['upper_bound']:+.4f}]"
        )
    if drift := section.get("drift"):
        yield from _drift_lines(drift)


def _drift_lines(drift: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"items: {drift['items']:,} known to the start model, {drift['added']:,} new, "
        f"{drift['removed']:,} gone"
    )
    if drift["cosine_median"] is None:
        return
    yield (
        f"cosine with their earlier vectors: median {drift['cosine_median']:.3f}, 5 % quantile "
        f"{drift['cosine_low']:.3f}; {drift['neighbours_at_10']:.0%} of their ten nearest stay"
    )
    total = drift["items"] + drift["added"]
    for stale in drift["stale"]:
        yield (
            f"export of what moved by more than {stale['tolerance']:.0%} of its length: "
            f"{stale['written']:,} of {total:,} items; {stale['same_at_10']:.1%} of users' ten "
            "best items stay"
        )
