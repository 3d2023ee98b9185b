"""The registered model: its versions and their aliases."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twotower.artifacts import META, Artifacts, load_artifacts
from twotower.common.arrays import UInt64Array
from twotower.common.errors import RegistryError, TrackingError, TwoTowerError
from twotower.common.files import json_text, sha256_file, sha256_text
from twotower.config.reporting import MlflowConfig
from twotower.data.prepared import PARTS, SPLITS, has_rows
from twotower.registry import training_rows
from twotower.registry.package import FOLDER, package
from twotower.tracking.git import git_tags
from twotower.tracking.mlflow_store import COMMAND_PATIENCE, explain, open_experiment, store_uri

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities.model_registry import ModelVersion

CANDIDATE, CHAMPION = "candidate", "champion"
MODEL_TAG, DATA_TAG = "twotower.model", "twotower.prepared"


class Registry:
    """One registered model in the MLflow store of the configuration."""

    def __init__(self, config: MlflowConfig, root: Path) -> None:
        """Connect to the store and make it the default of mlflow's functions.

        Args:
            config: store, experiment and the model's name.
            root: the repository; folder of the default store.

        Raises:
            TrackingError: if the store does not respond.
        """
        self.name, self.root = config.model, root
        with mlflow_errors():
            self._client, self._experiment = open_experiment(config, root, COMMAND_PATIENCE)
            import mlflow

            uri = store_uri(config.tracking_uri, root)
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)

    def by_alias(self, alias: str) -> "ModelVersion | None":
        """The version that has the alias; None if no version has it."""
        with mlflow_errors():
            models = self._client.search_registered_models(f"name = '{self.name}'")
        number = models[0].aliases.get(alias) if models else None
        return None if number is None else self.by_number(int(number))

    def by_number(self, number: int) -> "ModelVersion":
        """The version with that number.

        Raises:
            RegistryError: if there is none.
        """
        from mlflow.exceptions import MlflowException

        with mlflow_errors():
            try:
                return self._client.get_model_version(self.name, str(number))
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        msg = f"{self.name} has no version {number}"
        raise RegistryError(msg)

    def versions(self) -> list["ModelVersion"]:
        """All versions with their aliases and tags, the latest first."""
        with mlflow_errors():
            matches = self._client.search_model_versions(f"name = '{self.name}'")
            # SQL stores leave the aliases out of search results.
            versions = [self._client.get_model_version(self.name, m.version) for m in matches]
        return sorted(versions, key=lambda version: -int(version.version))

    def set_alias(self, alias: str, version: "ModelVersion") -> None:
        """Move an alias to a version."""
        with mlflow_errors():
            self._client.set_registered_model_alias(self.name, alias, version.version)

    def tag(self, version: "ModelVersion", tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with mlflow_errors():
            for key, value in tags.items():
                self._client.set_model_version_tag(self.name, version.version, key, value)

    def register(
        self,
        artifacts: Artifacts,
        trained_on: "pd.DataFrame",
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
    ) -> "ModelVersion":
        """Upload a model as a new version and make it the candidate.

        Args:
            artifacts: of the model.
            trained_on: its training rows.
            tags: of the version and its run.
            metrics: of its run.
        """
        import mlflow

        with (
            mlflow_errors(),
            package(artifacts, trained_on) as arguments,
            mlflow.start_run(None, self._experiment, run_name=self.name, tags=dict(tags)),
        ):
            mlflow.log_params(artifacts.meta["best_params"])
            mlflow.log_metrics(dict(metrics))
            info = mlflow.pyfunc.log_model(
                name="model", registered_model_name=self.name, **arguments
            )
        version = self.by_number(int(info.registered_model_version or 0))
        self.tag(version, tags)
        self.set_alias(CANDIDATE, version)
        return version

    def download(self, version: "ModelVersion", folder: Path) -> tuple[Artifacts, UInt64Array]:
        """Download a version's model folder and the ascending hashes of its training rows.

        Args:
            version: the version.
            folder: an empty folder for the files.

        Raises:
            RegistryError: if the model cannot be read.
        """
        from mlflow.artifacts import download_artifacts

        uri = f"models:/{self.name}/{version.version}/artifacts"  # without the code
        with mlflow_errors():
            local = Path(download_artifacts(artifact_uri=uri, dst_path=str(folder)))
        try:
            # Not memory-mapped: Windows cannot delete mapped files.
            artifacts = load_artifacts(local / FOLDER, mmap=False)
            artifacts.check_rest()
            _check_registered(version, artifacts)
            count = int(artifacts.item_counts.sum())
            return artifacts, training_rows.read_training_rows(local / training_rows.FILE, count)
        except TwoTowerError as error:
            msg = f"version {version.version} of {self.name}: {error}"
            raise RegistryError(msg) from None


def _check_registered(version: "ModelVersion", artifacts: Artifacts) -> None:
    """A folder that is whole may still be another than the one that was registered."""
    expected = version.tags.get(MODEL_TAG)
    if expected is not None and expected != sha256_file(artifacts.folder / META):
        msg = f"its files are not those that were registered ({META} has another digest)"
        raise RegistryError(msg)


def version_tags(artifacts: Artifacts, prepared: Path) -> dict[str, str]:
    """Tags that identify a model, its data and its code."""
    return {
        MODEL_TAG: sha256_file(artifacts.folder / META),
        DATA_TAG: data_digest(prepared),
        "twotower.trained_on": ", ".join(artifacts.meta["trained_on"]),
        **git_tags(),
    }


def data_digest(prepared: Path) -> str:
    """Digest of all splits of the prepared data, and of what is known of new users.

    Raises:
        RegistryError: if a split is missing.
    """
    try:
        digests = {
            name: sha256_file(prepared / f"{name}.parquet")
            for name in PARTS
            if name in SPLITS or has_rows(prepared / f"{name}.parquet")
        }
    except OSError as error:
        msg = f"{error.filename}: {error.strerror}; run dvc pull or dvc repro"
        raise RegistryError(msg) from None
    return sha256_text(json_text(digests, indent=None))


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """Turn whatever mlflow raises into a TrackingError of one line."""
    try:
        yield
    except TwoTowerError:
        raise
    except Exception as error:
        msg = f"MLflow's registry cannot be used: {explain(error)}"
        raise TrackingError(msg) from error
