"""Which model a run continues from, in a file under version control; its own files are in DVC.

    data/start_model/start.json     {}: none, models are trained anew; otherwise see `StartRecord`
    data/start_model/model/         the model folder, and training_rows.npy, the hashes of its rows
    data/start_model/model.dvc      by which DVC keeps it

`refit` depends on the folder, `hpo` on start.json.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from twotower.common.errors import ConfigError
from twotower.common.files import read_json, write_json
from twotower.config import Config
from twotower.config.hyperparameters import replace_both

START = Path("data/start_model")
RECORD = "start.json"
MODEL = "model"
RESET = "twotower finetune --reset"
COURSE = ("epochs", "last_epoch", "schedule")
"""Hyperparameters that a model which continues from another has of its own."""


@dataclass(frozen=True)
class StartRecord:
    """What start.json holds.

    Attributes:
        model: hexadecimal SHA-256 of its model_meta.json, which has those of its other files.
        training_rows: of the hashes of its training rows.
        version: its number in the registry; None: it came from a folder.
        epochs: to train for from its weights; 0: a closed form, which is computed anew and turned.
        params: its hyperparameters by name, with the COURSE by which it is trained anew: if it was
            continued from another model itself, that of the first of them.
    """

    model: str
    training_rows: str
    version: int | None
    epochs: int
    params: dict[str, Any]

    @property
    def finetuned(self) -> dict[str, Any]:
        """The hyperparameters of the model that continues from it.

        The learning rate falls to 0, which moves the vectors less and scores better
        (docs/finetuning.md).
        """
        settings = {"epochs": self.epochs, "last_epoch": None, "schedule": "linear"}
        return {**self.params, **settings}

    @property
    def told(self) -> dict[str, Any]:
        """Section `start` of model_meta.json of the model that continues from it."""
        course = {name: self.params[name] for name in COURSE}
        return {"model": self.model, "version": self.version, "anew": course}

    def write(self, folder: Path) -> None:
        """Write start.json into the folder."""
        write_json(folder / RECORD, asdict(self))


def read_record(folder: Path = START) -> StartRecord | None:
    """The model that the run continues from; None: there is none.

    Raises:
        ConfigError: if start.json has another format.
    """
    path = folder / RECORD
    try:
        content = read_json(path)
        return TypeAdapter(StartRecord).validate_python(content) if content else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        msg = f"{path}: not what twotower finetune writes; to train anew, run: {RESET}"
        raise ConfigError(msg) from None


def without_search(config: Config, record: StartRecord) -> Config:
    """The parameters of a search that tries the hyperparameters of the start model alone.

    Trained anew on the training split: the start model itself knows rows of the validation split,
    so that no choice between models that continue from it could be trusted. There is no choice
    here either, so no limits of `hpo.choose` stop the run.
    """
    model, train = replace_both(config.model, config.train, record.params, RECORD)
    only = {"init": {"type": "categorical", "choices": [model.init]}}
    hpo = {"n_trials": 1, "search_space": only, "fixed": {}, "include_defaults": True}
    sections = {
        "model": model.model_dump(),
        "train": train.model_dump() | {"patience": None},
        "hpo": config.hpo.model_dump() | hpo | {"choose": {}, "confirm": None, "sample": None},
    }
    return Config.model_validate(config.model_dump() | sections)
