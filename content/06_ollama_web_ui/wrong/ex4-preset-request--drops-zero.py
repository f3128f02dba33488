"""You left out what is false in Python's eyes, and so a temperature of 0, which is a choice like any other."""


def preset_request(model: str, preset: dict, question: str) -> dict:
    system = [{"role": "system", "content": preset["system"]}] if preset["system"] else []
    names = {"max_tokens": "num_predict"}
    options = {names.get(name, name): value for name, value in preset["options"].items() if value}
    body = {"model": model, "messages": [*system, {"role": "user", "content": question}], "stream": True}
    return {**body, "options": options} if options else body
