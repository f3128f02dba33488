"""You put the system prompt into the user's message. It has a role of its own, which models are trained to obey."""


def preset_request(model: str, preset: dict, question: str) -> dict:
    names = {"max_tokens": "num_predict"}
    options = {names.get(name, name): value for name, value in preset["options"].items() if value is not None}
    content = f"{preset['system']} {question}".strip()
    body = {"model": model, "messages": [{"role": "user", "content": content}], "stream": True}
    return {**body, "options": options} if options else body
