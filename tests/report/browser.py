"""A page as a real browser sees it, driven as kaleido drives it: no further package is needed."""

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from choreographer import Browser
from choreographer.browser_async import Tab

from twotower.plots.pictures import BrowserError, find_browser

WAIT = 60.0
"""Seconds for the start of the browser and the page."""
FINISHED = """
new Promise((resolve) => {
  const drawn = () => [...document.querySelectorAll(".js-plotly-plot")]
    .every((plot) => plot.querySelector(".main-svg .plot, .main-svg .cartesianlayer"));
  const look = () => document.readyState === "complete" && drawn() ? resolve(true)
    : setTimeout(look, 50);
  look();
})
"""


def has_browser() -> bool:
    try:
        find_browser()
    except BrowserError:
        return False
    return True


@dataclass
class Seen:
    """What happened while a page was open.

    Attributes:
        requests: addresses that it asked for, its own first.
        problems: errors, warnings and whatever else the console was told.
        values: of the expressions that were asked for.
    """

    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Window:
    """Of the browser: its size in CSS pixels, pixels of a picture per each, and light or dark."""

    width: int = 1200
    height: int = 900
    scale: float = 1
    scheme: str = "light"

    def settings(self) -> dict[str, dict[str, Any]]:
        """Commands to the browser."""
        return {
            "Emulation.setDeviceMetricsOverride": {
                "width": self.width,
                "height": self.height,
                "deviceScaleFactor": self.scale,
                "mobile": self.width < 600,
            },
            "Emulation.setEmulatedMedia": {
                "features": [{"name": "prefers-color-scheme", "value": self.scheme}]
            },
            "Emulation.setScrollbarsHidden": {"hidden": True},  # pictures have none either
        }


def look(page: Path, *expressions: str, width: int = 1200, scheme: str = "light") -> Seen:
    """Open a page, wait until its plots are drawn, and evaluate JavaScript."""
    return _within_limit(_look(page, expressions, Window(width, scheme=scheme)))


def photograph(page: Path, areas: tuple[str, ...], window: Window) -> list[bytes]:
    """PNG pictures of parts of a page; JavaScript gives each as [x, y, width, height]."""
    return _within_limit(_photograph(page, areas, window))


def _within_limit(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, WAIT))


async def _look(page: Path, expressions: tuple[str, ...], window: Window) -> Seen:
    async with _opened(page, window) as (tab, seen):
        seen.values = [await _value(tab, expression) for expression in expressions]
    return seen


async def _photograph(page: Path, areas: tuple[str, ...], window: Window) -> list[bytes]:
    pictures = []
    async with _opened(page, window) as (tab, _):
        for area in areas:
            sides = ("x", "y", "width", "height")
            clip = dict(zip(sides, await _value(tab, area), strict=True), scale=1)
            answer = await tab.send_command(
                "Page.captureScreenshot",
                {"format": "png", "clip": clip, "captureBeyondViewport": True},
            )
            pictures.append(base64.b64decode(answer["result"]["data"]))
    return pictures


@asynccontextmanager
async def _opened(page: Path, window: Window) -> AsyncIterator[tuple[Tab, Seen]]:
    """A tab with the page, all plots drawn; what happens in it is noted meanwhile."""
    seen = Seen()

    async def requested(event: dict[str, Any]) -> None:
        seen.requests.append(event["params"]["request"]["url"])

    async def complained(event: dict[str, Any]) -> None:
        seen.problems.append(str(event["params"]))

    async with Browser(path=find_browser(), headless=True, enable_sandbox=False) as browser:
        tab = await browser.create_tab("")
        tab.subscribe("Network.requestWillBeSent", requested, repeating=True)
        for event in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            tab.subscribe(event, complained, repeating=True)
        for domain in ("Network", "Log", "Runtime", "Page"):
            await tab.send_command(f"{domain}.enable")
        for command, settings in window.settings().items():
            await tab.send_command(command, settings)
        loaded = tab.subscribe_once("Page.loadEventFired")
        await tab.send_command("Page.navigate", {"url": page.absolute().as_uri()})
        await loaded
        await _value(tab, FINISHED)
        yield tab, seen


async def _value(tab: Tab, expression: str) -> Any:
    answer = await tab.send_command(
        "Runtime.evaluate",
        {"expression": expression, "awaitPromise": True, "returnByValue": True},
    )
    return answer["result"]["result"].get("value")
