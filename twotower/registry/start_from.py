"""Puts a model where the next run continues from it, see `twotower.finetuning.record`."""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from twotower.artifacts import META, Artifacts, copy_model, load_artifacts
from twotower.common.arrays import UInt64Array, save_array
from twotower.common.errors import ConfigError, RegistryError
from twotower.common.files import atomic_write, sha256_file, write_json
from twotower.common.folders import atomic_folder
from twotower.config.hyperparameters import hyperparameters
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.prepared import read_parts
from twotower.finetuning.record import MODEL, RECORD, START, StartRecord
from twotower.project.repositories import run_program
from twotower.registry.training_rows import FILE, row_hashes, training_frame
from twotower.registry.versions import CHAMPION, Registry

SHARE = 3
"""Epochs of training anew for one of the finetuning, unless another number is asked for."""


def start_from_champion(
    registry: Registry, epochs: int | None, folder: Path = START
) -> StartRecord:
    """Continue from the champion, wherever it was trained.

    Args:
        registry: of the models.
        epochs: to train for; None: see `SHARE`.
        folder: of the start model.

    Raises:
        RegistryError: if there is no champion, or it cannot be read.
        ConfigError: if it cannot be continued from, or DVC fails.
    """
    champion = registry.by_alias(CHAMPION)
    if champion is None:
        msg = f"{registry.name} has no champion; run twotower registry promote first"
        raise RegistryError(msg)
    with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
        artifacts, rows = registry.download(champion, Path(temporary))
        return _start_from(artifacts, rows, int(champion.version), epochs, folder)


def start_from_folder(
    path: Path, prepared: Path, epochs: int | None, folder: Path = START
) -> StartRecord:
    """Continue from a model folder, as long as the data that it was trained on is there.

    Args:
        path: of the model.
        prepared: data that it was trained on, by which its rows are known.
        epochs: to train for; None: see `SHARE`.
        folder: of the start model.

    Raises:
        ArtifactError: if the folder is damaged.
        ConfigError: if it was trained on other data, cannot be continued from, or DVC fails.
    """
    artifacts = load_artifacts(path)
    artifacts.check_rest()
    try:
        frame = training_frame(artifacts, read_parts(prepared))
    except RegistryError:
        msg = (
            f"{path}: was not trained on {prepared}, so which rows it knows cannot be told; give "
            "it before new data is prepared, or register it then and use --from champion"
        )
        raise ConfigError(msg) from None
    return _start_from(artifacts, np.sort(row_hashes(frame)), None, epochs, folder)


def forget_start(folder: Path = START) -> None:
    """Train anew again: leave of the start model what a new project has."""
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    for name in (f"{MODEL}.dvc", ".gitignore"):
        (folder / name).unlink(missing_ok=True)
    write_json(folder / RECORD, {})


def _start_from(
    artifacts: Artifacts,
    rows: UInt64Array,
    version: int | None,
    epochs: int | None,
    folder: Path,
) -> StartRecord:
    """Write the start model and give it to DVC; start.json comes last."""
    model, train = _sections(artifacts)
    trained_for = min(train.epochs, train.last_epoch or train.epochs)
    if not trained_for and epochs:
        msg = "--epochs: the model is a closed form (train.epochs: 0): it is computed, not trained"
        raise ConfigError(msg)
    if epochs is None:
        epochs = -(-trained_for // SHARE)
    elif trained_for and not epochs:
        msg = f"--epochs: must be at least 1 for a model that was trained for {trained_for}, got 0"
        raise ConfigError(msg)
    target = folder / MODEL
    with atomic_folder(target, META) as staged:
        copy_model(artifacts, staged)
        with atomic_write(staged / FILE) as handle:
            save_array(handle, rows)
    run_program(Path(), sys.executable, "-m", "dvc", "add", "--quiet", target.as_posix())
    record = StartRecord(
        model=sha256_file(target / META),
        training_rows=sha256_file(target / FILE),
        version=version,
        epochs=epochs,
        params=hyperparameters(model, train),
    )
    record.write(folder)
    return record


def _sections(artifacts: Artifacts) -> tuple[ModelConfig, TrainConfig]:
    """The sections `model` and `train` by which a model, or one like it, is trained anew."""
    meta = artifacts.meta
    try:
        train = {name: value for name, value in meta["train"].items() if name != "device"}
        train |= meta["start"]["anew"] if "start" in meta else {}
        return ModelConfig.model_validate(meta["model"]), TrainConfig.model_validate(train)
    except (KeyError, TypeError, ValidationError):
        msg = (
            "the model is of another version of twotower, with hyperparameters that this one lacks"
        )
        raise ConfigError(msg) from None
