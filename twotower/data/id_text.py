"""How the text of an id is written: one form, in the data and in requests."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

KEY = b"twotower.unicode"
BYTE_ORDER_MARK = "\ufeff"
"""At the head of a file that was appended to another, it is glued to the first cell."""


@dataclass(frozen=True)
class IdText:
    """What is done to ids that are text.

    Attributes:
        nfc: whether letters and accents are composed, so that ids that look alike are one.
    """

    nfc: bool = False

    @classmethod
    def of(cls, unicode: str) -> "IdText":
        """As `data.unicode` says: as_is or nfc."""
        return cls(nfc=unicode == "nfc")

    @classmethod
    def read(cls, metadata: Mapping[bytes, bytes] | None) -> "IdText | None":
        """What `metadata` says; None if it says nothing, and ids are as they are."""
        stored = (metadata or {}).get(KEY)
        return None if stored is None else cls.of(stored.decode())

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """What the schema of a Parquet file of ids says of them."""
        return {KEY: b"nfc" if self.nfc else b"as_is"}

    def column(self, ids: pa.Array) -> pa.Array:
        """[num_ids] the ids without blanks around them, composed if `nfc` is set."""
        ids = pc.utf8_trim_whitespace(pc.utf8_ltrim(ids, characters=BYTE_ORDER_MARK))
        if not self.nfc or pc.all(pc.string_is_ascii(ids)).as_py():
            return ids
        return pa.array([text and self.one(text) for text in ids.to_pylist()], pa.string())

    def one(self, text: str) -> str:
        """The same of one id."""
        text = text.lstrip(BYTE_ORDER_MARK).strip()
        return unicodedata.normalize("NFC", text) if self.nfc else text
