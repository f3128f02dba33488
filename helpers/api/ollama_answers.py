"""What engines answer, in Ollama's form: lines of JSON with nanosecond timings."""

from datetime import UTC, datetime
from time import perf_counter
from typing import Any, ClassVar

import orjson

from helpers.api.calls import Call
from helpers.api.refusal import LOST, Refused, UpstreamFailure
from helpers.api.stream import MAX_EVENT_BYTES
from helpers.api.usage import engine_message, note_usage, whole_number


class LineStream:
    """A real Ollama's own lines, unchanged; its counts are accounted."""

    accepts = b"application/x-ndjson"
    kind = b"application/x-ndjson"
    heartbeat = b""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._rest = b""
        self._done = False

    def feed(self, data: bytes) -> bytes:
        """Pass on the lines that are whole."""
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        data, self._rest = data[:cut], data[cut:]
        if len(self._rest) > MAX_EVENT_BYTES:
            raise UpstreamFailure("foreign", "a line without an end")
        if self._call.estimated:
            self._call.output_tokens += data.count(b"\n")
        if b'"done":true' in data or b'"error":' in data:
            self._done = True
            self._note(data.rstrip().rpartition(b"\n")[2])
        return data

    def end(self) -> bytes:
        """Nothing more to write; an answer without its last line was cut."""
        if not self._done:
            raise UpstreamFailure("lost", LOST)
        return b""

    def whole(self, body: bytes) -> bytes:
        """An answer in one piece, unchanged."""
        self._note(body)
        return body

    def refused(self, body: bytes) -> bytes:
        """Ollama's own error, unchanged."""
        return body

    def error(self, refusal: Refused) -> bytes:
        """The line that ends a stream which cannot go on."""
        return orjson.dumps({"error": refusal.message}) + b"\n"

    def _note(self, line: bytes) -> None:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return  # the engine's affair: its bytes go to the client as they are, and the estimate stands
        if isinstance(value, dict) and ("eval_count" in value or "prompt_eval_count" in value):
            self._call.prompt_tokens = whole_number(value.get("prompt_eval_count"))
            self._call.output_tokens = whole_number(value.get("eval_count"))
            self._call.estimated = False


