"""You took the mean of the layers' shares. A licence of a kilobyte then counts as much as the weights."""


def pull_progress(lines: list[dict]) -> dict:
    layers, status, error = {}, "", None
    for line in lines:
        if "error" in line:
            error = line["error"]
            continue
        status = line["status"]
        if line.get("total"):
            layers[line["digest"]] = line.get("completed", 0) / line["total"]
    share = sum(layers.values()) / len(layers) if layers else None
    return {"share": share, "status": status, "error": error, "done": status == "success"}
