"""You sent max_tokens. Ollama calls it num_predict, and silently passes over what it does not know."""


def preset_request(model: str, preset: dict, question: str) -> dict:
    system = [{"role": "system", "content": preset["system"]}] if preset["system"] else []
    options = {name: value for name, value in preset["options"].items() if value is not None}
    body = {"model": model, "messages": [*system, {"role": "user", "content": question}], "stream": True}
    return {**body, "options": options} if options else body
