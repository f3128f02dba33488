"""What is asked, in Ollama's words; passed on to a real Ollama, translated for any other engine."""

from typing import Any

import orjson

from helpers.api.calls import Call
from helpers.api.ollama_answers import (
    Answers,
    ChatAnswers,
    EmbedAnswers,
    EmbeddingsAnswers,
    GenerateAnswers,
    LineStream,
)
from helpers.api.openai import Dialect, Wanted, check_common, parse_object, wrong
from helpers.api.refusal import Refused
from helpers.api.routing import Target
from helpers.api.settings import Limits
from helpers.api.stream import Translator

SAME_NAME = ("temperature", "top_p", "top_k", "min_p", "seed", "stop", "presence_penalty", "frequency_penalty")
"""Options with the same name and meaning in the OpenAI API, or in most engines' extension of it."""


class Ollama:
    """One path of the Ollama API; `answers` writes what other engines say in its form."""

    def __init__(self, name: str, path: str, needs: str, answers: type[Answers]) -> None:
        self.name = name
        self._path = path
        self._needs = needs
        self._answers = answers

    def parse(self, body: bytes, limits: Limits) -> Wanted:
        """Check a body.

        Raises:
            Refused: 400, naming the field.
        """
        fields = parse_object(body)
        if "model" not in fields and "name" in fields:
            fields["model"] = fields.pop("name")
        options = fields.get("options")
        if options is not None and not isinstance(options, dict):
            raise wrong("options", "must be an object")
        asked = (options or {}).get("num_predict")
        if asked is not None and type(asked) is not int:
            raise wrong("num_predict", "must be a whole number")
        self._check_prompt(fields)
        wanted = check_common(fields, body, asked if asked is not None and asked > 0 else None, limits)
        wanted.stream = self._answers.streams and fields.get("stream") is not False
        start = max(0, body.find(b'"%s"' % self._needs.encode()))
        wanted.prefix = body[start : start + 1024]
        return wanted

    def forward(self, wanted: Wanted, model: str, target: Target, call: Call) -> tuple[str, bytes, Translator]:
        """Path, body and translator for the target; without a path the body is the answer."""
        if target.is_ollama:
            body = wanted.body
            if wanted.fields["model"] != model or b'"name"' in body:
                body = orjson.dumps({**wanted.fields, "model": model})
            return target.endpoint.root + self._path, body, LineStream(call)
        answers = self._answers(call, wanted.model)
        if self._answers.streams and not wanted.fields.get(self._needs):
            reason = "unload" if wanted.fields.get("keep_alive") in (0, "0") else "load"
            return "", answers.nothing(reason), answers
        try:
            path, request = self._translate(wanted.fields)
        except (TypeError, AttributeError, LookupError) as error:
            raise wrong(self._needs, f"is not in the form of {self._path}") from error
        request |= {"model": model}
        if wanted.stream:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        return target.endpoint.base + path, orjson.dumps(request), answers

    def error(self, refusal: Refused) -> bytes:
        """An error body as Ollama's clients read it."""
        return error_body(refusal)

    def _check_prompt(self, fields: dict[str, Any]) -> None:
        if self._needs == "messages":
            messages = fields.get("messages") or []
            if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
                raise wrong("messages", "must be a list of objects")
            return
        kinds = (str, list) if self._needs == "input" else str
        if not isinstance(fields.get(self._needs) or "", kinds):
            raise wrong(self._needs, "is of the wrong type")

    def _translate(self, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if self._needs == "messages":
            return "/chat/completions", {"messages": openai_messages(fields["messages"]), **openai_options(fields)}
        if self._answers is not GenerateAnswers:
            return "/embeddings", {"input": fields.get(self._needs) or ""}
        if fields.get("raw") or fields.get("suffix"):
            suffix = {"suffix": fields["suffix"]} if fields.get("suffix") else {}
            return "/completions", {"prompt": fields["prompt"], **suffix, **openai_options(fields)}
        prompt = {"role": "user", "content": fields["prompt"], "images": fields.get("images")}
        system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
        return "/chat/completions", {"messages": openai_messages([*system, prompt]), **openai_options(fields)}


def openai_options(fields: dict[str, Any]) -> dict[str, Any]:
    """Ollama's options, format, tools and think in OpenAI's words; num_ctx and its like are not passed on."""
    options = fields.get("options") or {}
    found = {name: options[name] for name in SAME_NAME if options.get(name) is not None}
    if (options.get("num_predict") or 0) > 0:
        found["max_tokens"] = options["num_predict"]
    if options.get("repeat_penalty") is not None:
        # llama.cpp has Ollama's name, vLLM and SGLang have the other one; each ignores the one it does not know.
        found["repeat_penalty"] = found["repetition_penalty"] = options["repeat_penalty"]
    wanted = fields.get("format")
    if isinstance(wanted, dict):
        found["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    elif wanted == "json":
        found["response_format"] = {"type": "json_object"}
    for name in ("tools", "logprobs", "top_logprobs"):
        if fields.get(name):
            found[name] = fields[name]
    think = fields.get("think")
    if isinstance(think, bool):
        found["chat_template_kwargs"] = {"enable_thinking": think}
    elif think:
        found["reasoning_effort"] = think
    return found


def openai_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ollama's messages in OpenAI's form: images become parts, tool calls get ids, and tool answers refer to them."""
    found: list[dict[str, Any]] = []
    waiting: list[tuple[str, str]] = []
    for message in messages:
        content: Any = message.get("content") or ""
        if images := message.get("images"):
            urls = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}} for image in images]
            content = [{"type": "text", "text": content}, *urls]
        converted = {"role": message.get("role", "user"), "content": content}
        if message.get("thinking"):
            converted["reasoning_content"] = message["thinking"]
        if calls := message.get("tool_calls"):
            converted["tool_calls"] = [openai_tool_call(call, f"call_{len(found)}_{n}") for n, call in enumerate(calls)]
            waiting += [(call["function"]["name"], call["id"]) for call in converted["tool_calls"]]
        if converted["role"] == "tool":
            name = message.get("tool_name") or message.get("name") or ""
            match = next(
                (pair for pair in waiting if pair[0] == name or not name), ("", message.get("tool_call_id", ""))
            )
            if match in waiting:
                waiting.remove(match)
            converted["tool_call_id"] = match[1]
        found.append(converted)
    return found


def openai_tool_call(call: Any, call_id: str) -> dict[str, Any]:
    """One tool call; its arguments are an object in Ollama's form and text in OpenAI's.

    Raises:
        Refused: 400, it has no function.
    """
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise wrong("tool_calls", "must hold objects with a function")
    arguments = function.get("arguments") or {}
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return {"id": call_id, "type": "function", "function": {"name": str(function.get("name", "")), "arguments": text}}


def error_body(refusal: Refused) -> bytes:
    """Ollama's form of an error."""
    return orjson.dumps({"error": refusal.message})


OLLAMA: dict[str, Dialect] = {
    "/api/chat": Ollama("ollama-chat", "/api/chat", "messages", ChatAnswers),
    "/api/generate": Ollama("ollama-generate", "/api/generate", "prompt", GenerateAnswers),
    "/api/embed": Ollama("ollama-embed", "/api/embed", "input", EmbedAnswers),
    "/api/embeddings": Ollama("ollama-embeddings", "/api/embeddings", "prompt", EmbeddingsAnswers),
}
