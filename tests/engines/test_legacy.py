"""Commands of the older course and of old posts, as they were printed."""

import pytest

from helpers.engines.legacy import explain_command

OLD = {
    "docker run --gpus all nvcr.io/nvidia/vllm:spark": ["nvcr.io/nvidia/vllm:26.10-py3"],
    "python -m vllm.entrypoints.openai.api_server --model m --enforce-eager": ["vllm serve", "experiment"],
    "python -m tensorrt_llm.commands.build --model_dir m --dtype float16 --use_fused_mlp": ["convert_checkpoint.py"],
    "docker run nvcr.io/nvidia/tritonserver:25.11-trtllm-python-py3": ["trtllm-serve"],
    "trtllm-build --checkpoint_dir c --output_dir e": ["Hugging Face checkpoint"],
    "python -m sglang.launch_server --speculative-algorithm EAGLE --speculative-num-draft-tokens 4": [
        "EAGLE3 with a draft",
        "--speculative-num-steps --speculative-eagle-topk --speculative-num-draft-tokens",
    ],
    "sglang serve --cuda-graph-max-bs 2": ["--cuda-graph-max-bs-decode"],
    "llama-server -m x.gguf --draft-max 4 --mlock": ["--spec-draft-n-max", "--load-mode"],
    "vllm serve m \\\n  --gpu-memory-utilization 0.98 --swap-space 4": ["0.7", "leave it out"],
}


@pytest.mark.parametrize("command", OLD)
def test_an_older_command_is_explained(command: str) -> None:
    instead = " | ".join(found.instead for found in explain_command(command))
    for expected in OLD[command]:
        assert expected in instead


@pytest.mark.parametrize(
    "command",
    [
        "vllm serve m --gpu-memory-utilization 0.7",
        "sglang serve --cuda-graph-max-bs-decode 2 --speculative-algorithm EAGLE3 --speculative-num-steps 3 "
        "--speculative-eagle-topk 1 --speculative-num-draft-tokens 4",
        "llama-server --spec-draft-model d --spec-draft-n-max 4 --load-mode mlock",
        "docker run -e HF_TOKEN nvcr.io/nvidia/vllm:26.10-py3 vllm serve m",
    ],
)
def test_a_command_of_today_is_left_alone(command: str) -> None:
    assert explain_command(command) == []


def test_a_secret_is_found_and_not_repeated() -> None:
    (found,) = explain_command("docker run -e HF_TOKEN=hf_abc123 nvcr.io/nvidia/vllm:26.10-py3")
    assert "abc123" not in str(found)
