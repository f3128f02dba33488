# %% [markdown] id="intro"
# # Lab 12.6: Ollama web UI
#
# **You will** read Ollama's stream, calculate its rates without its trap, show how far a pull has come, write presets
# and Modelfiles, add a feature to the chat page, have it judged in a browser, and decide who may use it.
#
# **It takes** 2 hours, the first three parts about 75 minutes; 2 cores, 2 GB of memory, no GPU; Chromium or Chrome for
# milestone 1, an installed Ollama for milestone 2. The guided notebook `notebooks/06_ollama_web_ui.ipynb` shows each
# part once.
#
# **You should know** what TTFT is (task 12.1), what a prefix cache is (task 12.2), and how a stream arrives (task
# 12.5).
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | the stream and its rates (exercises 1 and 2) | 30 |
# | 2 | pulls, presets, Modelfiles (exercises 3 to 5) | 25 |
# | 3 | a feature of the page, judged in a browser (exercise 6) | 20 |
# | 4 | who may ask (exercise 7); milestone 1 | 20 |
# | 5 | a real Ollama; milestone 2 | 25 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. `./course check 6` shows all exercises at once; the full
# answers are in `solutions/`.

# %% id="setup"
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict

import helpers

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)

# %% [markdown] id="part-1"
# ## Part 1: the stream and its rates
# ### Exercise 1: an answer out of lines
# `/api/chat` answers with lines of JSON: `{"message": {"content": ..., "thinking": ...}, "done": false}`. The last line
# has `"done": true`; if something fails, a line has `"error"`. What a read of the socket returns may begin and end in
# the middle of a line.


# %% id="ex1-read-chat"
def read_chat(pieces: list[str]) -> dict:
    """What a stream said, as far as it came: content, thinking, done (has the last line come?), error (or None).

    Args:
        pieces: the text as it was read, cut anywhere.
    """
    ### BEGIN SOLUTION join the pieces, read each whole line as JSON
    found = {"content": "", "thinking": "", "done": False, "error": None}
    *lines, _ = "".join(pieces).split("\n")
    for value in map(json.loads, filter(None, lines)):
        message = value.get("message", {})
        found["content"] += message.get("content", "")
        found["thinking"] += message.get("thinking", "")
        found["error"] = value.get("error")
        found["done"] = value.get("done", False)
    return found
    ### END SOLUTION


# %% id="check-ex1-read-chat"
helpers.check("ex1-read-chat", read_chat)

# %% [markdown] id="start-text"
# Now with an engine. The gateway in front of it speaks Ollama's API; no Ollama is needed.

# %% id="start"
engine_server = helpers.launch(engine, model, max_num_seqs=4)
settings = [f'[upstreams."{engine_server.engine}"]', f'urls = ["{engine_server.url}"]']
if engine_server.api_key:
    os.environ["COURSE_UPSTREAM_KEY"] = engine_server.api_key
    settings.append('api_key_variable = "COURSE_UPSTREAM_KEY"')
(run_dir / "gateway.toml").write_text("\n".join(settings))
upstreams = ["--config", str(run_dir / "gateway.toml")]
database = f"sqlite:///{run_dir / 'gateway.sqlite'}"
gateway = helpers.GatewayProcess(*upstreams, "--no-keys", "--database", database).start()
print(f"Ollama's API on {gateway.root}, answered by {engine_server.backend}")


