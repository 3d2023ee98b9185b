"""Charts as PNG files, drawn by kaleido in a Chrome or Chromium."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twotower.common.errors import TwoTowerError
from twotower.common.files import atomic_write
from twotower.plots.chart import Chart

TIMEOUT = 60.0
"""Seconds for the start of the browser and all pictures together."""
CLOSE_TIMEOUT = 10.0
"""Seconds that a browser gets to close before it is killed."""
SIZE = {"width": 1200, "height": 675, "scale": 2}
"""Layout size in pixels, and how many pixels of the file one of them takes."""
NO_BROWSER = (
    "no Chrome or Chromium was found; install one, run kaleido_get_chrome, or set BROWSER_PATH "
    "to its program"
)


class BrowserError(TwoTowerError):
    """No browser was found, or it drew no picture."""


def find_browser() -> Path:
    """Program of a Chrome, Chromium or relative of theirs.

    $BROWSER_PATH, then the copy that kaleido_get_chrome downloads, PATH and the usual places.

    Raises:
        BrowserError: if there is none.
    """
    from choreographer.browsers.chromium import Chromium

    program = os.environ.get("BROWSER_PATH") or Chromium.find_browser(skip_local=False)
    if not program:
        raise BrowserError(NO_BROWSER)
    if not Path(program).is_file():
        msg = f"BROWSER_PATH: no such file: {program}"
        raise BrowserError(msg)
    return Path(program)


def remove_pictures(charts: Sequence[Chart], folder: Path) -> None:
    """Remove the pictures of an earlier run, so that none is older than its page."""
    for chart in charts:
        _picture(chart, folder).unlink(missing_ok=True)


def write_pictures(charts: Sequence[Chart], folder: Path, timeout: float = TIMEOUT) -> list[Path]:
    """Write each chart that has a figure to `<name>.png`, all with one start of a browser.

    Returns:
        The files written; none, and no browser is started, if there is no figure.

    Raises:
        BrowserError: if no browser is found, or it fails, or it takes longer than `timeout`
            seconds.
    """
    drawn = [chart for chart in charts if chart.figure is not None]
    if not drawn:
        return []
    browser = find_browser()
    try:
        images = asyncio.run(_render([chart.figure for chart in drawn], browser, timeout))
    except TimeoutError:
        msg = f"{browser} drew no picture within {timeout:g} seconds"
        raise BrowserError(msg) from None
    # Any failure of the browser or its driver becomes one line: pictures are optional.
    except Exception as error:
        reason = str(error.args[0]) if error.args else type(error).__name__
        msg = f"{browser} drew no picture: {' '.join(reason.split())[:160].rstrip('.')}"
        raise BrowserError(msg) from error
    paths = [_picture(chart, folder) for chart in drawn]
    for path, image in zip(paths, images, strict=True):
        with atomic_write(path) as handle:
            handle.write(image)
    return paths


def _picture(chart: Chart, folder: Path) -> Path:
    return folder / f"{chart.name}.png"


async def _render(figures: Sequence[Any], browser: Path, timeout: float) -> list[bytes]:
    """PNG bytes of each figure; the browser has ended afterwards, whatever happened.

    Kaleido starts it without its own sandbox and GPU, so that it runs as root and in containers;
    it loads only our figures and the plotly.js of the installed package.
    """
    import kaleido

    for name in ("kaleido", "choreographer", "browser_proc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    driver = kaleido.Kaleido(path=browser, n=1, timeout=timeout, mathjax=False)
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await _draw(driver, figures)
    except Exception:
        if limit.expired():  # kaleido reports its cancelled start as another error
            _kill(driver)
            raise TimeoutError from None
        raise
    finally:
        await _stop(driver)


async def _draw(driver: Any, figures: Sequence[Any]) -> list[bytes]:
    await driver.open()
    return [await driver.calc_fig(figure, {"format": "png", **SIZE}) for figure in figures]


async def _stop(driver: Any) -> None:
    """Close the browser, and kill it if it does not answer."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(driver.close(), CLOSE_TIMEOUT)
    _kill(driver)


def _kill(driver: Any) -> None:
    """End the browser's processes if they still run."""
    process = getattr(driver, "subprocess", None)
    if process is None or process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)  # kaleido starts it as a session of its own
        process.wait(CLOSE_TIMEOUT)
