"""A conversation as a file: Markdown to read, JSON to process."""

from collections.abc import Sequence
from dataclasses import asdict
from time import gmtime, strftime

import orjson

from helpers.ui.figures import describe
from helpers.ui.records import Conversation, Message


def as_markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """The conversation as a Markdown document, with what was measured under each answer."""
    lines = [f"# {conversation.title}", ""]
    if conversation.system.strip():
        lines += ["> " + line for line in conversation.system.strip().splitlines()] + [""]
    for message in messages:
        when = strftime("%Y-%m-%d %H:%M UTC", gmtime(message.at))
        author = "You" if message.role == "user" else message.model
        lines += [f"## {author}, {when}", "", message.text.rstrip(), ""]
        note = "; ".join(filter(None, (describe(message.figures), message.error)))
        if note:
            lines += [f"*{note}*", ""]
    return "\n".join(lines)


def as_json(conversation: Conversation, messages: Sequence[Message]) -> str:
    """Everything that is kept of the conversation, except whose it is."""
    kept = {name: value for name, value in asdict(conversation).items() if name != "owner"}
    said = [{name: value for name, value in asdict(message).items() if name != "conversation"} for message in messages]
    return orjson.dumps(kept | {"messages": said}, option=orjson.OPT_INDENT_2).decode()
