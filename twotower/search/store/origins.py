"""Trials of the same study that are stored elsewhere: in the snapshot or other live studies."""

from collections.abc import Iterator, Mapping

from twotower.common.errors import SearchError
from twotower.config.hpo import HpoConfig
from twotower.search.store.database import (
    DamagedDatabaseError,
    Stored,
    open_database,
    study_names,
)
from twotower.search.store.digests import not_used
from twotower.search.store.location import StudyLocation
from twotower.search.store.locks import Say
from twotower.search.store.snapshot import read_stored
from twotower.search.store.storage_url import Storage, sqlite_storage
from twotower.search.trial import Trial

Trials = list[Trial]


def stored_elsewhere(
    location: StudyLocation, config: HpoConfig, say: Say, live: Mapping[int, Trial]
) -> Trials:
    """Trials 0..n-1 of this identity that the live study can continue with.

    They are the trials of one study that starts with the live ones: a search that was killed while
    it copied them continues to do so, and two histories never mix.

    Args:
        location: of the live study.
        config: `n_trials`, `on_drift`, `storage` and `study_name` count.
        say: shows a line to the user.
        live: finished trials of the live study by number; if there are any, the decision about
            drift was made when they ran.

    Raises:
        SearchError: if the trials were run with other code, libraries or CPU capability and
            `on_drift` is `error`, or if the snapshot cannot be read.
    """
    snapshot = _snapshot(location, say, needed=0 not in live)
    wanted = any(number not in live for number in range(config.n_trials))
    candidates = [snapshot, *(_siblings(location, config, say) if wanted else ())]
    candidates = [trials for trials in candidates if _continues(trials, live)]
    ours: Trials = max(
        (trials for trials in candidates if _has_provenance(trials, location)), key=len, default=[]
    )
    if ours or not candidates or (live and config.on_drift != "resume"):
        return ours
    drifted = snapshot if snapshot in candidates else max(candidates, key=len)
    drift = f"{len(drifted)} stored trials were run with other code, libraries or CPU capability"
    if config.on_drift == "error":
        msg = f"{drift}; hpo.on_drift: new starts a new study, resume continues the old one"
        raise SearchError(msg)
    if config.on_drift == "resume":
        say(f"{drift}: resuming that study and marking the results as mixed")
        return drifted
    say(f"{drift}: starting a new study (the old one is kept; hpo.on_drift: resume continues it)")
    return []


def _continues(trials: Trials, live: Mapping[int, Trial]) -> bool:
    """Whether these are the trials of the live study and further ones."""
    shared = [trial for trial in trials if trial.number in live]
    return len(shared) < len(trials) and all(
        trial.without_times() == live[trial.number].without_times() for trial in shared
    )


def _has_provenance(trials: Trials, location: StudyLocation) -> bool:
    return all(trial.provenance == location.provenance.digest for trial in trials)


def _snapshot(location: StudyLocation, say: Say, *, needed: bool) -> Trials:
    try:
        attributes, stored = read_stored(location.snapshot)
    except SearchError as error:
        if needed:
            raise
        say(f"{error}: ignored, the live study is intact")
        return []
    if stored.trials and attributes.get("identity") != location.identity.digest:
        say(
            f"{location.snapshot.name}: ignored, it is of another study (other data, space or "
            "settings)"
        )
        return []
    return _unchanged(stored, location.snapshot, say)


def _unchanged(stored: Stored, where: object, say: Say) -> Trials:
    if stored.changed:
        say(not_used(stored.changed, where))
    return stored.trials


def _siblings(location: StudyLocation, config: HpoConfig, say: Say) -> Iterator[Trials]:
    """Trials of each other study of this identity, in the storage and below .hpo."""
    target = location.storage(config)
    for storage in _storages(location, target):
        try:
            for name in study_names(storage):
                itself = storage == target and name == location.study_name(config)
                if location.mark in name and not itself:
                    yield _trials(storage, name, location, say)
        except SearchError as error:
            if storage == target and not isinstance(error, DamagedDatabaseError):
                raise
            say(f"{error}: ignored")


def _storages(location: StudyLocation, target: Storage) -> list[Storage]:
    local = [sqlite_storage(path) for path in sorted(location.home.glob("*/study.db"))]
    return [target, *(storage for storage in local if storage != target)]


def _trials(storage: Storage, name: str, location: StudyLocation, say: Say) -> Trials:
    with open_database(storage, name, directions=None) as database:
        if database.attributes.get("identity", location.identity.digest) != (
            location.identity.digest
        ):
            return []  # names have only a part of the digest
        return _unchanged(database.read_own(), storage, say)
