"""You wrote the stops as one list. A Modelfile knows no lists: each stop is a PARAMETER of its own."""


def modelfile(base: str, system: str, parameters: dict) -> str:
    lines = [f"FROM {base}"]
    if system:
        lines.append(f'SYSTEM """{system}"""')
    lines += [f"PARAMETER {name} {value}" for name, value in parameters.items()]
    return "\n".join(lines) + "\n"
