# %% [markdown] id="intro"
# # Lab 12.2: vLLM and continuous batching
#
# **You will** write the heart of an engine: the functions that hand out memory and decide which requests compute next.
# nano, the course's small engine, will run on your functions, against static batching on the same load. Then you put a
# load on a real engine and say how many users may come.
#
# **It takes** 2 hours, the first two parts about 75 minutes; 2 cores, 2 GB of memory, no GPU. The guided notebook
# `notebooks/02_vllm_continuous_batching.ipynb` shows everything that you build here at work; read it first.
#
# **You should know** what a KV cache is for, and what TTFT and TPOT are (task 12.1).
#
# | part | you do | minutes |
# |---|---|---|
# | 1 | memory in blocks (exercises 1 to 4) | 25 |
# | 2 | a scheduler (exercises 5 to 8), and nano on your functions; milestone 1 | 50 |
# | 3, further | shared prefixes and int8 (exercises 9 to 11) | 25 |
# | 4, further | a real engine under load (exercises 12 and 13); milestone 2 | 20 |

# %% [markdown] id="how"
# ## How this lab works
# Each exercise is one function. Replace its `raise helpers.ExerciseTodo(...)` line, run the cell, then run the check
# under it: it says what holds, and what your mistake may be. `./course check 2` checks all exercises at once; the full
# answers are in `solutions/`. The engine that will run on your functions is in `helpers/nano`: it is short, and written
# to be read.

# %% id="threads"
import os

# nano computes on one thread, whatever it is compared with; NumPy reads this when it is first imported.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}

# %% id="setup"
from typing import Any

import numpy as np

import helpers
from helpers.nano.batch import Batch, Piece
from helpers.nano.engine import Engine, load_engine
from helpers.nano.model import load_model
from helpers.nano.request import Request
from helpers.nano.scheduler import Scheduler, SchedulerConfig
from helpers.nano.step import Step, Work
from helpers.nano.trace import Trace

# %% id="parameters" tags=["parameters"]
engine = "auto"
model = "course"
quick = True
seed = 0
run_dir = ""

# %% id="run-dir"
run_dir = helpers.run_folder(run_dir)

# %% [markdown] id="part-1"
# ## Part 1: memory in blocks
# Every token that a model has read leaves keys and values in each layer, and every later token looks at them. So the KV
# cache of a request grows by one token a step, and nobody knows how far. Therefore engines cut the memory into blocks
# of a few tokens, and give a request a block when its last one is full.

# %% [markdown] id="ex1-text"
# ### Exercise 1: what a token costs
# A shape is `{"layers", "heads", "kv_heads", "head_size"}`; in models with *grouped queries* several query heads share
# one KV head.


# %% id="ex1-kv-bytes"
def kv_bytes_per_token(shape: dict[str, int], bytes_per_value: int) -> int:
    """Bytes that one token takes in the KV cache."""
    ### BEGIN SOLUTION count the numbers that one token leaves behind, then their bytes
    return 2 * shape["layers"] * shape["kv_heads"] * shape["head_size"] * bytes_per_value
    ### END SOLUTION


# %% id="check-ex1-kv-bytes"
helpers.check("ex1-kv-bytes", kv_bytes_per_token)

# %% [markdown] id="ex2-text"
# ### Exercise 2: is there room?
# A pool is `{"block_size", "free"}`: tokens in a block, and the numbers of the blocks that nobody holds. A request is
# `{"tokens", "blocks"}`: how many of its tokens are in the cache, and which blocks hold them, in order.


