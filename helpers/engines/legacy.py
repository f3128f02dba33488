"""Commands of older courses and posts: recognised, and explained.

Each rule says what a piece of a command was, why it does not work today, and what replaced it.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """One outdated piece.

    Attributes:
        found: the piece, as it stands in the command.
        why: what is wrong with it today.
        instead: what replaced it.
    """

    found: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern of outdated commands."""

    pattern: str
    why: str
    instead: str


RULES = (
    Rule(
        r"nvcr\.io/nvidia/vllm:spark\S*",
        "there is no such tag: NVIDIA's vLLM images are named by year and month (`:spark` was a tag of SGLang's image)",
        "nvcr.io/nvidia/vllm:26.10-py3; ./course plan vllm --container",
    ),
    Rule(
        r"lmsysorg/sglang:spark\S*",
        "frozen since October 2025",
        "a version, such as lmsysorg/sglang:v0.5.23; ./course plan sglang",
    ),
    Rule(
        r"nvcr\.io/nvidia/tritonserver:\S*trtllm\S*",
        "Triton's TensorRT-LLM backend in C++ was removed in July 2026, and its examples with it",
        "nvcr.io/nvidia/tensorrt-llm/release:TAG with trtllm-serve; ./course plan tensorrt-llm",
    ),
    Rule(
        r"python3? -m vllm\.entrypoints\.openai\.api_server",
        "deprecated: it still runs in 0.33, warns, and will go",
        "vllm serve MODEL, with the same options",
    ),
    Rule(
        r"pip3? install (?:-\S+ )*vllm\b",
        "inside NVIDIA's PyTorch image it replaces NVIDIA's build of torch",
        "vLLM's own image, or an environment of its own: ./course engines install vllm",
    ),
    Rule(
        r"--enforce-eager\b",
        "no rule of ARM machines: it turns CUDA graphs off, and made gpt-oss-120b less than half as fast on a Spark",
        "leave it out; try it as an experiment (eager=True)",
    ),
    Rule(r"--disable-log-requests\b", "vLLM removed it: requests are not logged any more", "leave it out"),
    Rule(r"--swap-space\b", "vLLM removed it", "leave it out; preempted sequences are computed again"),
    Rule(
        r"--gpu-memory-utilization[ =]0?\.9[5-9]",
        "a Spark's CPU shares this memory: at 0.95 and more the machine can freeze",
        "0.7, and --kv-cache-memory-bytes",
    ),
    Rule(
        r"python3? -m tensorrt_llm\.commands\.build\b.*",
        "trtllm-build has neither --model_dir nor --dtype, and --use_fused_mlp needs enable or disable: "
        "this was never valid. Up to 1.2 one converted first and built then; after 1.3.0rc20 there is no build",
        "./course plan tensorrt-llm, or --release 1.2.1 for convert_checkpoint.py, trtllm-build and trtllm-serve",
    ),
    Rule(
        r"(?<![\w/])trtllm-build\b",
        "removed after 1.3.0rc20 (July 2026), deprecated since February 2026",
        "trtllm-serve with a Hugging Face checkpoint; --release 1.2.1 still builds",
    ),
    Rule(
        r"\S*convert_checkpoint\.py",
        "removed with the TensorRT backend in July 2026",
        "trtllm-serve reads the Hugging Face checkpoint; --release 1.2.1 still converts",
    ),
    Rule(
        r"--backend[ =](?:tensorrt|trt)\b",
        "the TensorRT backend is gone after 1.3.0rc20",
        "leave --backend out: PyTorch is the default",
    ),
    Rule(
        r"--speculative-algorithm[ =]EAGLE(?!3)\S*",
        "EAGLE takes EAGLE-1 and -2 drafts; an EAGLE-3 draft needs EAGLE3",
        "--speculative-algorithm EAGLE3 with a draft made for this very model",
    ),
    Rule(
        r"--speculative-algorithm[ =]MEDUSA\S*|\S*medusa\S*",
        "SGLang has no Medusa",
        "EAGLE3; ./course plan sglang --speculation eagle3",
    ),
    Rule(
        r"yuhuili/EAGLE-LLaMA3-Instruct-8B",
        "a draft of EAGLE-1 and -2 for Llama 3, not for Llama 3.1",
        "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B",
    ),
    Rule(
        r"--cuda-graph-max-bs(?![-\w])",
        "SGLang split it in two, so this spelling is ambiguous",
        "--cuda-graph-max-bs-decode",
    ),
    Rule(
        r"--disable-cuda-graph(?![-\w])",
        "deprecated in SGLang",
        "--cuda-graph-backend-decode disabled --cuda-graph-backend-prefill disabled",
    ),
    Rule(
        r"(?<![\w-])--draft(?:-max|-min)?(?![-\w])",
        "llama.cpp removed it",
        "--spec-draft-n-max, with --spec-type",
    ),
    Rule(
        r"(?<![\w-])--(?:mlock|no-mmap)(?![-\w])",
        "llama.cpp no longer declares it",
        "--load-mode mlock, none or dio",
    ),
    Rule(r"Qwen/Qwen3-8B-Instruct", "there is no such repository", "Qwen/Qwen3-8B, which thinks unless told not to"),
    Rule(r"huggingface-cli", "the old name", "hf"),
    Rule(
        r"HF_TOKEN=\S+",
        "a secret in a command ends in the shell's history and in notebooks",
        "export it once, and pass the name alone: -e HF_TOKEN",
    ),
)
"""In the order in which a reader meets them: image, program, options, models, secrets."""

ALL_THREE = ("--speculative-num-steps", "--speculative-eagle-topk", "--speculative-num-draft-tokens")


def explain_command(command: str) -> list[Explanation]:
    """What is outdated in a command; empty if nothing known is. Secrets are not repeated."""
    found = []
    text = " ".join(command.replace("\\\n", " ").split())
    for rule in RULES:
        match = re.search(rule.pattern, text, re.IGNORECASE)
        if match is not None:
            piece = re.sub(r"(HF_TOKEN=)\S+", r"\1...", match.group(0).strip())
            found.append(Explanation(piece, rule.why, rule.instead))
    given = [flag for flag in ALL_THREE if flag in text]
    if given and len(given) < len(ALL_THREE) and "NGRAM" not in text.upper():
        found.append(
            Explanation(
                " ".join(given), "SGLang asserts that all three EAGLE numbers are given, or none", " ".join(ALL_THREE)
            )
        )
    return found
