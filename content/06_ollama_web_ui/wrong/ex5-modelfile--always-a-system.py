"""You wrote an empty SYSTEM. That takes away the system prompt which the base model has."""


def modelfile(base: str, system: str, parameters: dict) -> str:
    lines = [f"FROM {base}", f'SYSTEM """{system}"""']
    for name, value in parameters.items():
        values = [f'"{stop}"' for stop in value] if isinstance(value, list) else [value]
        lines += [f"PARAMETER {name} {each}" for each in values]
    return "\n".join(lines) + "\n"