# %% id="ex2-can-append"
def can_append(pool: dict[str, Any], request: dict[str, Any], count: int) -> bool:
    """Whether `count` more tokens of this request find room."""
    ### BEGIN SOLUTION compare the blocks that are missing with those that are free
    missing = -(-(request["tokens"] + count) // pool["block_size"]) - len(request["blocks"])
    return missing <= len(pool["free"])
    ### END SOLUTION


# %% id="check-ex2-can-append"
helpers.check("ex2-can-append", can_append)

# %% [markdown] id="ex3-text"
# ### Exercise 3: hand them out
# Return the state afterwards. Take blocks from the front of the free list: the first has been free longest. If there is
# not room for all of the tokens, return `None`.


# %% id="ex3-append"
def append(pool: dict[str, Any], request: dict[str, Any], count: int) -> dict[str, Any] | None:
    """Give a request the blocks that `count` more tokens need.

    Returns:
        {"free": what is left, "tokens", "blocks": of the request}, or None.
    """
    ### BEGIN SOLUTION take the missing blocks from the front, or nothing
    tokens = request["tokens"] + count
    missing = -(-tokens // pool["block_size"]) - len(request["blocks"])
    if missing > len(pool["free"]):
        return None
    taken, left = pool["free"][:missing], pool["free"][missing:]
    return {"free": left, "tokens": tokens, "blocks": request["blocks"] + taken}
    ### END SOLUTION


# %% id="check-ex3-append"
helpers.check("ex3-append", append)

# %% [markdown] id="ex4-text"
# ### Exercise 4: where does a token lie?
# The cache is one long array of slots, one for each token; block b begins at slot `b * block_size`. The list of a
# request's blocks is its *block table*. It does what a page table does in an operating system.


# %% id="ex4-slots"
def slots(blocks: list[int], block_size: int, start: int, count: int) -> list[int]:
    """Slots of a request's tokens at positions start, start + 1, ..., `count` of them."""
    ### BEGIN SOLUTION look each position up in the block table
    return [
        blocks[position // block_size] * block_size + position % block_size for position in range(start, start + count)
    ]
    ### END SOLUTION


# %% id="check-ex4-slots"
helpers.check("ex4-slots", slots)

# %% [markdown] id="own-slots-text"
# nano computes the same when it lays out a step:

# %% id="own-slots"
piece = Piece(ids=[7] * 20, start=5, blocks=[9, 2], logits=1)
print("the slots that nano writes to are yours:", list(Batch.of([piece], 16).slots) == slots([9, 2], 16, 5, 20))

# %% [markdown] id="part-2"
# ## Part 2: a scheduler
# Each step computes some tokens of some requests: one token of each answer in progress, and many of a prompt that is
# read. There is no other difference between the two: a request has tokens that are not yet computed, its *todo*. The
# *budget* bounds the tokens of a step, the *seats* (`max_num_seqs`) the requests that run at once.

# %% [markdown] id="ex5-text"
# ### Exercise 5: one step
# Who gets how many tokens? Those that run come first, in their order, then those that wait, first come, first served.
# With `chunked`, a todo larger than what is left of the budget gets what is left; without, a prompt joins whole or not
# yet, and nobody overtakes it.


# %% id="ex5-schedule"
def schedule(
    running: list[dict[str, Any]], waiting: list[dict[str, Any]], budget: int, seats: int, chunked: bool
) -> list[list[Any]]:
    """The requests of the next step, each with its number of tokens: [[id, tokens], ...].

    Args:
        running, waiting: {"id", "todo"} in the order of arrival.
    """
    ### BEGIN SOLUTION spend the budget on those that run, then on those that wait
    plan, left = [], budget
    for index, request in enumerate(running + waiting[: max(0, seats - len(running))]):
        count = min(request["todo"], left)
        joins_in_part = index >= len(running) and count < request["todo"]
        if count == 0 or (joins_in_part and not chunked):
            break
        plan.append([request["id"], count])
        left -= count
    return plan
    ### END SOLUTION


# %% id="check-ex5-schedule"
helpers.check("ex5-schedule", schedule)

# %% [markdown] id="ex6-text"
# ### Exercise 6: when the blocks run out
# Answers grow, and at some point a step needs a block and none is free. Then the request that arrived last gives all
# its blocks back, and is computed again later. Blocks may be *shared* (part 3): one becomes free when the last of its
# holders gives it back.


# %% id="ex6-preempt"
def preempt(running: list[dict[str, Any]], free: int, needed: int) -> list[str]:
    """Who gives way, in order, until at least `needed` blocks are free.

    Args:
        running: {"id", "blocks"} in the order of arrival.
        free: blocks that are free already.
    """
    ### BEGIN SOLUTION send the last ones away, one by one, and count what really comes free
    stay, gone = list(running), []
    while free < needed and stay:
        leaves = stay.pop()
        held = {block for request in stay for block in request["blocks"]}
        free += len(set(leaves["blocks"]) - held)
        gone.append(leaves["id"])
    return gone
    ### END SOLUTION


# %% id="check-ex6-preempt"
helpers.check("ex6-preempt", preempt)

# %% [markdown] id="ex7-text"
# ### Exercise 7: what will it gain?
# *Static* batching fills its seats, and takes the next requests when the last of the batch has its answer. *Continuous*
# batching gives a seat to the next request as soon as it is free. Requests sit down in the order given, and a step
# gives one token to each that is seated. Count the steps. The module `heapq` may help.


# %% id="ex7-steps"
def count_steps(lengths: list[int], seats: int) -> dict[str, int]:
    """Steps that answers of these lengths take: {"static": steps, "continuous": steps}."""
    ### BEGIN SOLUTION count whole batches; then give each request the seat that is free first
    import heapq

    static = sum(max(lengths[start : start + seats]) for start in range(0, len(lengths), seats))
    busy_until = [0] * seats
    for length in lengths:
        heapq.heapreplace(busy_until, busy_until[0] + length)
    return {"static": static, "continuous": max(busy_until)}
    ### END SOLUTION


# %% id="check-ex7-steps"
helpers.check("ex7-steps", count_steps)

# %% [markdown] id="ex8-text"
# ### Exercise 8: reserved for nothing
# Before blocks, an engine reserved the longest possible sequence (`max_model_len`) for every request, in one piece. Of
# all places that are reserved at some moment, which share holds no token?


# %% id="ex8-kv-waste"
def kv_waste(tokens: list[int], block_size: int, max_model_len: int) -> dict[str, float]:
    """Share of the reserved places that is empty, {"contiguous": share, "paged": share}.

    Args:
        tokens: in the cache now, for each request.
    """
    ### BEGIN SOLUTION compare the tokens with the places that each way reserves
    used = sum(tokens)
    paged = sum(-(-count // block_size) for count in tokens) * block_size
    return {"contiguous": 1 - used / (len(tokens) * max_model_len), "paged": 1 - used / paged}
    ### END SOLUTION


# %% id="check-ex8-kv-waste"
helpers.check("ex8-kv-waste", kv_waste)

# %% [markdown] id="engine-text"
# ### nano on your functions
# Where the block manager and the scheduler below have something to decide, they call your functions. nano's own decide
# almost the same, and faster; compare `helpers/nano/block_manager.py` and `scheduler.py`. (One difference: nano keeps a
# token of the budget for each request that runs. What would happen without, if the budget were small?)


# %% id="my-blocks"
class MyBlocks:
    """nano's block manager, on your functions."""

    cached_blocks = 0

    def __init__(self, blocks: int, block_size: int = 16) -> None:
        self.blocks, self.block_size = blocks, block_size
        self.free = list(range(blocks))

    def can_append(self, request: Request, tokens: int) -> bool:
        """Whether there is room for `tokens` more."""
        return can_append(as_pool(self), as_holder(request), tokens)

    def allocate(self, request: Request, tokens: int) -> None:
        """Extend the request's block table."""
        after = append(as_pool(self), as_holder(request), tokens)
        self.free, request.blocks = after["free"], after["blocks"]


# %% id="as-json"
def as_pool(manager: MyBlocks) -> dict[str, Any]:
    """The pool as your block functions know it."""
    return {"block_size": manager.block_size, "free": manager.free}


def as_holder(request: Request) -> dict[str, Any]:
    """A request as your block functions know it."""
    return {"tokens": request.computed, "blocks": request.blocks}


def as_asked(request: Request) -> dict[str, Any]:
    """A request as your scheduler knows it."""
    return {"id": request.request_id, "todo": request.remaining}


# %% [markdown] id="my-pool-text"
# What is left of a block manager is book-keeping: counting, giving back, and two methods that do nothing until part 3.


# %% id="my-pool"
class MyPool(MyBlocks):
    """With the book-keeping that the engine needs too."""

    @property
    def free_blocks(self) -> int:
        return len(self.free)

    @property
    def used_blocks(self) -> int:
        return self.blocks - len(self.free)

    def blocks_for(self, tokens: int) -> int:
        return -(-tokens // self.block_size)

    def release(self, request: Request, *, forget: bool = False) -> list[int]:
        ownerless, request.blocks, request.computed = request.blocks, [], 0
        self.free += ownerless
        return ownerless


# %% id="my-doors"
class MyManager(MyPool):
    """Prefixes are neither looked for nor kept."""

    def attach_prefix(self, request: Request) -> int:
        """Share blocks that hold the request's beginning; how many tokens that are."""
        return 0

    def register(self, request: Request, start: int, end: int) -> None:
        """Blocks become full between these two positions, in this step at the latest."""


# %% id="my-scheduler"
class MyScheduler(Scheduler):
    """nano's scheduler, on your functions."""

    def schedule(self) -> Step:
        """Decide the next step."""
        limits, work, preempted = self.config, [], []
        queues = [[as_asked(request) for request in queue] for queue in (self.running, self.waiting)]
        plan = schedule(*queues, limits.max_num_batched_tokens, limits.max_num_seqs, limits.chunked_prefill)
        tokens = dict(plan)
        for request in list(self.running):
            if request.request_id in tokens and request in self.running:
                preempted += make_room(self, request, tokens[request.request_id])
                if request in self.running:
                    work.append(self._start_work(request, tokens[request.request_id]))
        while not preempted and self.waiting and self.waiting[0].request_id in tokens:
            joined = admit(self, self.waiting[0], tokens)
            if joined is None:
                break
            work.append(joined)
        return self._plan(work, preempted)


# %% id="make-room"
def make_room(scheduler: Scheduler, request: Request, tokens: int) -> list[Request]:
    """Send others away until there is room for these tokens, or the request itself has gone."""
    missing = scheduler.blocks.blocks_for(request.computed + tokens) - len(request.blocks)
    tables = [{"id": other.request_id, "blocks": other.blocks} for other in scheduler.running]
    gone = []
    for _ in preempt(tables, scheduler.blocks.free_blocks, missing):
        gone.append(scheduler._preempt_last())
        if gone[-1] is request:
            break
    return gone


# %% id="admit"
def admit(scheduler: Scheduler, request: Request, tokens: dict[str, int]) -> Work | None:
    """Let a waiting request join, if all that is known of it finds room."""
    cached = scheduler.blocks.attach_prefix(request)
    if not scheduler.blocks.can_append(request, request.remaining):
        scheduler.blocks.release(request)
        return None
    scheduler.waiting.remove(request)
    scheduler._run(request)
    return scheduler._start_work(request, min(tokens[request.request_id], request.remaining), cached)


# %% [markdown] id="race-text"
# ### The race
# 32 requests, answers of 8 to 64 tokens, 8 seats. Both engines compute with the same model. They take turns, so that
# both meet every slow moment of the machine: the one whose own clock is behind steps next. **Guess: how many times the
# tokens a second of static batching will your engine give?** Your `count_steps` can help.


# %% id="guess-race"
def my_guess(lengths: list[int], seats: int) -> float:
    """Continuous over static, in tokens a second; decided before the race."""
    ### BEGIN SOLUTION return a number; it may use your count_steps
    steps = count_steps(lengths, seats)
    return steps["static"] / steps["continuous"]
    ### END SOLUTION


SEATS, BLOCKS = 8, 96
jobs = helpers.mixed_load(32, prompt_tokens=(8, 48), output_tokens=(8, 64), seed=seed)
guess = my_guess([job.max_tokens for job in jobs], SEATS)

# %% id="engines"
shared_model = load_model(model if model.startswith("course") else "course")
LIMITS = SchedulerConfig(max_num_seqs=SEATS, max_num_batched_tokens=256, max_model_len=256)


def my_engine(blocks: Any) -> Engine:
    """nano on your functions, with this block manager."""
    return Engine(shared_model, shared_model.make_cache(blocks.blocks, 16), MyScheduler(LIMITS, blocks), trace=Trace())


def static_engine() -> Engine:
    """nano with static batching."""
    return load_engine(loaded=shared_model, batching="static", max_num_seqs=SEATS, max_model_len=256, block_size=16)


# %% id="race"
races = []
for _ in range(5):
    engines = {"static": static_engine(), "continuous": my_engine(MyManager(BLOCKS))}
    races.append(helpers.race(engines, jobs))
rates = {side: [lap[side].output_tokens_per_s for lap in races] for side in ("static", "continuous")}
gain = helpers.ratio(rates["static"], rates["continuous"])
print(f"guessed {guess:.2f}, measured {gain.estimate:.2f} times ({gain.low:.2f} to {gain.high:.2f})")
laps = races[0]
texts = [{name: answer.ids for name, answer in lap.answers.items()} for lap in laps.values()]
print("the same tokens from both:", texts[0] == texts[1])
counted = count_steps([job.max_tokens for job in jobs], SEATS)
print({side: f"{len(lap.steps)} steps, you counted {counted[side]}" for side, lap in laps.items()})

# %% id="timelines"
helpers.plot_timeline(engines["static"].trace.records, "Static batching: who sits where", slots=True)

# %% id="timeline-mine"
helpers.plot_timeline(engines["continuous"].trace.records, "Your scheduler: who sits where", slots=True)

# %% [markdown] id="waste-text"
# And the memory, in the step in which your engine held the most tokens:

# %% id="waste"
fullest = max(laps["continuous"].steps, key=lambda step: step["filled_tokens"])
held = [start + tokens for _, start, tokens, _, padding in fullest["work"] if not padding]
shares = kv_waste(held, 16, 256)
print(f"reserved at full length, {shares['contiguous']:.0%} would be empty; in blocks it is {shares['paged']:.0%}")
print(f"over the whole race: {laps['continuous'].kv_waste:.1%} empty in your blocks, by the engine's own trace")

# %% [markdown] id="tight-text"
# ### Too few blocks
# With a quarter of the blocks, a request must give way now and then. That must not change a single token.

# %% id="tight"
tight = my_engine(MyManager(BLOCKS // 4))
lap = helpers.race({"tight": tight}, jobs)["tight"]
print(f"{tight.counters.preemptions} times somebody gave way; {len(lap.steps)} steps")
print("the same tokens:", {name: answer.ids for name, answer in lap.answers.items()} == texts[0])

# %% [markdown] id="milestone-1-text"
# ### Milestone 1
# The judge checks the records of all races: the tokens, who sat where in each step, the clocks. It computes the waste
# and the gain with its interval again. The gain counts if its whole interval lies above 1.

# %% id="evidence-1"
evidence = {
    "seats": SEATS,
    "jobs": [{"name": job.name, "prompt": list(job.prompt), "max_tokens": job.max_tokens} for job in jobs],
    "races": [{side: lap.to_json() for side, lap in race.items()} for race in races],
    "ratio": [gain.estimate, gain.low, gain.high],
    "waste": {side: {"kv": lap.kv_waste, "batch": lap.batch_waste} for side, lap in laps.items()},
}

# %% id="milestone-12-2-batching"
helpers.milestone(
    "12.2.batching", evidence=evidence, run_dir=run_dir, backend="nano (NumPy), CPU, on the learner's scheduler"
)

# %% [markdown] id="part-3"
# ## Part 3, further: compute less, keep less
# ### Exercise 9: names for full blocks
# Two prompts that begin alike have the same keys and values there: why compute them twice? A full block gets a name
# that says what is in it *and everything before it*. Real engines hash that name to a few bytes; here it stays
# readable.


# %% id="block-key"
def block_key(parent: str, ids: list[int]) -> str:
    """The name of a full block: the name of the one before it ("" for the first), and its own tokens."""
    return f"{parent}/{'-'.join(map(str, ids))}"


# %% id="ex9-block-keys"
def block_keys(ids: list[int], block_size: int) -> list[str]:
    """Names of the full blocks of a sequence, in order."""
    ### BEGIN SOLUTION name block after block with block_key, each with its parent
    keys, parent = [], ""
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent = block_key(parent, ids[start : start + block_size])
        keys.append(parent)
    return keys
    ### END SOLUTION


# %% id="check-ex9-block-keys"
helpers.check("ex9-block-keys", block_keys)

# %% [markdown] id="ex10-text"
# ### Exercise 10: how much is there already?
# `known` holds the names of all blocks that are still in the cache. Only whole blocks are shared, and the last token of
# a prompt must be computed in any case: the first new token needs its logits.


# %% id="ex10-reusable"
def reusable_tokens(ids: list[int], block_size: int, known: list[str]) -> int:
    """Tokens at the beginning of a prompt that need not be computed."""
    ### BEGIN SOLUTION count known blocks from the beginning, and leave a token to compute
    hits = 0
    for key in block_keys(ids[:-1], block_size):
        if key not in known:
            break
        hits += 1
    return hits * block_size
    ### END SOLUTION


# %% id="check-ex10-reusable"
helpers.check("ex10-reusable", reusable_tokens)


# %% id="my-prefixes"
class MyPrefixes(MyManager):
    """Prefixes are looked for: blocks are shared, and found again after their owner has ended."""

    def __init__(self, blocks: int, block_size: int = 16) -> None:
        super().__init__(blocks, block_size)
        self.holders = [0] * blocks
        self.named: dict[str, int] = {}

    def attach_prefix(self, request: Request) -> int:
        """Share blocks that hold the request's beginning."""
        request.computed = reusable_tokens(request.ids, self.block_size, list(self.named))
        keys = block_keys(request.ids[: request.computed], self.block_size)
        request.blocks = [self.named[key] for key in keys]
        self.free = [block for block in self.free if block not in request.blocks]
        for block in request.blocks:
            self.holders[block] += 1
        return request.computed


# %% id="my-names"
class MyNames(MyPrefixes):
    """Blocks get their names when they are full."""

    def register(self, request: Request, start: int, end: int) -> None:
        """Name the blocks that become full, unless such a block is known."""
        keys = block_keys(request.ids[:end], self.block_size)
        for key, block in zip(keys, request.blocks, strict=False):
            self.named.setdefault(key, block)


# %% id="my-sharing"
class MySharing(MyNames):
    """What else changes when blocks are shared."""

    def allocate(self, request: Request, tokens: int) -> None:
        """A block that is handed out anew loses its old name."""
        before = len(request.blocks)
        super().allocate(request, tokens)
        for block in request.blocks[before:]:
            self.holders[block] = 1
            self.named = {key: other for key, other in self.named.items() if other != block}

    def release(self, request: Request, *, forget: bool = False) -> list[int]:
        """A block is free when nobody holds it; the last one of a sequence first."""
        for block in reversed(request.blocks):
            self.holders[block] -= 1
            self.free += [block] if self.holders[block] == 0 else []
        request.blocks = []
        return super().release(request)


# %% [markdown] id="prefix-race-text"
# 16 requests with the same system prompt of 160 tokens and 8 to 16 tokens of their own, with and without sharing.
# **Guess: how many per cent of all prompt tokens need not be computed?**

# %% id="guess-prefix"
guess_prefix = None

# %% id="prefix-race"
system = [1000 + number for number in range(160)]
alike = helpers.mixed_load(16, prompt_tokens=(8, 16), output_tokens=(4, 16), shared=system, seed=seed)
engines = {"computed again": my_engine(MyManager(128)), "shared": my_engine(MySharing(128))}
laps = helpers.race(engines, alike)
counters = engines["shared"].counters
share = counters.cached_tokens / counters.prompt_tokens
print(f"{share:.0%} of the prompt tokens were not computed; guess: {guess_prefix}")
print({name: f"TTFT p50 {lap.ttft_s.p50 * 1000:.0f} ms" for name, lap in laps.items()})
same = [{name: answer.ids for name, answer in lap.answers.items()} for lap in laps.values()]
print("the same tokens:", same[0] == same[1])

# %% [markdown] id="ex11-text"
# ### Exercise 11: eight bits
# Keys and values need not be kept in 32 bits. Each row (one token, one head) gets a scale, by which its largest
# magnitude becomes 127; the other values become whole numbers too, the *codes*. Return what comes back: code times
# scale.


# %% id="ex11-int8"
def through_int8(rows: list[list[float]]) -> list[list[float]]:
    """The rows as they come back from an int8 cache."""
    ### BEGIN SOLUTION find each row's scale, round to codes, and multiply back
    back = []
    for row in rows:
        scale = max(map(abs, row)) / 127
        back.append([round(value / scale) * scale if scale else 0.0 for value in row])
    return back
    ### END SOLUTION


# %% id="check-ex11-int8"
helpers.check("ex11-int8", through_int8)

# %% [markdown] id="own-int8-text"
# nano's int8 cache, asked for the same, and what it saves by your exercise 1:

# %% id="own-int8"
shape = shared_model.config
vectors = np.random.default_rng(seed).normal(size=(5, 2, shape.kv_heads, shape.head_size)).astype(np.float32)
small, large = (shared_model.make_cache(1, 16, precision) for precision in ("int8", "f32"))
small.write(0, np.arange(5), vectors)  # five tokens: a key and a value each
kept = small.read(0, np.zeros((1, 1), dtype=np.intp))[0][0, :5]
yours = np.array(through_int8(vectors[:, 0].reshape(-1, shape.head_size).tolist())).reshape(kept.shape)
print(f"largest difference between nano's cache and yours: {np.abs(kept - yours).max():.1e}")
sizes = {"layers": shape.layers, "heads": shape.heads, "kv_heads": shape.kv_heads, "head_size": shape.head_size}
print(f"a token: {large.bytes_per_token:,} bytes in f32 (you said {kv_bytes_per_token(sizes, 4):,}),")
print(f"{small.bytes_per_token:,} in int8 with its scales (the codes alone {kv_bytes_per_token(sizes, 1):,})")

# %% [markdown] id="part-4"
# ## Part 4, further: a real engine under load
# ### Exercise 12: why a batch gains, and when no longer
# A step's time is *fixed cost + bytes / bandwidth + operations / rate*. The weights are read once for all sequences;
# each brings its own keys and values, and its own operations. How many times the tokens a second of one sequence does a
# batch give? And which term of the batch's step is the largest: `"fixed"`, `"bytes"` or `"flops"`?


# %% id="ex12-batch-gain"
def batch_gain(step: dict[str, float], batch: int) -> dict[str, Any]:
    """{"gain": tokens a second of the batch over those of one sequence, "largest": name of the batch's largest term}.

    Args:
        step: {"fixed_s", "weight_bytes", "kv_bytes_per_sequence", "flops_per_token", "bytes_per_s", "flops_per_s"}.
    """

    def terms_s(size: int) -> dict[str, float]:
        ### BEGIN SOLUTION return the seconds of the three terms, for a batch of this size
        moved = step["weight_bytes"] + size * step["kv_bytes_per_sequence"]
        return {
            "fixed": step["fixed_s"],
            "bytes": moved / step["bytes_per_s"],
            "flops": size * step["flops_per_token"] / step["flops_per_s"],
        }
        ### END SOLUTION

    alone, together = terms_s(1), terms_s(batch)
    gain = batch * sum(alone.values()) / sum(together.values())
    return {"gain": gain, "largest": max(together, key=lambda name: together[name])}


# %% id="check-ex12-batch-gain"
helpers.check("ex12-batch-gain", batch_gain)

# %% [markdown] id="spark-gain-text"
# An 8-billion-parameter model in bf16 on a Spark, 500 tokens of context each: computed from published limits (of the
# operations the lower of two assumed rates), not measured. **At which batch does the gain leave the straight line?**

# %% id="spark-gain"
spark = helpers.device("gb10")
eight = {"layers": 32, "heads": 32, "kv_heads": 8, "head_size": 128}
there = {"fixed_s": 0.0, "weight_bytes": 16e9, "kv_bytes_per_sequence": 500 * kv_bytes_per_token(eight, 2)}
there |= {"flops_per_token": 16e9, "bytes_per_s": spark.bandwidth_bytes_per_s}
there |= {"flops_per_s": min(spark.flops_per_s["bf16"])}
for batch in (1, 8, 32, 128):
    found = batch_gain(there, batch)
    print(f"batch {batch}: {found['gain']:.1f} times the tokens a second of one; largest: {found['largest']}")

# %% [markdown] id="ex13-text"
# ### Exercise 13: how many users may come?
# You promised a first token within `ttft_limit_s` and at most `tpot_limit_s` for each token after it, to at least
# `share` of the requests. Among the loads that keep that promise, and whose measurement is valid, which one has the
# greatest goodput: requests a second that kept both bounds? The first, if several have it.


# %% id="ex13-best-load"
def best_load(
    points: list[dict[str, Any]], ttft_limit_s: float, tpot_limit_s: float, share: float
) -> dict[str, Any] | None:
    """{"streams", "goodput_per_s"} of the best load; None if none keeps the promise.

    Args:
        points: {"streams", "duration_s", "requests": [{"ttft_s", "tpot_s"}], "valid"}.
    """
    ### BEGIN SOLUTION count good requests, skip what may not be chosen, keep the best
    best = None
    for point in points:
        waits = [(request["ttft_s"], request["tpot_s"]) for request in point["requests"]]
        good = sum(ttft_s <= ttft_limit_s and tpot_s <= tpot_limit_s for ttft_s, tpot_s in waits)
        goodput = good / point["duration_s"]
        kept = point["valid"] and good >= share * len(waits)
        if kept and (best is None or goodput > best["goodput_per_s"]):
            best = {"streams": point["streams"], "goodput_per_s": goodput}
    return best
    ### END SOLUTION


# %% id="check-ex13-best-load"
helpers.check("ex13-best-load", best_load)

# %% [markdown] id="served-text"
# Now a real engine: vLLM where it is installed, this machine's default engine otherwise. The promise is three times
# what a lone user gets, to nine of ten requests. **Guess: how many streams are the best load?**

# %% id="guess-load"
guess_load = None

# %% id="serve"
spark_or_more = helpers.choose_profile(helpers.read_hardware()) != "laptop"
own_model = "llama-3.1-8b" if spark_or_more and model == "course" else model
try:
    server = helpers.launch("vllm" if engine == "auto" else engine, own_model, max_num_seqs=16)
except helpers.EngineUnavailable as missing:
    print(missing)
    server = helpers.launch("auto", own_model, max_num_seqs=16)
print(server.backend)

# %% id="load"
workload = helpers.unique_prompts(64, 32, seed=seed)
gauges, runs = {}, []
for streams in [1, 4, 16] if quick else [1, 2, 4, 8, 16, 32, 64]:
    with helpers.watch(server) as samples:
        runs.append(helpers.measure(server, workload, helpers.ClosedLoop(streams), max(8, 2 * streams)))
    gauges[runs[-1].label] = samples
    running = max((sample.get("requests_running", 0) for sample in samples), default=0)
    print(f"{runs[-1].label}: the engine itself says that it ran up to {running:.0f} requests at once")
sweep = helpers.Sweep(tuple(runs))
folder = helpers.new_folder(run_dir, "bundle-load")
sweep.save(folder)
helpers.load_curves({f"{server.engine} {server.precision}": [run.point() for run in sweep.runs]})

# %% id="own-best"
alone = sweep.runs[0].metrics
promise = {"ttft_limit_s": 3 * alone.ttft_s.p50, "tpot_limit_s": 3 * alone.tpot_s.p50}
points = [
    {
        "streams": run.concurrency,
        "duration_s": run.metrics.duration_s,
        "requests": [{"ttft_s": r.ttft_s, "tpot_s": r.tpot_s} for r in run.records if r.ok],
        "valid": run.valid,
    }
    for run in sweep.runs
]
best = best_load(points, **promise, share=0.9)
print(f"guess: {guess_load}; measured:", best or "no load kept the promise to nine of ten; is the machine busy?")

# %% [markdown] id="milestone-2-text"
# ### Milestone 2
# vLLM under load, with its own gauges beside the client's figures. The judge computes knee and goodput again from the
# records. Without vLLM it is *not-run*, which is no failure.

# %% id="evidence-2"
objective = {"ttft_s": promise["ttft_limit_s"], "tpot_s": promise["tpot_limit_s"]}
evidence = None
if server.engine == "vllm":
    evidence = {
        "bundle": folder.name,
        "seats": 16,
        "gauges": gauges,
        "knee": sweep.knee.label if sweep.knee else "",
        "objective": objective,
        "goodput_per_s": {
            run.label: helpers.summarize(run.records, helpers.Objective(**objective)).goodput_per_s
            for run in sweep.runs
        },
    }
backend = server.backend
server.stop()

# %% id="milestone-12-2-vllm"
helpers.milestone("12.2.vllm", evidence=evidence, run_dir=run_dir, backend=backend)

# %% [markdown] id="think"
# ## To think about
# - In which exercise did you decide that nobody may overtake? What would be gained by letting short prompts overtake?
# - Your `preempt` sends the last one away and throws its keys and values away. What else could be done with them?
# - Which of your functions would have to change if blocks had 1 token? Which one would then take most of the time?
