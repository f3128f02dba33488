"""The gateway: OpenAI and Ollama APIs in, any engine behind.

A request flows through, in this order:

    app.py        FastAPI: which path is served by what
    flow.py       one request from its first byte to its last, and what ends it early
    auth.py       whose key is it?
    openai.py     what is asked? (ollama.py for the Ollama API)
    limits.py     may this key ask now?
    queue.py      is there a place?
    routing.py    which upstream?
    upstream.py   bytes to it and back
    stream.py     whole events at a time
    answer.py     bytes to the client

Beside that path: settings.py (what it is told), state.py (what all requests share), calls.py, usage.py, metrics.py,
ledger.py and database.py (what is kept of a request), health.py (which upstreams live), admin.py, ollama_admin.py,
page.py and schema.py (everything that is no completion), server.py and process.py (the process it runs in).
"""
