"""You put the options beside the messages, as OpenAI has them. Ollama reads them from the object `options` only."""


def preset_request(model: str, preset: dict, question: str) -> dict:
    system = [{"role": "system", "content": preset["system"]}] if preset["system"] else []
    names = {"max_tokens": "num_predict"}
    options = {names.get(name, name): value for name, value in preset["options"].items() if value is not None}
    return {"model": model, "messages": [*system, {"role": "user", "content": question}], "stream": True, **options}
