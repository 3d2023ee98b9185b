from twotower.common.seeds import derive_seed


def test_seed_is_a_constant_of_its_arguments() -> None:
    # First four bytes of the SHA-256 of '[42, "sampler", 3]'; a change here changes every study.
    assert derive_seed(42, "sampler", 3) == 1625672352


def test_purposes_and_seeds_are_independent() -> None:
    seeds = {
        derive_seed(seed, *purpose) for seed in (1, 2) for purpose in (("a",), ("a", 1), ("b",))
    }
    assert len(seeds) == 6
