"""Trials of the same study that are stored elsewhere: in the snapshot, or by other code."""

from collections.abc import Iterator, Mapping

from twotower.common.errors import SearchError
from twotower.config.hpo import HpoConfig
from twotower.search.store.database import open_database, study_names
from twotower.search.store.location import StudyLocation
from twotower.search.store.locks import Say
from twotower.search.store.snapshot import read_snapshot
from twotower.search.store.storage import Storage, sqlite_storage
from twotower.search.trial import Trial

Trials = list[Trial]


def stored_elsewhere(
    location: StudyLocation, config: HpoConfig, say: Say, live: Mapping[int, Trial]
) -> Trials:
    """Trials 0..n-1 of this identity that the live study may take over.

    They are those of one study, of which the live one is the beginning: a search that was killed
    while it took them over goes on with that, and two histories never mix.

    Args:
        location: of the live study.
        config: `n_trials`, `on_drift`, `storage` and `study_name` count.
        say: told what the user should know.
        live: finished trials of the live study by number; where there are any, what to do about
            drift was decided when they were made.

    Raises:
        SearchError: if the trials were made by other code, libraries or CPU capability and
            `on_drift` is `error`, or if the snapshot cannot be read.
    """
    snapshot = _snapshot(location, say, needed=0 not in live)
    wanted = any(number not in live for number in range(config.n_trials))
    found = [snapshot, *(_siblings(location, config, say) if wanted else ())]
    found = [trials for trials in found if _goes_on(trials, live)]
    ours: Trials = max(
        (trials for trials in found if _made_by_us(trials, location)), key=len, default=[]
    )
    if ours or not found or (live and config.on_drift != "resume"):
        return ours
    drifted = snapshot if snapshot in found else max(found, key=len)
    what = f"{len(drifted)} stored trials were made by other code, libraries or CPU capability"
    if config.on_drift == "error":
        msg = f"{what}; hpo.on_drift: new starts a new study, resume continues the old one"
        raise SearchError(msg)
    if config.on_drift == "resume":
        say(f"{what}: continuing with them, and marking the results as mixed")
        return drifted
    say(f"{what}: starting a new study (the old one is kept; hpo.on_drift: resume continues it)")
    return []


def _goes_on(trials: Trials, live: Mapping[int, Trial]) -> bool:
    """Whether these are the trials of the live study, and others."""
    there = [trial for trial in trials if trial.number in live]
    return len(there) < len(trials) and all(
        trial.without_times() == live[trial.number].without_times() for trial in there
    )


def _made_by_us(trials: Trials, location: StudyLocation) -> bool:
    return all(trial.provenance == location.provenance.digest for trial in trials)


def _snapshot(location: StudyLocation, say: Say, *, needed: bool) -> Trials:
    try:
        attributes, trials = read_snapshot(location.snapshot)
    except SearchError as error:
        if needed:
            raise
        say(f"{error}: ignored, as the live study is sound")
        return []
    if trials and attributes.get("identity") != location.identity.digest:
        say(f"{location.snapshot.name} holds another study (data, space or settings): ignored")
        return []
    return trials


def _siblings(location: StudyLocation, config: HpoConfig, say: Say) -> Iterator[Trials]:
    """Trials of each other study of this identity, in the storage and below .hpo."""
    target = location.storage(config)
    for storage in _storages(location, target):
        try:
            for name in study_names(storage):
                itself = storage == target and name == location.study_name(config)
                if location.mark in name and not itself:
                    yield _trials(storage, name, location)
        except SearchError as error:
            if storage == target:
                raise
            say(f"{error}: ignored")


def _storages(location: StudyLocation, target: Storage) -> list[Storage]:
    local = [sqlite_storage(path) for path in sorted(location.home.glob("*/study.db"))]
    return [target, *(storage for storage in local if storage != target)]


def _trials(storage: Storage, name: str, location: StudyLocation) -> Trials:
    with open_database(storage, name) as database:
        if database.attributes.get("identity", location.identity.digest) != (
            location.identity.digest
        ):
            return []  # the name is a part of the digest only
        return database.sound_records()
