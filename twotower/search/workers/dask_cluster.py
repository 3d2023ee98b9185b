"""Connects to a dask scheduler, or starts one with workers on this machine."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import distributed

from twotower.common.errors import SearchError
from twotower.config import Config
from twotower.search.run_trial import Evaluate
from twotower.search.store.locks import Say
from twotower.search.workers.dask import PATIENCE, DaskWorkers


@contextmanager
def dask_workers(
    config: Config, objective: Evaluate, limit: int, say: Say
) -> Iterator[DaskWorkers]:
    """Workers of the scheduler at `hpo.dask.address`, or of a cluster of this machine.

    Args:
        config: section `hpo.dask`, `hpo.sampler` and `train.device` count.
        objective: sent once to each worker.
        limit: largest number of workers to use; the processes of a local cluster.
        say: shows a line to the user.

    Raises:
        SearchError: if there is no scheduler or no matching worker within `hpo.dask.wait`.
    """
    for name in ("distributed", "distributed.client", "tornado", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we report what matters
    with contextlib.ExitStack() as stack:
        address = config.hpo.dask.address
        if address is None:
            cluster = distributed.LocalCluster(
                n_workers=limit,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                memory_limit=0,  # a limit would pause trials at 80 % of an even share
                silence_logs=logging.CRITICAL,
            )
            stack.callback(cluster.close, timeout=5)
            address = cluster.scheduler_address
        client = _connect(address, config.hpo.dask.wait, say)
        workers = DaskWorkers(client, objective, config, limit, say)
        stack.callback(workers.stop)
        workers.await_first()
        yield workers


def _connect(address: str, wait: float, say: Say) -> distributed.Client:
    notice = threading.Timer(
        PATIENCE, say, [f"waiting up to {wait:g} s for a dask scheduler at {address}"]
    )
    notice.start()
    try:
        return distributed.Client(address, timeout=wait, set_as_default=False)
    except (OSError, ValueError) as error:
        msg = f"hpo.dask.address: no dask scheduler at {address} within {wait:g} s"
        raise SearchError(msg) from error
    finally:
        notice.cancel()
