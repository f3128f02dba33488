"""What went wrong, and what to do: the gateway's and the engines' words for people who only see a page."""

import re

HINTS: tuple[tuple[str, str], ...] = (
    (r"context|too many tokens|exceed.*tokens|maximum.*length", "Shorten the text, or start a new conversation."),
    (r"no space left|disk", "The engine's disk is full. Delete a model you no longer need, then try again."),
    (r"no model|model.*not found|file does not exist", "Choose another model, or pull it on the page Models."),
)
"""Pattern in a message -> what to do."""

PREFIX = re.compile(r"(?:error inside the stream|stream cut before \[DONE\]): ")
"""How records begin an error; a reader of the page sees that the answer is incomplete."""

BY_STATUS = {
    0: "The engine may have died. Look at its log (./course engines), then try again.",
    401: "Sign in with a valid key (./course keys add NAME).",
    403: "Ask for a key that may do this (./course keys add NAME --models).",
    413: "Send less at once.",
    429: "Wait a moment, then try again.",
    501: "Put an Ollama behind the gateway: ./course serve --upstream ollama=http://127.0.0.1:11434.",
    502: "The engine may have died. Look at its log (./course engines), then try again.",
    503: "Check that the engine runs (./course engines), then try again.",
    504: "Try again, or choose a smaller model.",
}
"""HTTP status (0: inside a stream) -> what to do."""


def advise(message: str, status: int = 0) -> str:
    """The message with the next step: two sentences."""
    message = PREFIX.sub("", message.strip()) or "It failed without a word."
    if message[-1] not in ".!?":
        message += "."
    if "./course" in message:
        return message
    for pattern, step in HINTS:
        if re.search(pattern, message, re.IGNORECASE):
            return f"{message} {step}"
    return f"{message} {BY_STATUS.get(status, 'Try again.')}"
