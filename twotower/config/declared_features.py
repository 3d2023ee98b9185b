"""A side feature as section `data` declares it."""

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, model_validator

from twotower.common.choices import OneOf, Table
from twotower.config.section import Section, Text
from twotower.data.text_encoders import check_encoder

if TYPE_CHECKING:
    from twotower.data.feature import Feature as FeatureKind


def _kinds() -> "Table[type[FeatureKind]]":
    from twotower.data.features import KINDS  # pyarrow takes a moment to import

    return KINDS


Kind = Annotated[str, AfterValidator(OneOf(_kinds))]
Encoder = Annotated[
    str,
    AfterValidator(check_encoder),
    Field(json_schema_extra={"pattern": r"^(tfidf|sentence-transformers:.*\S.*)$"}),
]


class FeatureConfig(Section):
    """A declared side feature; `category: categorical` is short for `category: {kind: ...}`."""

    kind: Kind
    """What its values are, see docs/model.md."""
    separator: Text = "|"
    """Between the values of a cell, for kinds that are read from lists."""
    optional: bool = False
    """true: without such a column, the feature is left out and reported; false: an error."""
    normalise: bool = False
    """Of kind vector: whether each vector is divided by its length.

    false: all by one number, which makes their mean squared length 1.
    """
    file: Text | None = None
    """Of kind vector: a NumPy file (.npy) inside `data.root`, a row for each vector.

    null: the vectors are a column of the table.
    """
    ids: Text | None = None
    """Of the vectors in `file`: .npy, .txt (one a line), or a table of one column.

    Vectors of ids that the table lacks are not used.
    """
    encoder: Encoder = "tfidf"
    """Of kind text: what makes vectors of the texts, `tfidf` or `sentence-transformers:NAME`.

    NAME is a model's folder, relative to the repository or absolute, or its name on the hub.
    """
    dims: PositiveInt = 64
    """Of kind text: largest number of dimensions of the vectors."""

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        kinds = {name: kind.keys for name, kind in _kinds().items()}
        given = self.model_dump(exclude_defaults=True)
        for key in given.keys() - {"kind", *kinds[self.kind]}:
            users = [name for name, keys in kinds.items() if key in keys]
            if users:
                msg = f"{key} is for kind: {' or '.join(users)} only, got kind: {self.kind}"
                raise ValueError(msg)
        if (self.file is None) != (self.ids is None):
            msg = "file and ids are needed together: vectors, and whose they are"
            raise ValueError(msg)
        return self


def _expand_feature(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Feature = Annotated[
    FeatureConfig, BeforeValidator(_expand_feature, json_schema_input_type=Kind | FeatureConfig)
]
Features = dict[Text, Feature]
