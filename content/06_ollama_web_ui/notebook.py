# %% [markdown] id="intro"
# # Task 12.6: Ollama web UI
#
# **After this task you can** talk to Ollama's API by hand and read its timings without falling into their trap, put a
# chat page in front of any engine, add a feature of your own to it, check in a browser that it does what it should,
# and let others use it without letting everyone in.
#
# **It takes** 2 hours: sections 1 to 5 are the core (75 minutes), 6 ends with milestone 1 (15 minutes), 7 and 8 are
# marked *further* (30 minutes). It needs 2 cores and 2 GB of memory; no GPU. Section 5 looks at pages in Chromium or
# Chrome; section 7 needs an installed Ollama. Where one of them is missing, the notebook says so and goes on.
#
# **You should know** what TTFT is (task 12.1), what a prefix cache is (task 12.2), and how a stream arrives (task
# 12.5). Check yourself: what must a program do with the pieces that a socket returns, before it reads anything from
# them? (Put them together, and take apart only what is complete.)
#
# | section | what | minutes |
# |---|---|---|
# | 1, 2 | /api/chat by hand; where the time went, and the trap | 25 |
# | 3 | Modelfiles, presets, pulls | 15 |
# | 4 | the chat page, and a feature of your own | 15 |
# | 5 | judged in a browser | 20 |
# | 6 | the same page in front of another engine; keys; milestone 1 | 15 |
# | 7, 8 | further: a real Ollama; milestone 2; Open WebUI | 30 |

# %% id="setup"
import json
import os
import socket
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

# %% [markdown] id="who-answers"
# ## Who answers in this notebook
# Ollama is a program with an API, a store of models, and llama.cpp inside. The course's gateway speaks **the same
# API** in front of any engine. So sections 1 to 6 need no Ollama: they ask the gateway, with an engine of the course
# behind it, and each figure names that engine. What only a real Ollama does (creating and deleting models) is in
# section 7.

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

# %% [markdown] id="s1"
# ## 1. /api/chat by hand
# Without any library: a socket, a request, and the bytes that come back. *Before you run the cell: what will mark the
# end of the answer?*

# %% id="wire"
question = {"role": "user", "content": "What is a KV cache?"}
body = json.dumps({"model": engine_server.model, "messages": [question], "options": {"num_predict": 8}}).encode()
host, port = gateway.root.removeprefix("http://").split(":")
with socket.create_connection((host, int(port))) as connection:
    head = f"POST /api/chat HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    reads = []
    while data := connection.recv(65536):
        reads.append(data)
print(b"".join(reads).decode()[:900])
print(f"... in {len(reads)} reads of the socket")

# %% [markdown] id="wire-text"
# This is **NDJSON**: each line is a JSON object. Three things differ from OpenAI's API of task 12.5:
#
# - It streams unless you say `"stream": false`; OpenAI's does the opposite.
# - There is no `[DONE]`: the last object says `"done": true`, and carries how long everything took, in
#   **nanoseconds**.
# - What a thinking model thinks comes in a field of its own, `message.thinking`. Whoever times the first token must
#   count it: the model writes thoughts long before its first word of `content`.
#
# An error in the middle of a stream is a line too, `{"error": ...}`: the status 200 was sent before it.


