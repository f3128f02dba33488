"""You looked at the latest layer alone: your bar jumps back to zero whenever the next one begins."""


def pull_progress(lines: list[dict]) -> dict:
    share, status, error = None, "", None
    for line in lines:
        if "error" in line:
            error = line["error"]
            continue
        status = line["status"]
        if line.get("total"):
            share = line.get("completed", 0) / line["total"]
    return {"share": share, "status": status, "error": error, "done": status == "success"}
