"""Open WebUI, somebody else's chat page, in an environment of its own, against the gateway or an Ollama.

    plan.py     what it is started with: a value that can be printed
    install.py  its environment: made, and removed
    life.py     started and stopped
    rest.py     admin account, a preset with a system prompt, a chat: through its REST API

Facts (versions, settings, paths of the API) are those of Open WebUI 0.12.4, as measured in November 2026.
"""