class Answers:
    """An OpenAI answer written in Ollama's form."""

    accepts = b"text/event-stream"
    kind = b"application/x-ndjson"
    streams: ClassVar[bool] = True

    def __init__(self, call: Call, model: str) -> None:
        self._call = call
        self._model = model
        self._rest = b""
        self._finish = ""
        self._first_s: float | None = None
        self._timings: dict[str, Any] = {}
        self._tool_calls: dict[int, dict[str, str]] = {}
        self._failed = False

    @property
    def heartbeat(self) -> bytes:
        """A line without a word: the protocol has no comments."""
        return self._line({"content": ""})

    def feed(self, data: bytes) -> bytes:
        """One line for each event that says something."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise UpstreamFailure("foreign", "an event without an end")
        try:
            return b"".join([self._event(line[5:].strip()) for line in lines if line.startswith(b"data:")])
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
            raise UpstreamFailure("foreign", "an event that is no chunk of a completion") from error

    def end(self) -> bytes:
        """The last line, with why it ended and how long it took."""
        if self._failed:
            return b""
        if not self._finish:
            raise UpstreamFailure("lost", LOST)
        message = {"content": ""}
        return self._line(message | self._tools(), **self._final())

    def whole(self, body: bytes) -> bytes:
        """A whole answer."""
        try:
            return self._whole(orjson.loads(body), body)
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
            raise UpstreamFailure("foreign", "no completion in the answer") from error

    def _whole(self, answer: dict[str, Any], body: bytes) -> bytes:
        choice = answer["choices"][0]
        said = choice.get("message") or {"content": choice.get("text")}
        note_usage(self._call, body)
        self._note_timings(answer)
        self._finish = choice.get("finish_reason") or "stop"
        for number, tool_call in enumerate(said.get("tool_calls") or []):
            self._note_tool_call(number, tool_call)
        content = self._content(said) or {"content": ""}
        return self._line(content | self._tools(), **self._final(), **self._logprobs(choice)).rstrip()

    def refused(self, body: bytes) -> bytes:
        """An engine's error in Ollama's form."""
        return orjson.dumps({"error": engine_message(body)})

    def error(self, refusal: Refused) -> bytes:
        """The line that ends a stream which cannot go on."""
        return orjson.dumps({"error": refusal.message}) + b"\n"

    def nothing(self, reason: str) -> bytes:
        """The answer to a request without a prompt, which loads or unloads a model in Ollama."""
        return self._line({"content": ""}, done=True, done_reason=reason)

    def _event(self, event: bytes) -> bytes:
        if event == b"[DONE]":
            return b""
        chunk = orjson.loads(event)
        choices = chunk.get("choices") or []
        if "error" in chunk:
            self._failed, self._call.outcome = True, "upstream_refused"
            return orjson.dumps({"error": engine_message(event)}) + b"\n"
        note_usage(self._call, event)
        self._note_timings(chunk)
        if not choices:
            return b""
        choice = choices[0]
        said = choice.get("delta") or {"content": choice.get("text")}
        self._finish = choice.get("finish_reason") or self._finish
        for tool_call in said.get("tool_calls") or []:
            self._note_tool_call(whole_number(tool_call.get("index")), tool_call)
        content = self._content(said)
        if not content:
            return b""
        if self._call.estimated:
            self._call.output_tokens += 1
        if self._first_s is None:
            self._first_s = perf_counter()
        return self._line(content, **self._logprobs(choice))

    def _content(self, said: dict[str, Any]) -> dict[str, Any]:
        content = {"content": said["content"]} if said.get("content") else {}
        if thinking := said.get("reasoning_content") or said.get("reasoning"):
            content = {"content": "", **content, "thinking": thinking}
        return content

    def _logprobs(self, choice: dict[str, Any]) -> dict[str, Any]:
        logprobs = choice.get("logprobs")
        return {"logprobs": logprobs["content"]} if isinstance(logprobs, dict) and logprobs.get("content") else {}

    def _note_tool_call(self, number: int, tool_call: dict[str, Any]) -> None:
        function = tool_call.get("function") or {}
        known = self._tool_calls.setdefault(number, {"name": "", "arguments": ""})
        known["name"] += function.get("name") or ""
        known["arguments"] += function.get("arguments") or ""

    def _tools(self) -> dict[str, Any]:
        if not self._tool_calls:
            return {}
        calls = [
            {"name": call["name"], "arguments": parse_arguments(call["arguments"])}
            for call in self._tool_calls.values()
        ]
        return {"tool_calls": [{"function": call} for call in calls]}

    def _note_timings(self, answer: dict[str, Any]) -> None:
        if isinstance(answer.get("timings"), dict):
            self._timings = answer["timings"]

    def _final(self) -> dict[str, Any]:
        """The engine's own timings where it tells them (llama.cpp), else what was seen from here."""
        now_s, call = perf_counter(), self._call
        first_s = self._first_s or now_s
        prompt_ms = self._timings.get("prompt_ms", (first_s - call.begun_s) * 1e3)
        output_ms = self._timings.get("predicted_ms", (now_s - first_s) * 1e3)
        return {
            "done": True,
            "done_reason": "length" if self._finish == "length" else "stop",
            "total_duration": round((now_s - call.started_s) * 1e9),
            "load_duration": 0,
            "prompt_eval_count": call.prompt_tokens,
            "prompt_eval_duration": round(prompt_ms * 1e6),
            "eval_count": call.output_tokens,
            "eval_duration": round(output_ms * 1e6),
        }

    def _line(self, content: dict[str, Any], done: bool = False, **more: Any) -> bytes:
        created_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        head = {"model": self._model, "created_at": created_at}
        return orjson.dumps({**head, **self._say(content), "done": done, **more}) + b"\n"

    def _say(self, content: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class ChatAnswers(Answers):
    """Of /api/chat: words come as messages."""

    def _say(self, content: dict[str, Any]) -> dict[str, Any]:
        return {"message": {"role": "assistant", **content}}


class GenerateAnswers(Answers):
    """Of /api/generate: words come as a response."""

    def _say(self, content: dict[str, Any]) -> dict[str, Any]:
        return {"response": content["content"], **{name: content[name] for name in ("thinking",) if name in content}}


class EmbedAnswers(Answers):
    """Of /api/embed: one vector for each input."""

    streams = False

    def whole(self, body: bytes) -> bytes:
        """The vectors."""
        try:
            vectors = [entry["embedding"] for entry in orjson.loads(body)["data"]]
        except (orjson.JSONDecodeError, LookupError, TypeError) as error:
            raise UpstreamFailure("foreign", "no embeddings in the answer") from error
        note_usage(self._call, body)
        return orjson.dumps(self._embedded(vectors))

    def _embedded(self, vectors: list[list[float]]) -> dict[str, Any]:
        total_ns = round((perf_counter() - self._call.started_s) * 1e9)
        counts = {"total_duration": total_ns, "load_duration": 0, "prompt_eval_count": self._call.prompt_tokens}
        return {"model": self._model, "embeddings": vectors, **counts}


class EmbeddingsAnswers(EmbedAnswers):
    """Of /api/embeddings, the older form: one vector."""

    def _embedded(self, vectors: list[list[float]]) -> dict[str, Any]:
        return {"embedding": vectors[0] if vectors else []}


def parse_arguments(text: str) -> Any:
    """A tool call's arguments as an object; text that is none stays visible under "arguments"."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": value}
