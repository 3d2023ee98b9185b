"""params.yaml as typed, frozen sections; the only reader of that file."""

from twotower.config.params import Config, load_config, parse_config

__all__ = ["Config", "load_config", "parse_config"]
