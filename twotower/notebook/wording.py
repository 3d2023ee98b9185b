"""What the pipeline says, as it makes sense to somebody who gave it data frames."""

import re
from pathlib import Path

from twotower.common.yaml_file import parse_yaml
from twotower.search.console import OUT_OF_TIME
from twotower.search.front import OTHER_LIMITS

COMMAND = re.compile(r"dvc exp run((?: -S '[^']*')+)")
PRESET = re.compile(r"twotower preset ([\w-]+)")
SETTING = re.compile(r"-S '\+?([^=']*)=([^']*)'")
FLAG = re.compile(r", or -S '[^']*'")
PHRASES = {
    OUT_OF_TIME: "the time budget ran out: in a folder of its own, a second fit goes on",
    OTHER_LIMITS: "in a folder of its own, a fit with other limits chooses from the same trials",
    "problems with the raw files": "problems with the frames",
    "the file has no data rows": "the frame has no rows",
    "fix the file or set": "correct them or set",
    "model written to .artifacts_best/, without test scores": "no test scores",
}


def in_python(text: str, raw: Path) -> str:
    """A message without the names of files, and with arguments in place of commands.

    Args:
        text: a message or an error of the pipeline.
        raw: folder that the frames were written to, each as NAME.parquet.
    """
    for file in sorted(raw.glob("*.parquet")):
        text = text.replace(str(file), file.stem).replace(file.name, file.stem)
    for phrase, ours in PHRASES.items():
        text = text.replace(phrase, ours)
    text = FLAG.sub("", PRESET.sub(r"config='\1'", text))
    return COMMAND.sub(_argument, text)


def _argument(command: re.Match[str]) -> str:
    """`config={'hpo.search_space.dim.high': 128}` of the command that sets it."""
    settings = SETTING.findall(command[1])
    return f"config={ {key: parse_yaml(value, key) for key, value in settings} }"
