"""A built engine over HTTP: nano's server and scheduler, with the compiled graph as their model.

    python -m helpers.aot.server --model course --port 8087

The engine is built first unless it is in the cache; what is done, and how long it took, is said on standard error.
"""

import argparse
import sys

from helpers.aot.build import build_engine
from helpers.aot.model import load_compiled
from helpers.aot.profile import KINDS, ShapeProfile
from helpers.aot.providers import PROVIDERS
from helpers.models import catalogue
from helpers.models.checkpoint import read_config
from helpers.nano.block_manager import BLOCK_SIZE
from helpers.nano.engine import Engine, load_engine
from helpers.nano.server import run_server


def read_arguments() -> argparse.Namespace:
    """The command line, with vLLM's names where vLLM has the option."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.aot.server", description="Serve an engine built ahead of time with ONNX Runtime."
    )
    parser.add_argument("--model", default="course", help="a catalogue id, or a directory in Hugging Face layout")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8087)
    parser.add_argument("--precision", default="", help="f32 or int8 on a CPU, f32 or f16 with TensorRT")
    parser.add_argument("--provider", choices=tuple(PROVIDERS), default="cpu")
    parser.add_argument("--profile", choices=KINDS, default="range", help="shapes: up to those below, or exactly those")
    parser.add_argument("--max-num-seqs", type=int, default=8, help="sequences in a step")
    parser.add_argument("--max-num-batched-tokens", type=int, default=512, help="tokens in a step")
    parser.add_argument("--max-model-len", type=int, help="tokens of one sequence (default: the model's)")
    parser.add_argument("--enable-prefix-caching", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--threads", type=int, default=1, help="that one operator may use")
    return parser.parse_args()


def build(options: argparse.Namespace) -> Engine:
    """The engine that the command line asks for: built or loaded, with nano's scheduler over it.

    Raises:
        CourseError: it cannot be built.
    """
    length = options.max_model_len or read_config(catalogue.resolve(options.model).directory).context_length
    built = build_engine(
        options.model,
        precision=options.precision,
        profile=profile_for(options.profile, options.max_num_seqs, options.max_num_batched_tokens, length),
        provider=options.provider,
        tell=say,
    )
    say(f"{built.state}: {built.folder.name}, {built.engine_bytes / 1e6:.1f} MB, shapes {built.profile}")
    return load_engine(
        options.model,
        loaded=load_compiled(built, options.threads),
        max_num_seqs=options.max_num_seqs,
        max_num_batched_tokens=options.max_num_batched_tokens,
        max_model_len=length,
        prefix_caching=options.enable_prefix_caching,
    )


def profile_for(kind: str, sequences: int, tokens: int, length: int) -> ShapeProfile:
    """The shapes of an engine for a scheduler of these limits; what is before the new tokens comes in whole blocks."""
    return ShapeProfile(kind, sequences, tokens, -(-length // BLOCK_SIZE) * BLOCK_SIZE)


def say(line: str) -> None:
    """Tell what is done; the engine's log."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Serve; 3 with the course's three lines on standard error if that cannot be."""
    return run_server(read_arguments(), build, "onnxruntime")


if __name__ == "__main__":
    sys.exit(main())
