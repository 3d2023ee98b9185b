"""params.yaml as typed, frozen sections; the only reader of that file."""

from twotower.config.params import Config, load_config, parse_config
from twotower.config.search_space import SearchSpace

__all__ = ["Config", "SearchSpace", "load_config", "parse_config"]
