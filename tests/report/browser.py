"""A page as a real browser sees it, driven as kaleido drives it: no further package is needed."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from choreographer import Browser

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


def look(page: Path, *expressions: str, width: int = 1200, scheme: str = "light") -> Seen:
    """Open a page, wait until its plots are drawn, and evaluate JavaScript."""
    return asyncio.run(asyncio.wait_for(_look(page, expressions, width, scheme), WAIT))


async def _look(page: Path, expressions: tuple[str, ...], width: int, scheme: str) -> Seen:
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
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await tab.send_command("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await tab.send_command("Emulation.setEmulatedMedia", {"features": features})
        loaded = tab.subscribe_once("Page.loadEventFired")
        await tab.send_command("Page.navigate", {"url": page.absolute().as_uri()})
        await loaded
        for expression in (FINISHED, *expressions):
            answer = await tab.send_command(
                "Runtime.evaluate",
                {"expression": expression, "awaitPromise": True, "returnByValue": True},
            )
            seen.values.append(answer["result"]["result"].get("value"))
    seen.values.pop(0)
    return seen