# %% id="ask"
def ask(path: str, body: dict, method: str = "POST") -> list[str]:
    """The pieces of an answer of Ollama's API, as they came."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(gateway.root + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return [piece.decode() for piece in iter(lambda: answer.read1(65536), b"")]


# %% id="first-answer"
question = {"role": "user", "content": "What is a KV cache?"}
pieces = ask("/api/chat", {"model": engine_server.model, "messages": [question], "options": {"temperature": 0}})
print(read_chat(pieces)["content"])
final = json.loads("".join(pieces).splitlines()[-1])
print(json.dumps(final, indent=1))

# %% [markdown] id="ex2-text"
# ### Exercise 2: tokens per second, and the trap
# The last line counts tokens and gives durations in nanoseconds; a field that is zero is left out. The count of the
# prompt holds *all* its tokens, the duration only the work on those that were not in the cache.


# %% id="ex2-ollama-rates"
def ollama_rates(final: dict, cached_tokens: int) -> dict:
    """Rates of one answer.

    Args:
        final: the last line.
        cached_tokens: how many of the prompt's tokens were in the cache.

    Returns:
        prefill_tokens_per_s and decode_tokens_per_s (None where nothing was done), load_s.
    """
    ### BEGIN SOLUTION divide what was computed by the time it took
    prefill_s, decode_s = final.get("prompt_eval_duration", 0) / 1e9, final.get("eval_duration", 0) / 1e9
    new = final.get("prompt_eval_count", 0) - cached_tokens
    return {
        "prefill_tokens_per_s": new / prefill_s if prefill_s and new else None,
        "decode_tokens_per_s": final.get("eval_count", 0) / decode_s if decode_s else None,
        "load_s": final.get("load_duration", 0) / 1e9,
    }
    ### END SOLUTION


# %% id="check-ex2-ollama-rates"
helpers.check("ex2-ollama-rates", ollama_rates)

# %% [markdown] id="twice-text"
# One long prompt, asked twice. **How many times as fast will the second reading seem, if the cache is forgotten?**


# %% id="guess-trap"
def my_guess() -> float:
    """How many times as fast the second reading seems."""
    ### BEGIN SOLUTION return a number
    return 5.0
    ### END SOLUTION


guess = my_guess()

# %% id="twice"
text = "Explain each of these words: " + ", ".join(f"word{number + seed}" for number in range(150)) + "."
body = {"model": engine_server.model, "messages": [{"role": "user", "content": text}], "options": {"num_predict": 16}}
seeming = []
for _ in range(2):
    final = json.loads("".join(ask("/api/chat", body)).splitlines()[-1])
    seeming.append(ollama_rates(final, 0)["prefill_tokens_per_s"])
if all(seeming):
    print(f"{seeming[1] / seeming[0]:.1f} times as fast, it seems (guessed {guess:.1f}); {engine_server.backend}")

# %% [markdown] id="part-2"
# ## Part 2: pulls, presets, Modelfiles
# ### Exercise 3: how far a pull has come
# A line of a pull has a `status`. Lines about a layer also have its `digest`, its `total` bytes, and, once some have
# come, how many are `completed`; there are many lines about each layer. If something fails, a line has `error` and
# nothing else. The status `success` comes last.


# %% id="ex3-pull-progress"
def pull_progress(lines: list[dict]) -> dict:
    """What a progress bar shows after these lines.

    Returns:
        share (of all known bytes, 0 to 1; None while none are known), status (the latest), error (or None), done.
    """
    ### BEGIN SOLUTION keep the latest of each layer, then add up
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
    return {"share": share, "status": status, "error": error, "done": status == "success"}
    ### END SOLUTION


# %% id="check-ex3-pull-progress"
helpers.check("ex3-pull-progress", pull_progress)

# %% [markdown] id="ex4-text"
# ### Exercise 4: a preset on the wire
# A preset holds a system prompt and options; an option that is None was not chosen. Ollama's name for `max_tokens` is
# `num_predict`; the others keep theirs. If no option was chosen, the body has no field `options`.


# %% id="ex4-preset-request"
def preset_request(model: str, preset: dict, question: str) -> dict:
    """The body for /api/chat, streaming.

    Args:
        preset: {"system": text, perhaps empty, "options": {name: value or None}}.
    """
    ### BEGIN SOLUTION put the system prompt first, and name the options as Ollama does
    names = {"max_tokens": "num_predict"}
    system = [{"role": "system", "content": preset["system"]}] if preset["system"] else []
    options = {names.get(name, name): value for name, value in preset["options"].items() if value is not None}
    body = {"model": model, "messages": [*system, {"role": "user", "content": question}], "stream": True}
    return {**body, "options": options} if options else body
    ### END SOLUTION


# %% id="check-ex4-preset-request"
helpers.check("ex4-preset-request", preset_request)

# %% id="preset-in-use"
short = {"system": "You answer in one short sentence.", "options": {"temperature": 0, "max_tokens": 48}}
print(read_chat(ask("/api/chat", preset_request(engine_server.model, short, "What is a token?")))["content"])

# %% [markdown] id="ex5-text"
# ### Exercise 5: a Modelfile
# First `FROM`, then `SYSTEM` with its text between triple quotes (left out if there is no system prompt), then one
# `PARAMETER` a line, in the order given. A list of stops becomes one `PARAMETER stop` line for each, the stop in
# quotes.


# %% id="ex5-modelfile"
def modelfile(base: str, system: str, parameters: dict) -> str:
    """The text of a Modelfile, with a newline at its end."""
    ### BEGIN SOLUTION write one instruction a line
    lines = [f"FROM {base}"]
    if system:
        lines.append(f'SYSTEM """{system}"""')
    for name, value in parameters.items():
        values = [f'"{stop}"' for stop in value] if isinstance(value, list) else [value]
        lines += [f"PARAMETER {name} {each}" for each in values]
    return "\n".join(lines) + "\n"
    ### END SOLUTION


# %% id="check-ex5-modelfile"
helpers.check("ex5-modelfile", modelfile)

# %% [markdown] id="part-3"
# ## Part 3: a feature of the page
# ### Exercise 6: what your button says
# The chat page (`helpers/ui`) can be extended; read the beginning of `helpers/ui/extensions.py`. Your extension is a
# button under each answer that says how long a token took. `figures` is what the page has measured:
# `output_tokens_per_s` is missing where there was only one token.


# %% id="ex6-speed"
def speed(figures: dict) -> str | None:
    """For example "20.0 ms per token"; None if that was not measured."""
    ### BEGIN SOLUTION turn the rate around
    rate = figures.get("output_tokens_per_s")
    return None if rate is None else f"{1000 / rate:.1f} ms per token"
    ### END SOLUTION


# %% id="check-ex6-speed"
helpers.check("ex6-speed", speed)


# %% id="register"
def register(ui) -> None:
    """Your extension. Add a command or a panel of your own, if you like."""

    @ui.message_action("Speed", icon="speed")
    def say_speed(message) -> str:
        return speed(message.figures) or "Nothing was measured of this answer."


# %% id="write-extension"
extension = run_dir / "speed.py"
extension.write_text(helpers.app_source(register))
arguments = [*upstreams, "--no-keys", "--database", database, "--extension", str(extension)]
page = helpers.GatewayProcess(*arguments, ui=True).start()
print(f"open {page.root} and press Speed under an answer; the next cell ends it")

# %% [markdown] id="tour-text"
# Now a browser judges it, with the mock server behind the page: 300 tokens, one every 20 ms. *What will your button
# say?* If you have a page of your own, give `helpers.tour` its URL and its `helpers.Selectors` instead.

# %% id="tour"
page.stop()
tokens = 300
mock = helpers.MockServer(ttft_s=0.1, gap_s=0.02, output_tokens=tokens).start()
arguments = ["--upstream", f"mock={mock.url}", "--no-keys", "--database", f"sqlite:///{run_dir / 'tour.sqlite'}"]
try:
    with helpers.GatewayProcess(*arguments, "--extension", str(extension), ui=True) as page:
        seen = helpers.tour(page.root, feature="Speed")
except helpers.MissingError as missing:
    seen = None
    print(missing)
truth = [asdict(request) for request in mock.truth().requests]
mock.stop()

# %% [markdown] id="part-4"
# ## Part 4: who may ask
# ### Exercise 7: who may ask
# Without keys only this machine may ask; but a browser on this machine sends requests for any page that is open in it.
# `host` is the request's Host header, `origin` its Origin (None from programs), `keys` whether a key is required,
# `valid` whether a valid one came along. A page is one of this server if host and port of its origin are those of
# `host`. This machine's own names are 127.0.0.1, localhost and ::1.


# %% id="ex7-may-ask"
def may_ask(host: str, origin: str | None, keys: bool, valid: bool) -> bool:
    """Whether a request is answered."""
    ### BEGIN SOLUTION look at the key, the Origin and the Host
    from urllib.parse import urlsplit

    if origin is not None and urlsplit(origin).netloc != host:
        return False
    if keys:
        return valid
    return urlsplit(f"//{host}").hostname in {"127.0.0.1", "localhost", "::1"}
    ### END SOLUTION


# %% id="check-ex7-may-ask"
helpers.check("ex7-may-ask", may_ask)


# %% id="status-of"
def status_of(url: str, key: str = "", origin: str = "") -> int:
    """The status of a request."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(url, headers={**headers, **({"Origin": origin} if origin else {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


