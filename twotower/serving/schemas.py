"""Requests and answers of the HTTP service."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from twotower.serving.recommendations import Source

AnyId = StrictInt | StrictStr
"""A number or a string, whatever the ids of the data are; never converted."""
Ids = Annotated[list[AnyId], Field(examples=[[17, 42]])]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    k: Annotated[StrictInt, Field(ge=1)] = 10
    """Items a row; beyond the catalogue, all of it."""
    allowed: Ids | None = Field(None, examples=[None])
    """Only these items may be answered; null: all."""
    blocked: Ids = Field([], examples=[[]])
    """These items may not be answered."""


class RecommendRequest(_Request):
    """Either users that the model may know, or the items of new users."""

    user_ids: Ids | None = None
    """A row each; unknown users get popular items."""
    histories: list[Ids] | None = Field(None, examples=[None])
    """The items of each new user, a row each; unknown items are ignored."""
    exclude_seen: StrictBool = True
    """Whether items of the user's history are left out."""

    @model_validator(mode="after")
    def _one_of(self) -> "RecommendRequest":
        if (self.user_ids is None) == (self.histories is None):
            msg = "give either user_ids or histories"
            raise ValueError(msg)
        return self


class SimilarRequest(_Request):
    """Items whose likes are wanted."""

    item_ids: Ids
    """A row each; an unknown item gets an empty row."""


class _Row(BaseModel):
    items: list[AnyId]
    """Best first."""
    scores: list[float]
    """Of each item; comparable within the row only."""
    source: Source
    """What the row was computed from."""


class UserRow(_Row):
    """The answer for a user, or for a history."""

    user_id: AnyId | None = None
    history: int | None = Field(None, examples=[None])
    """Position of the history in the request, from 0."""


class SimilarRow(_Row):
    """The answer for an item."""

    similar_to: AnyId


class RecommendResponse(BaseModel):
    """Rows in the order of the request."""

    model: str
    """Version of the model that answered, all rows alike."""
    results: list[UserRow]


class SimilarResponse(BaseModel):
    """Rows in the order of the request."""

    model: str
    """Version of the model that answered, all rows alike."""
    results: list[SimilarRow]


class Health(BaseModel):
    """What is served."""

    status: str
    """ok; degraded: the folder holds something that cannot be served, so the model is older."""
    model: str
    num_users: int
    num_items: int
    problem: str | None


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


def explain(errors: Any) -> str:
    """The first of pydantic's errors in one line, without what the client sent."""
    problem = errors[0]
    if problem["type"] == "json_invalid":
        return f"the body is no JSON, from character {problem['loc'][-1]} on"
    # A union puts the names of its members into the location; the client did not write those.
    parts = [part for part in problem["loc"] if part != "body" and "[" not in str(part)]
    where = ".".join(str(part) for part in parts if part not in ("int", "str"))
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
