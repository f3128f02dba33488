"""You wrote the system prompt without quotes. Its second line is then read as an instruction."""


def modelfile(base: str, system: str, parameters: dict) -> str:
    lines = [f"FROM {base}"]
    if system:
        lines.append(f"SYSTEM {system}")
    for name, value in parameters.items():
        values = [f'"{stop}"' for stop in value] if isinstance(value, list) else [value]
        lines += [f"PARAMETER {name} {each}" for each in values]
    return "\n".join(lines) + "\n"