# %% id="secure"
locked = f"sqlite:///{run_dir / 'keys.sqlite'}"
name = f"learner-{time.time():.0f}"
command = [sys.executable, "-m", "helpers", "keys", "add", name, "--database", locked, "--json"]
key = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)["key"]
with helpers.GatewayProcess(*upstreams, "--keys", "--database", locked, ui=True) as secured_page:
    models = f"{secured_page.root}/v1/models"
    secured = {
        "no key": status_of(models),
        "wrong key": status_of(models, "ck-00000000-wrong"),
        "key": status_of(models, key),
        "key, page of another site": status_of(f"{secured_page.root}/sign-in", key, "http://news.example"),
    }
helpers.table([{"request": request, "status": status} for request, status in secured.items()])

# %% [markdown] id="milestone-ui-text"
# ### Milestone: the page
# It counts if, in a browser, the page showed the engine's words as they came, kept them over a reload, made the engine
# stop when an answer was stopped, ran no script out of a message, asked no other host, and fitted a phone; if its new
# button tells the engine's time per token, within a quarter; and if only requests with a key were answered.

# %% id="milestone-12-6-ui"
evidence = seen and {"tour": seen, "truth": truth, "tokens": tokens, "secured": secured}
helpers.milestone("12.6.ui", evidence=evidence, run_dir=run_dir, backend="a chat page, engine: mock server")

