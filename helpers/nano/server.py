"""nano over HTTP: OpenAI's API, health, metrics, and a trace of every step.

    python -m helpers.nano.server --model course --port 8086

    GET  /health  /v1/models  /metrics  /trace?since=N
    POST /v1/chat/completions  /v1/completions  /tokenize  /detokenize

Requests are read and answers written in an event loop; the engine steps in a thread beside it. What a step yields is
written at once, in one write for each stream. A client that leaves gives its blocks back before the next step.
"""

import argparse
import asyncio
import ctypes
import gc
import signal
import sys
from collections.abc import Callable

from helpers.errors import CourseError
from helpers.models.tokenizer import load_tokenizer
from helpers.nano.block_manager import BLOCK_SIZE
from helpers.nano.connection import Connection
from helpers.nano.engine import Engine, load_engine
from helpers.nano.parallel import ParallelModel
from helpers.nano.service import Service
from helpers.nano.speculation import SPECULATIONS, find_drafter

SWITCH_S = 0.0005
"""How long Python code of the engine may keep the event loop waiting; the default of 5 ms is a step or two."""

BACKLOG = 1024

Builder = Callable[[argparse.Namespace], Engine]
"""Makes the engine that a command line asks for."""


def read_arguments() -> argparse.Namespace:
    """The command line, with vLLM's names where vLLM has the option."""
    parser = argparse.ArgumentParser(prog="python -m helpers.nano.server", description="Serve a model with nano.")
    parser.add_argument("--model", default="course", help="a catalogue id, or a directory in Hugging Face layout")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8086)
    parser.add_argument("--max-model-len", type=int, help="tokens of one sequence (default: the model's)")
    parser.add_argument("--max-num-seqs", type=int, default=8, help="sequences in a step")
    parser.add_argument("--max-num-batched-tokens", type=int, default=512, help="tokens in a step")
    parser.add_argument("--batching", choices=("continuous", "static"), default="continuous")
    parser.add_argument("--enable-chunked-prefill", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--kv-cache-dtype", choices=("f32", "int8"), default="f32")
    parser.add_argument("--block-size", type=int, default=BLOCK_SIZE, help="tokens in a block")
    parser.add_argument("--num-blocks", type=int, help="of the KV cache (default: all sequences at full length)")
    parser.add_argument("--tensor-parallel-size", type=int, default=1, help="processes that share each layer")
    parser.add_argument("--speculation", choices=SPECULATIONS, default="none")
    parser.add_argument("--draft-model", default="", help="the draft model, or the EAGLE-3 head")
    parser.add_argument("--num-speculative-tokens", type=int, default=4, help="proposed before each verification")
    return parser.parse_args()


def build_engine(options: argparse.Namespace) -> Engine:
    """The engine that the command line asks for.

    Raises:
        CourseError: it cannot be built.
    """
    # First what can be refused, then what starts processes.
    make_drafter = find_drafter(
        options.speculation,
        options.model,
        draft_model=options.draft_model,
        draft_tokens=options.num_speculative_tokens,
        max_num_seqs=options.max_num_seqs,
    )
    ranks = options.tensor_parallel_size
    return load_engine(
        options.model,
        loaded=ParallelModel(options.model, ranks) if ranks > 1 else None,
        batching=options.batching,
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        max_model_len=options.max_model_len,
        chunked_prefill=options.enable_chunked_prefill,
        prefix_caching=options.enable_prefix_caching,
        block_size=options.block_size,
        num_blocks=options.num_blocks,
        kv_cache_dtype=options.kv_cache_dtype,
        make_drafter=make_drafter,
    )


def return_freed_memory() -> None:
    """Give back what loading has freed: glibc keeps it, which is half of the 1.2 GB of the heavy variant (measured)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # elsewhere there is no such function, and no need
    if trim is not None:
        trim(0)


async def serve(options: argparse.Namespace, build: Builder, name: str) -> None:
    """Load the model, then listen until SIGTERM or SIGINT; see `run_server`.

    Raises:
        CourseError: the engine cannot be built, or it broke.
        OSError: the port is taken.
    """
    engine = build(options)
    tokenizer = load_tokenizer(options.model)
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    service = Service(engine, tokenizer, options.model, engine.scheduler.config.max_model_len)
    server = await loop.create_server(lambda: Connection(service), options.host, options.port, backlog=BACKLOG)
    sys.stdout.write(
        f"{name} serves {options.model} at http://{options.host}:{server.sockets[0].getsockname()[1]}/v1\n"
    )
    sys.stdout.flush()
    gc.freeze()
    return_freed_memory()
    sys.setswitchinterval(SWITCH_S)
    stop = asyncio.ensure_future(told_to_stop.wait())
    try:
        await asyncio.wait((stop, service.crashed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        server.close()
        service.end()
        if isinstance(engine.model, ParallelModel):
            engine.model.close()
    if service.crashed.done():
        raise service.crashed.result()


def run_server(options: argparse.Namespace, build: Builder, name: str) -> int:
    """Serve an engine; 3 with the course's three lines on standard error if that cannot be.

    Args:
        options: have model, host and port, and what `build` reads.
        build: makes the engine.
        name: of the engine, for what is said.
    """
    import uvloop

    try:
        uvloop.run(serve(options, build, name))
    except (CourseError, OSError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 3
    return 0


def main() -> int:
    """Serve nano."""
    return run_server(read_arguments(), build_engine, "nano")


if __name__ == "__main__":
    sys.exit(main())
