import json

import pytest

from helpers.cli import main


def test_json_has_the_contracts_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "sglang", "--model", "llama-3.1-8b", "--speculation", "eagle3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"engine", "argv", "shell", "env", "files", "port", "urls", "notes"}
    assert found["port"] == 30000
    assert "jamesliu1/sglang-EAGLE3-Llama-3.1-Instruct-8B" in found["argv"]


def test_text_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "tensorrt-llm", "--release", "1.2.1", "--quantization", "bf16"]) == 0
    text = capsys.readouterr().out
    assert "trtllm-build --checkpoint_dir" in text
    assert "<<'END_OF_FILE'" in text
    assert "docker run \\\n" in text


def test_every_option_of_the_contract_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    options = "--model qwen3-8b --quantization nvfp4 --speculation ngram --max-model-len 4096 --max-num-seqs 16"
    assert main(["plan", "vllm", *options.split(), "--tensor-parallel", "2", "--container", "--json"]) == 0
    argv = json.loads(capsys.readouterr().out)["argv"]
    assert argv[argv.index("--max-num-seqs") + 1] == "16"
    assert main(["plan", "vllm", "--nodes", "a,b", "--json"]) == 0
    assert "--distributed-executor-backend ray" in json.loads(capsys.readouterr().out)["shell"]


def test_the_embedded_engine_is_the_default_of_llama_cpp(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "llama.cpp", "--speculation", "draft", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "helpers.engines.llama_cpp_process" in found["argv"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["plan", "vlm"], 2, "did you mean vllm"),
        (["plan", "vllm", "--model", "qwen3-8x"], 2, "did you mean qwen3-8b"),
        (["plan", "vllm", "--container", "--native"], 2, "not allowed with"),
        (["plan", "ollama", "--nodes", "a,b"], 2, "ollama has no nodes"),
        (["plan", "vllm", "--model", "qwen2.5-coder-7b", "--speculation", "eagle3"], 2, "no eagle3 draft"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    assert message in capsys.readouterr().err
