"""A reproducible two-tower recommender: prepare, search, refit, visualise, serve."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twotower.serving import ItemFilter, Recommendations, Recommender

__all__ = ["ItemFilter", "Recommendations", "Recommender"]


def __getattr__(name: str) -> Any:
    # On first use: the stages import this package too, and need nothing of serving.
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from twotower import serving

    return getattr(serving, name)
