"""A tiny shop in a temporary folder."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from twotower.config import parse_config
from twotower.data.prepared import Catalogue, read_catalogue, read_split
from twotower.ingest import prepare

USERS = "user_id,name,city,email\n1,Ana,Madrid,ana@example.com\n2,Bo,Cadiz,bo@example.com\n"
ITEMS = "item_id,name,category,price\n10,Pen,office,1.5\n11,Cup,home,4\n12,Mat,home,\n"
INTERACTIONS = (
    "user_id,item_id,timestamp,event\n"
    "1,10,2024-01-01,view\n"
    "1,11,2024-01-02,click\n"
    "1,10,2024-01-03,purchase\n"
    "2,12,2024-01-01 10:00:00,cart\n"
    "2,11,2024-01-01 09:00:00,view\n"
    "2,10,2024-01-05T00:00:00Z,view\n"
)


class Shop:
    """Raw files, the parameters of a run, and what the run wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "raw"
        self.output = folder / "data" / "prepared"
        self.metrics = folder / "metrics" / "data.json"
        self.root.mkdir()
        self.data: dict[str, Any] = {
            "root": str(self.root),
            "users": {"features": {"city": "categorical"}},
            "items": {"features": {"category": "categorical", "price": "numeric"}},
        }
        self.split: dict[str, Any] = {"validation": 0.2, "test": 0.1}
        self.write("users.csv", USERS)
        self.write("items.csv", ITEMS)
        self.write("interactions.csv", INTERACTIONS)

    def write(self, name: str, content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_bytes(data)

    def bare(self, content: str | bytes, name: str = "interactions.csv") -> None:
        """Only an interactions file, without tables and features."""
        for path in self.root.iterdir():
            path.unlink()
        self.data["users"], self.data["items"] = {}, {}
        self.write(name, content)

    def params(self) -> dict[str, Any]:
        return {"data": self.data, "split": self.split}

    def run(self, seed: int = 42) -> dict[str, Any]:
        config = parse_config({"seed": seed, **self.params()})
        return prepare(config, self.output, self.metrics)

    def read(self, name: str) -> pd.DataFrame:
        return read_split(self.output / f"{name}.parquet")

    def everything(self) -> pd.DataFrame:
        return pd.concat([self.read(name) for name in ("train", "validation", "test")])

    def catalogue(self) -> Catalogue:
        return read_catalogue(self.output / "vocabulary")

    def files(self) -> dict[str, bytes]:
        """Bytes of every output, by its path."""
        paths = [*self.output.rglob("*"), self.metrics]
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in paths
            if path.is_file()
        }


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