# %% [markdown] id="part-5"
# ## Part 5: a real Ollama
# If an Ollama is installed, your system prompt and a parameter become a model. `ollama create NAME -f Modelfile` on the
# command line, with the Modelfile that the next cell prints, and the models page of the chat do the same as the request
# below.

# %% id="start-ollama"
gateway.stop()
engine_server.stop()
try:
    ollama = helpers.launch("ollama", "course" if engine_server.engine != "ollama" else model, max_model_len=4096)
    print(modelfile(ollama.model, short["system"], {"temperature": 0}))
except helpers.EngineUnavailable as missing:
    ollama = None
    print(missing)

# %% id="create"
answers, shown, version = [], {}, ""
if ollama is not None:
    gateway = helpers.GatewayProcess("--upstream", f"ollama={ollama.url}", "--no-keys", "--database", database).start()
    fields = {"model": "mine", "from": ollama.model, "system": short["system"], "parameters": {"temperature": 0}}
    created = [json.loads(line) for line in "".join(ask("/api/create", fields)).splitlines()]
    print(pull_progress(created))
    shown = json.loads("".join(ask("/api/show", {"model": "mine"})))
    with urllib.request.urlopen(f"{ollama.url.removesuffix('/v1')}/api/version") as answer:
        version = json.load(answer)["version"]

# %% id="ask-created"
if ollama is not None:
    for content in (text, text, "What is a token?"):
        began_s = time.perf_counter()
        pieces = ask("/api/chat", {"model": "mine", "messages": [{"role": "user", "content": content}]})
        lines = [json.loads(line) for line in "".join(pieces).splitlines()]
        answers.append({"prompt": content, "lines": lines, "wall_s": time.perf_counter() - began_s})
        print(ollama_rates(lines[-1], 0))
    ask("/api/delete", {"model": "mine"}, "DELETE")
    for started in (gateway, ollama):
        started.stop()

# %% [markdown] id="milestone-ollama-text"
# ### Milestone: a model of your own in Ollama
# It counts if a real Ollama made the model, describes it with your system prompt, and answered at least twice, with
# timings that fit the client's clock.

# %% id="milestone-12-6-ollama"
evidence = ollama and {"version": version, "show": shown, "system": short["system"], "answers": answers}
helpers.milestone("12.6.ollama", evidence=evidence, run_dir=run_dir, backend=f"Ollama {version}" if version else "")

# %% [markdown] id="further"
# ## Further
# - Add a command `/NAME` that writes something useful into the composer, or a panel with a stop-watch.
# - Put the page in front of vLLM (`./course serve --upstream vllm=URL`), on a Spark for example, and compare it side by
#   side with the embedded engine.
# - Write a page of your own in fifty lines of HTML against `/v1/chat/completions`, and have `helpers.tour` judge it.
