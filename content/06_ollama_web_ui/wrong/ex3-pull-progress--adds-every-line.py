"""You added up every line. A layer is told of again and again, with all that it has so far: only the latest counts."""


def pull_progress(lines: list[dict]) -> dict:
    have, total, status, error = 0, 0, "", None
    for line in lines:
        if "error" in line:
            error = line["error"]
            continue
        status = line["status"]
        have += line.get("completed", 0)
        total += line.get("total", 0)
    return {"share": have / total if total else None, "status": status, "error": error, "done": status == "success"}
