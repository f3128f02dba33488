"""`./course openwebui`: Open WebUI against the gateway or an Ollama, in an environment of its own."""

import argparse
import json
from typing import Any

from helpers.config import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from helpers.openwebui.plan import APIS, DEFAULT_PORT

    parser.add_argument(
        "action",
        nargs="?",
        default="plan",
        choices=("plan", "install", "start", "stop", "remove"),
        help="default: plan",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help="the gateway's or an Ollama's (default: %(default)s)"
    )
    parser.add_argument("--api", choices=APIS, default="openai", help="what is spoken with it (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="its own (default: %(default)s)")
    parser.add_argument("--container", action="store_true", help="its container, in place of an environment")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    from helpers.openwebui import install, life, rest
    from helpers.openwebui.plan import INSTALL_GB, make_plan

    key = read_settings().api_key
    plan = make_plan(arguments.url, arguments.api, key, arguments.port, arguments.container)
    said: dict[str, Any] = {"action": arguments.action, "url": plan.url}
    if arguments.action == "plan":
        said |= {"argv": list(plan.argv), "shell": plan.shell}
        text = f"{plan.shell}\n\nNext: ./course openwebui install ({INSTALL_GB} GB), then ./course openwebui start"
    elif arguments.action == "install":
        text = f"Open WebUI is installed: {install.install()}"
    elif arguments.action == "start":
        life.start(plan)
        said |= rest.verify(plan.url)
        text = (
            f"Open WebUI answers on {plan.url}. Sign in as {rest.ADMIN}; "
            f"the password stands in {rest.account_file()}.\n"
            f"  models  {', '.join(said['models'])}\n  preset  {said['preset']}\n"
            f"  asked   {said['question']}\n  answer  {said['answer']}\n./course openwebui stop ends it."
        )
    elif arguments.action == "stop":
        said["was_running"] = life.stop()
        text = "Open WebUI has ended." if said["was_running"] else "Open WebUI did not run."
    else:
        life.stop()
        said["removed"] = install.remove()
        text = "Open WebUI is gone, with its data." if said["removed"] else "There was nothing to remove."
    print(json.dumps(said) if arguments.json else text)
    return 0
