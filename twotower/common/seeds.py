"""One seed in params.yaml, one independent stream for every purpose."""

import hashlib
import json


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Seed for one purpose, in [0, 2**32): the same on every machine and in every process.

    Args:
        seed: the seed of params.yaml.
        purpose: what the stream is for, e.g. ("sampler", trial_number).
    """
    digest = hashlib.sha256(json.dumps([seed, *purpose]).encode()).digest()
    return int.from_bytes(digest[:4], "big")
