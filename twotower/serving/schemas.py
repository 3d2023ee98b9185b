"""Requests and responses of the HTTP service, as its OpenAPI page documents them."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)

from twotower.serving.recommendations import Source

AnyId = StrictInt | StrictStr
"""An integer or a string, whichever the ids of the data are; never converted."""
Ids = Annotated[list[AnyId], Field(fail_fast=True, examples=[[17, 42]])]
"""What is wrong with the first is told; a million mistakes would take 2 GB."""


class _Schema(BaseModel):
    """The docstrings of attributes are their descriptions in OpenAPI."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class _Request(_Schema):
    model_config = ConfigDict(extra="forbid")

    k: Annotated[StrictInt, Field(ge=1)] = 10
    """Number of items to return per row; if the catalogue is smaller, all of it."""
    allowed: Ids | None = Field(None, examples=[None])
    """Return only these items; null: any item."""
    blocked: Ids = Field([], examples=[[]])
    """Never return these items."""


class RecommendRequest(_Request):
    """Users by id, or new users by their histories: exactly one of the two."""

    user_ids: Ids | None = None
    """One row per user; users unknown to the model get popular items."""
    histories: Annotated[list[Ids], Field(fail_fast=True)] | None = Field(None, examples=[None])
    """One row per new user, from the items of their history; unknown items are ignored."""
    exclude_seen: StrictBool = True
    """Leave out the items of the user's history."""
    diversity: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    """From 0, the best items, to 1, the best one and what differs most from it."""
    max_per: dict[str, Annotated[StrictInt, Field(ge=1)]] = Field({}, examples=[{}])
    """At most so many items per value of a categorical or multi-valued feature of the items."""

    @model_validator(mode="after")
    def _one_of(self) -> "RecommendRequest":
        if (self.user_ids is None) == (self.histories is None):
            msg = "give exactly one of user_ids and histories"
            raise ValueError(msg)
        return self


class SimilarRequest(_Request):
    """Items to find similar ones for."""

    item_ids: Ids
    """One row per item; an item unknown to the model gets an empty row."""


class _Row(_Schema):
    items: list[AnyId]
    """Item ids, best first."""
    scores: list[float]
    """Score of each item; comparable within the row only."""
    source: Source
    """What the row was computed from."""


class UserRow(_Row):
    """Recommendations for a user or a history."""

    user_id: AnyId | None = None
    history: int | None = Field(None, examples=[None])
    """Position of the history in the request, from 0."""


class SimilarRow(_Row):
    """Items similar to an item."""

    similar_to: AnyId
    """Item id of the request."""


class _Response(_Schema):
    model: str
    """Version of the model that answered; the same for all rows."""


class RecommendResponse(_Response):
    """One row per user or history, in the order of the request."""

    results: list[UserRow]


class SimilarResponse(_Response):
    """One row per item, in the order of the request."""

    results: list[SimilarRow]


class Health(_Schema):
    """State of the service."""

    status: Literal["ok", "degraded"]
    """degraded: the folder's content cannot be served, so an earlier model still answers."""
    model: str
    """Version of the model that answers."""
    num_users: int
    num_items: int
    num_items_cold: int
    """Items without a training row, which their side features alone describe."""
    problem: str | None
    """Why the folder's content cannot be served; null if it is served."""


class Problem(_Schema):
    """Why a request was refused."""

    detail: str


REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body cannot be parsed."},
    413: {"model": Problem, "description": "The body is too large."},
    422: {"model": Problem, "description": "The request is not valid; `detail` says why."},
    503: {"model": Problem, "description": "The answer would take too long, now or always."},
}
NO_KEY: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The key is missing or wrong."},
}


def explain(errors: Any) -> str:
    """The first of pydantic's errors in one line, without what the client sent."""
    problem = errors[0]
    if problem["type"] == "json_invalid":
        return f"the body is not valid JSON: error at character {problem['loc'][-1]}"
    # A union adds the names of its members to the location; the client did not write those.
    parts = [part for part in problem["loc"] if part != "body" and "[" not in str(part)]
    where = ".".join(str(part) for part in parts if part not in ("int", "str"))
    if problem["type"] == "missing":
        return f"{where or 'the body'} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such key"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if "int" in parts:  # what it says of the first member does not hold for the other
        message = "must be an integer or a string, whichever the ids of this model are"
    return f"{where}: {message}" if where else message
