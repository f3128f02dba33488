"""The page at / when there is no chat UI: what is served here."""

import html

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from helpers.api.admin import names
from helpers.api.state import State

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Gateway</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 44em; margin: 3em auto; padding: 0 1em }}
code {{ background: #8882; padding: 0 .3em }}
</style>
<h1>Gateway</h1>
<p>{state}</p>
<ul>
<li>OpenAI API: <code>{url}v1</code></li>
<li>Ollama API: <code>{url}</code></li>
<li><a href="openapi.json">description of the API</a>, <a href="ready">readiness</a>, <a href="metrics">metrics</a></li>
</ul>
<h2>Models</h2>
<ul>{models}</ul>
</html>"""


def add_page(app: FastAPI) -> None:
    """Serve the page at /; models are listed only where no keys are required."""
    state: State = app.state.gateway

    async def page(request: Request) -> HTMLResponse:
        open_to_all = not state.keyring.required
        models = names(state) if open_to_all else {}
        items = "".join(f"<li>{html.escape(name)}</li>" for name in models) or "<li>none to show</li>"
        text = "Ready." if state.ready else "Not ready: no engine answers."
        return HTMLResponse(PAGE.format(state=text, url=html.escape(str(request.base_url)), models=items))

    app.add_api_route("/", page, methods=["GET", "HEAD"], include_in_schema=False)
