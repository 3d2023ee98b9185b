"""What the service says of itself at `/`: a page to browsers, JSON to programs."""

from typing import Any

from fastapi import FastAPI
from markupsafe import Markup

PAGE = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{service}</title>
<style>
body {{ max-width: 42em; margin: 8vh auto; padding: 0 1em; font: 17px/1.6 system-ui, sans-serif; }}
dd {{ margin: 0 0 .6em 1.5em; }}
</style>
</head>
<body>
<h1>{service}</h1>
<p>Model {model}: {num_users:,} users, {num_items:,} items. Version {version} of the service.</p>
<p><a href="docs">Try it</a>, look at its <a href="health">health</a>, or read the
<a href="openapi.json">description for programs</a>.</p>
<dl>
{endpoints}
</dl>
</body>
</html>
""")
ENDPOINT = Markup("<dt><code>{}</code></dt><dd>{}</dd>\n")


def about(app: FastAPI, model: str, num_users: int, num_items: int) -> dict[str, Any]:
    """What the service is, and what can be asked.

    Args:
        app: the service.
        model: version of the model that answers.
        num_users: that the model has.
        num_items: likewise.
    """
    paths = app.openapi()["paths"]
    return {
        "service": app.title,
        "version": app.version,
        "model": model,
        "num_users": num_users,
        "num_items": num_items,
        "endpoints": {
            f"{method.upper()} {path}": operation["description"]
            for path, methods in paths.items()
            for method, operation in methods.items()
        },
        "docs": "/docs",
    }


def page(facts: dict[str, Any]) -> str:
    """The same for people."""
    endpoints = Markup("").join(ENDPOINT.format(*row) for row in facts["endpoints"].items())
    return PAGE.format(**facts | {"endpoints": endpoints})
