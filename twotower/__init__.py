"""A reproducible two-tower recommender: prepare, search, refit, visualise, serve."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twotower.notebook.fitted import FittedRecommender
    from twotower.notebook.from_frames import fit
    from twotower.serving import ItemFilter, Recommendations, Recommender

ROOMS = {"FittedRecommender": "notebook.fitted", "fit": "notebook.from_frames"}
__all__ = ["FittedRecommender", "ItemFilter", "Recommendations", "Recommender", "fit"]


def __getattr__(name: str) -> Any:
    # On first use: the stages import this package too, and need nothing of serving.
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"twotower.{ROOMS.get(name, 'serving')}"), name)