# %% id="ask-ollama"
def ask(path: str, body: dict, method: str = "POST") -> list[dict]:
    """The lines of an answer of Ollama's API."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(gateway.root + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return [json.loads(line) for line in answer if line.strip()]


# %% id="read-answer"
lines = ask("/api/chat", {"model": engine_server.model, "messages": [question], "options": {"temperature": 0}})
print("".join(line["message"]["content"] for line in lines))
print(json.dumps(lines[-1], indent=1))

# %% [markdown] id="s2"
# ## 2. Where the time went, and the trap
# `eval_count / eval_duration` is the rate at which the answer was written. Is `prompt_eval_count /
# prompt_eval_duration` the rate at which the prompt was read? Ask one long prompt twice.
#
# **Guess: how many times as fast does the second reading seem?**

# %% id="guess-trap"
guess = None

# %% id="trap"
text = "Explain each of these words: " + ", ".join(f"word{number + seed}" for number in range(150)) + "."
long_question = {
    "model": engine_server.model,
    "messages": [{"role": "user", "content": text}],
    "options": {"num_predict": 16},
}
finals = [ask("/api/chat", long_question)[-1] for _ in range(2)]


# %% id="trap-rate"
def naive_rate(final: dict) -> float | None:
    """Tokens of the prompt by the time for the prompt, as it is often calculated."""
    seconds = final.get("prompt_eval_duration", 0) / 1e9
    return final["prompt_eval_count"] / seconds if seconds else None


rows = [
    {
        "asked": order,
        "prompt_eval_count": final["prompt_eval_count"],
        "prompt_eval_duration, ms": final.get("prompt_eval_duration", 0) / 1e6,
        "their quotient, tokens/s": naive_rate(final),
        "engine": engine_server.engine,
    }
    for order, final in zip(("first", "again"), finals, strict=True)
]
helpers.table(rows)

# %% id="trap-result"
first, again = (naive_rate(final) for final in finals)
if first and again:
    print(f"the second reading seems {again / first:.1f} times as fast (guessed: {guess})")

# %% [markdown] id="trap-text"
# An engine with a prefix cache does not read the second prompt faster: it reads less of it. It kept the KV cache of the
# first and computes only what is missing. The *count* still holds all tokens of the prompt, the *duration* only the
# work on the new ones; Ollama's own numbers are built the same way. (Run the cell again, and the first of the two is in
# the cache as well.)
#
# So this quotient is the prefill rate only for a prompt with a **unique beginning**, and the loads of this course make
# such prompts by default. OpenAI's API has a field for how many tokens were cached: `usage.prompt_tokens_details`.

# %% id="honest"
unique = helpers.unique_prompts(256, 8, seed=seed)
run = helpers.measure(engine_server, unique, helpers.ClosedLoop(1), requests=3)
usage = run.records[-1].usage
prefill_rate = usage.prompt_tokens / run.metrics.ttft_s.p50
print(f"unique prompts of {usage.prompt_tokens} tokens: at least {prefill_rate:,.0f} tokens/s read")
print(f"by the time to the first token, {engine_server.backend}")

# %% [markdown] id="s3"
# ## 3. Presets, Modelfiles, pulls
# A **preset** is a system prompt and some options, sent with each request. A **Modelfile** is a preset that became a
# model: everyone who asks for that name gets it.
#
# | you want | preset (each request) | Modelfile |
# |---|---|---|
# | a system prompt | the first message, role `system` | `SYSTEM """..."""` |
# | no randomness | `"options": {"temperature": 0}` | `PARAMETER temperature 0` |
# | a bound on the answer | `"options": {"num_predict": 64}` | `PARAMETER num_predict 64` |
# | a larger context | `"options": {"num_ctx": 16384}`: **loads the model anew** | `PARAMETER num_ctx 16384` |
#
# The last row is the dearest to overlook: two clients with different `num_ctx`, asking in turn, make Ollama load the
# model again for each request.

# %% id="preset"
preset = {"system": "You answer in one short sentence.", "options": {"temperature": 0, "num_predict": 48}}
messages = [{"role": "system", "content": preset["system"]}, question]
lines = ask("/api/chat", {"model": engine_server.model, "messages": messages, "options": preset["options"]})
print("".join(line["message"]["content"] for line in lines))

# %% [markdown] id="pull-text"
# A **pull** is a stream as well: lines about the progress of each layer (weights, template, licence), which is named by
# its digest. Here is one in the form that Ollama's documentation gives, shortened, with sizes made up.

# %% id="pull"
example = [
    {"status": "pulling manifest"},
    {"status": "pulling 8eeb52dfb3bb", "digest": "sha256:8eeb", "total": 4_900_000_000, "completed": 1_200_000_000},
    {"status": "pulling 948af2743fc7", "digest": "sha256:948a", "total": 1_500, "completed": 1_500},
    {"status": "pulling 8eeb52dfb3bb", "digest": "sha256:8eeb", "total": 4_900_000_000, "completed": 4_900_000_000},
    {"status": "verifying sha256 digest"},
    {"status": "success"},
]
layers: dict[str, tuple[int, int]] = {}
for line in example:
    if "digest" in line:
        layers[line["digest"]] = (line["completed"], line["total"])
    there, total = (sum(each) for each in zip(*layers.values(), strict=True)) if layers else (0, 0)
    bar = "#" * round(30 * there / total) if total else ""
    print(f"{bar:30} {line['status']}")

# %% [markdown] id="pull-read"
# Two mistakes are easily made in a progress bar: the share of one layer is shown as that of the whole, and the end is
# told when the last byte has come. Only `success` says that the model can be used.
#
# Nothing can be pulled here: the engine behind this gateway got its model when it was started. The gateway says so:

# %% id="pull-refused"
try:
    print(ask("/api/pull", {"model": "qwen3:8b"})[-1])
except urllib.error.HTTPError as refused:
    print(refused.code, json.loads(refused.read())["error"])

# %% [markdown] id="s4"
# ## 4. The chat page, and a feature of your own
# `./course serve` puts a chat page in front of all that: streaming Markdown, conversations in the gateway's database,
# presets, two models side by side with their figures, and the models of an Ollama. It is written in Python, in
# `helpers/ui`; features of your own are *extensions* (`helpers/ui/extensions.py` says what they can do). An extension
# is a file with a function `register`:


# %% id="register"
def register(ui) -> None:
    """A button under each answer."""

    @ui.message_action("Speed", icon="speed")
    def say_speed(message) -> str:
        if "output_tokens_per_s" not in message.figures:
            return "Nothing was measured of this answer."
        between_ms = 1000 / message.figures["output_tokens_per_s"]
        return f"{between_ms:.1f} ms per token"


# %% id="write-extension"
extension = run_dir / "speed.py"
extension.write_text(helpers.app_source(register))
print(extension.read_text())

# %% [markdown] id="open-text"
# Start it, and open it in your browser: the next cell prints where. Ask something, press **Speed** under the answer,
# try *Compare two models*, stop an answer with Esc, write half a message and reload the page. The page ends when
# section 5 begins; run this cell again to have it back.

# %% id="open-ui"
arguments = [*upstreams, "--no-keys", "--database", database, "--extension", str(extension)]
page = helpers.GatewayProcess(*arguments, ui=True).start()
print(f"open {page.root}")

# %% [markdown] id="s5"
# ## 5. Judged in a browser
# Does the page stream, or does it show the whole answer only at its end? Does its stop button reach the engine? Can
# text in an answer run as a script? A browser shows it. `helpers.tour` opens the page in one without a window and does
# what a user would; behind the page is the **mock server**, whose words and times are known, so that what the page
# shows can be compared with what the engine did. *Which of these questions would you bet on?*

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

# %% id="tour-result"
if seen:
    steps = len({length for _, length in seen["asked"]["samples"]})
    cancelled = sum(request["outcome"] == "cancelled" for request in truth)
    print(f"the answer was seen growing in {steps} steps (engine: mock, {tokens} tokens)")
    print(f"after stop the engine had {cancelled} request cancelled; the page was {seen['phone_width']} pixels wide")
    print(f"scripts that ran: {len(seen['trapped'])}; other hosts asked: {seen['hosts'] or 'none'}")

# %% [markdown] id="your-own-text"
# If you have a page of your own, start it against the gateway's API, and give `helpers.tour` its URL and where its
# parts are: `helpers.tour(url, "Speed", helpers.Selectors(field="#prompt", answers=".answer", stop="#stop"))`. It is
# judged by the same rules.

# %% [markdown] id="s6"
# ## 6. The same page in front of another engine, and keys
# The page asks the gateway, and the gateway asks whatever is behind it; the page stays the same. With vLLM on a Spark
# that is `./course serve --upstream vllm=http://127.0.0.1:8000/v1`. With two engines the model picker shows the models
# of both, and *Compare* puts two side by side. Here are the models of two upstreams, one of them the mock:

# %% id="two-engines"
with helpers.MockServer(model="another") as second:
    both = [*upstreams, "--upstream", f"mock={second.url}"]
    with helpers.GatewayProcess(*both, "--no-keys", "--database", database) as gateway_of_two:
        listed = json.loads(urllib.request.urlopen(f"{gateway_of_two.root}/v1/models").read())
for entry in listed["data"]:
    print(f"{entry['id']} of {entry['owned_by']}")

# %% [markdown] id="keys-text"
# So far everything was open, but to this machine only. Loopback is no wall: **your browser is on loopback too**, and
# sends requests there for any web page that you open. So without keys the gateway answers only if the `Host` of a
# request, and its `Origin` if there is one, are names of this machine itself. Ollama has such a check too
# (`OLLAMA_ORIGINS` lists further pages), but no keys: with `OLLAMA_HOST=0.0.0.0` the whole network may use it.
#
# The gateway refuses to listen on the network without a key. The page keeps the key in a cookie that no script can
# read, and conversations belong to the key. *Guess the four statuses before you run the next cells.*


# %% id="status-of"
def status_of(url: str, key: str = "", origin: str = "") -> int:
    """The status of a request for the models."""
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
helpers.milestone("12.6.ui", evidence=evidence, run_dir=run_dir, backend="the course's chat page, engine: mock server")

# %% [markdown] id="s7"
# ## 7. Further: a real Ollama
# What it does by default, and what follows (read in the source and documentation of version 0.33, not measured here):
#
# | default | what follows |
# |---|---|
# | `OLLAMA_NUM_PARALLEL` 1 | requests wait for each other: a test of concurrency measures a queue |
# | context chosen from memory: 262,144 tokens from 48 GiB on | a Spark's KV cache becomes huge, loading slow |
# | `OLLAMA_KEEP_ALIVE` 5 minutes | the first question after a pause waits for the model to load |
# | `OLLAMA_HOST` 127.0.0.1:11434 | nobody else can ask; with 0.0.0.0 everybody can |
#
# `helpers.launch` sets the first two itself. If an Ollama is installed, the next cells start it with the course model,
# make a model of your own (what the fields say could stand in a Modelfile), and ask it three questions, the first two
# of them alike: look for the trap of section 2 in the table.

# %% id="start-ollama"
gateway.stop()
engine_server.stop()
try:
    ollama = helpers.launch("ollama", "course" if engine_server.engine != "ollama" else model, max_model_len=4096)
    print(ollama.backend)
except helpers.EngineUnavailable as missing:
    ollama = None
    print(missing)

# %% id="create"
system = "You answer in one short sentence."
answers, shown, version = [], {}, ""
if ollama is not None:
    gateway = helpers.GatewayProcess("--upstream", f"ollama={ollama.url}", "--no-keys", "--database", database).start()
    fields = {"model": "course-short", "from": ollama.model, "system": system, "parameters": {"temperature": 0}}
    print(ask("/api/create", fields)[-1])
    shown = ask("/api/show", {"model": "course-short"})[0]
    with urllib.request.urlopen(f"{ollama.url.removesuffix('/v1')}/api/version") as answer:
        version = json.load(answer)["version"]

# %% id="ask-created"
if ollama is not None:
    for content in (text, text, "What is a token?"):
        began_s = time.perf_counter()
        lines = ask("/api/chat", {"model": "course-short", "messages": [{"role": "user", "content": content}]})
        answers.append({"prompt": content, "lines": lines, "wall_s": time.perf_counter() - began_s})
    ask("/api/delete", {"model": "course-short"}, "DELETE")
    for started in (gateway, ollama):
        started.stop()

# %% id="ollama-table"
helpers.table(
    [
        {
            "prompt": answer["prompt"][:24],
            "load, ms": answer["lines"][-1].get("load_duration", 0) / 1e6,
            "prompt tokens": answer["lines"][-1].get("prompt_eval_count", 0),
            "reading, ms": answer["lines"][-1].get("prompt_eval_duration", 0) / 1e6,
            "writing, tokens/s": answer["lines"][-1]["eval_count"] / answer["lines"][-1]["eval_duration"] * 1e9,
        }
        for answer in answers
    ]
    or [{"Ollama": "not-run: needs an installed Ollama"}]
)

# %% [markdown] id="milestone-ollama-text"
# ### Milestone: a model of your own in Ollama
# It counts if a real Ollama made the model, describes it with your system prompt, and answered at least twice, with
# timings that fit the client's clock.

# %% id="milestone-12-6-ollama"
evidence = ollama and {"version": version, "show": shown, "system": system, "answers": answers}
helpers.milestone("12.6.ollama", evidence=evidence, run_dir=run_dir, backend=f"Ollama {version}" if version else "")

# %% [markdown] id="s8"
# ## 8. Further: someone else's page
# Open WebUI is a widely used page for Ollama. It needs an environment of its own (7 GB on disk, as it brings PyTorch),
# and speaks both Ollama's API and OpenAI's, so the gateway serves it too:
#
# - `./course openwebui` prints how it is started, `install` makes its environment;
# - `./course openwebui start` starts it against the gateway, makes an admin account and a preset with a system prompt
#   through its REST API, asks it one question, and leaves it running;
# - `./course openwebui remove` takes all of it away.
#
# With its defaults it sends more than your "hello": three further requests, for a title, for tags and for follow-up
# questions, and the schemas of its tools, 25 kB of them (measured with version 0.12.4). On a small context that alone
# is too much, and on any engine it is load that nobody sees on the page. `./course openwebui` switches this off; find
# out how.

# %% [markdown] id="spark"
# ## On a Spark
# - Ollama runs on the host, as NVIDIA's playbook installs it. Set `OLLAMA_CONTEXT_LENGTH` and `OLLAMA_NUM_PARALLEL`
#   before you measure: its KV cache grows with the product of the two.
# - The page of a Spark without a screen comes to your laptop through a tunnel: `ssh -L 8080:127.0.0.1:8080 SPARK`, then
#   open `http://127.0.0.1:8080`. The gateway stays on loopback, so it needs no key.
# - Each model that Ollama loads (`ollama ps` lists them) takes its share of the memory that all engines have in common.
#   Stop it, or set `"keep_alive": 0` in a request, before you start another engine.

# %% [markdown] id="think"
# ## To think about
# - The page that you judged keeps answers going when its tab is closed. Is that what you want when the tab was closed
#   because the answer was wrong? What would the engine's operator say?
#
# **Sources**: [Ollama's documentation](https://docs.ollama.com/) (API, Modelfile, FAQ);
# [Open WebUI](https://docs.openwebui.com/); [server-sent
# events](https://html.spec.whatwg.org/multipage/server-sent-events.html), for the comparison with task 12.5.
