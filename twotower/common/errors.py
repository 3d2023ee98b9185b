"""The errors a user can cause and fix; anything else is a bug and keeps its traceback.

TwoTowerError
├── ConfigError       params.yaml or a command-line flag
├── DataError         an input file
├── SearchError       a study that cannot be run, resumed or read
├── TrainingError     a training run that diverged
├── ArtifactError     a folder that does not hold a model
├── TrackingError     an MLflow store that does not answer
├── RegistryError     a model that cannot be registered, compared or promoted
│   └── ComparisonError   models that cannot be compared: one was trained on test rows, say
└── RequestError      a request that a model cannot answer
"""


class TwoTowerError(Exception):
    """Root of all errors whose message alone tells the user what to do."""


class ConfigError(TwoTowerError):
    """A parameter is unknown, of the wrong type, out of range, or contradicts another."""


class DataError(TwoTowerError):
    """An input file is missing, unreadable, or breaks a rule."""


class SearchError(TwoTowerError):
    """A study cannot be run, resumed or read."""


class TrainingError(TwoTowerError):
    """The loss or the scores stopped being finite."""


class ArtifactError(TwoTowerError):
    """A model folder is missing, incomplete, or of another format."""


class TrackingError(TwoTowerError):
    """An MLflow store does not answer, or cannot be used."""


class RegistryError(TwoTowerError):
    """A model cannot be registered, compared or promoted."""


class ComparisonError(RegistryError):
    """Two models cannot be compared: one was trained on test rows, or there are none to score."""


class RequestError(TwoTowerError):
    """A request to a model is malformed: ids of the wrong type, a length out of range."""
