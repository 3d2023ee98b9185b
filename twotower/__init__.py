"""A reproducible two-tower recommender: prepare, search, refit, visualise, serve."""

TYPE_CHECKING = False  # as in typing, which the first lines of a command have no time for
if TYPE_CHECKING:
    from typing import Any

    from twotower.notebook.fitted import FittedRecommender
    from twotower.notebook.from_frames import fit
    from twotower.serving import ItemFilter, Recommendations, Recommender

ROOMS = {"FittedRecommender": "notebook.fitted", "fit": "notebook.from_frames"}
__all__ = ["FittedRecommender", "ItemFilter", "Recommendations", "Recommender", "fit"]


def __getattr__(name: str) -> "Any":
    from importlib import import_module

    # On first use: the stages import this package too, and need nothing of serving.
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"twotower.{ROOMS.get(name, 'serving')}"), name)
