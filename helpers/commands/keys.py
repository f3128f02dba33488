"""`./course keys`: who may use the gateway."""

import argparse
import json
from datetime import datetime
from typing import TYPE_CHECKING

from helpers.errors import UsageError

if TYPE_CHECKING:
    from helpers.api.database import Database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("add", "list", "revoke"))
    parser.add_argument("name", nargs="?", default="", help="whose key it is: a person, a program")
    parser.add_argument("--requests-per-minute", type=int, default=0, metavar="N", help="0: the gateway's default")
    parser.add_argument("--tokens-per-minute", type=int, default=0, metavar="N", help="0: the gateway's default")
    parser.add_argument("--in-flight", type=int, default=0, metavar="N", help="requests running at once")
    parser.add_argument("--models", action="store_true", help="may pull, copy, create and delete models of an Ollama")
    parser.add_argument("--database", default="", metavar="URL", help="where keys are kept; default: as ./course serve")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Add, list or revoke."""
    from helpers.api.database import Database

    if bool(arguments.name) == (arguments.action == "list"):
        what = "list takes no name" if arguments.name else f"{arguments.action} needs a name"
        raise UsageError(f"keys {what}", "", "./course keys --help")
    if min(arguments.requests_per_minute, arguments.tokens_per_minute, arguments.in_flight) < 0:
        raise UsageError("a limit cannot be negative", "0 means the gateway's default", "./course keys --help")
    database = Database(arguments.database)
    try:
        return {"add": _add, "list": _list, "revoke": _revoke}[arguments.action](database, arguments)
    finally:
        database.close()


def _add(database: "Database", arguments: argparse.Namespace) -> int:
    text = database.add_key(
        arguments.name,
        requests_per_minute=arguments.requests_per_minute,
        tokens_per_minute=arguments.tokens_per_minute,
        max_in_flight=arguments.in_flight,
        may_change_models=arguments.models,
    )
    if arguments.json:
        print(json.dumps({"name": arguments.name, "key": text}))
    else:
        print(f"{text}\nThis is the only time it is shown. Use: Authorization: Bearer {text[:12]}...")
    return 0


def _list(database: "Database", arguments: argparse.Namespace) -> int:
    keys = database.list_keys()
    if arguments.json:
        print(json.dumps({"keys": keys}))
        return 0
    if not keys:
        print("No keys. Make one: ./course keys add NAME")
        return 0
    print(f"{'name':<20} {'id':<9} {'made':<17} {'state':<8} {'requests':>9} {'tokens in':>11} {'tokens out':>11}")
    for key in keys:
        made = datetime.fromtimestamp(key["created_at"]).strftime("%Y-%m-%d %H:%M")
        state = "revoked" if key["revoked_at"] else "valid"
        counts = f"{key['requests']:>9} {key['prompt_tokens']:>11} {key['output_tokens']:>11}"
        print(f"{key['name']:<20} {key['id']:<9} {made:<17} {state:<8} {counts}")
    return 0


def _revoke(database: "Database", arguments: argparse.Namespace) -> int:
    database.revoke_key(arguments.name)
    print(json.dumps({"revoked": arguments.name}) if arguments.json else f"Revoked {arguments.name}.")
    return 0
