"""You called it done when the last byte was there. Ollama then checks what it has, and may find it damaged."""


def pull_progress(lines: list[dict]) -> dict:
    layers, status, error = {}, "", None
    for line in lines:
        if "error" in line:
            error = line["error"]
            continue
        status = line["status"]
        if line.get("total"):
            layers[line["digest"]] = (line.get("completed", 0), line["total"])
    total = sum(size for _, size in layers.values())
    share = sum(have for have, _ in layers.values()) / total if total else None
    return {"share": share, "status": status, "error": error, "done": share == 1.0}
