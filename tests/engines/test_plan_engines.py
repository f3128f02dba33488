"""What each engine's plan says: the options of a Spark, speculation, models, two machines, refusals, secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.engines import catalog, registry
from helpers.errors import UsageError
from tests.engines.flags import command, commands
from tests.engines.planning import plan

LLAMA = "llama-3.1-8b"


def settings_file(**options: Any) -> dict[str, Any]:
    found = plan("tensorrt-llm", LLAMA, container=True, **options)
    (text,) = [text for path, text in found.files.items() if path.endswith(".yml")]
    return yaml.safe_load(text)


def test_a_container_reaches_the_gpu_and_only_this_machine_reaches_the_container() -> None:
    docker = command(plan("vllm", container=True), "docker run")
    assert {"--rm", "--init", "--ipc=host"} < set(docker.words)
    assert docker.value("--gpus") == "all"
    assert {"memlock=-1", "stack=67108864"} < set(docker.words)
    assert docker.value("-p") == "127.0.0.1:8000:8000"
    assert "TRITON_PTXAS_PATH=/usr/local/cuda/bin/ptxas" in docker.words
    assert any(word.endswith(":/root/.cache/huggingface") for word in docker.words)


def test_vllm_on_a_spark_fixes_fraction_and_kv_cache_and_leaves_graphs_on() -> None:
    serve = command(plan("vllm", LLAMA, container=True, max_num_seqs=4, max_model_len=2048), "vllm serve")
    assert serve.words[0] == "nvidia/Llama-3.1-8B-Instruct-FP8"
    assert serve.value("--gpu-memory-utilization") == "0.7"
    # 32 layers x 8 heads x 128 x (key and value) x 2 bytes = 128 KiB a token.
    assert serve.value("--kv-cache-memory-bytes") == str(4 * 2048 * 128 * 1024)
    assert serve.value("--served-model-name") == LLAMA
    assert "--enforce-eager" not in serve.words
    assert "--enforce-eager" in command(plan("vllm", container=True, eager=True), "vllm serve").words


def test_large_models_are_read_in_parallel() -> None:
    assert (
        command(plan("vllm", "gpt-oss-120b", container=True), "vllm serve").value("--load-format") == "fastsafetensors"
    )


@pytest.mark.parametrize(
    ("speculation", "draft", "expected"),
    [
        ("eagle3", "OWNER/HEAD", {"method": "eagle3", "model": "OWNER/HEAD", "num_speculative_tokens": 4}),
        ("draft", "OWNER/SMALL", {"method": "draft_model", "model": "OWNER/SMALL", "num_speculative_tokens": 4}),
    ],
)
def test_vllm_takes_speculation_as_json(speculation: str, draft: str, expected: dict[str, Any]) -> None:
    serve = command(plan("vllm", container=True, speculation=speculation, draft_model=draft), "vllm serve")
    assert json.loads(serve.value("--speculative-config")) == expected


def test_vllm_on_a_laptop_is_the_cpu_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    found = plan("vllm", "course", tensor_parallel=2)
    serve = command(found, "vllm serve")
    assert found.env["VLLM_CPU_OMP_THREADS_BIND"] == "0|1"
    assert found.env["VLLM_HOST_IP"] == "127.0.0.1"
    assert int(found.env["VLLM_CPU_KVCACHE_SPACE"]) >= 1
    assert serve.value("--dtype") == "float32"
    assert serve.value("--tensor-parallel-size") == "2"
    assert "--gpu-memory-utilization" not in serve.words


def test_vllm_on_a_cpu_says_where_its_speculation_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    found = plan("vllm", "course", speculation="ngram")
    assert any("right at temperature 0 only" in note for note in found.notes)
    assert not any("temperature" in note for note in plan("vllm", "course").notes)
    assert not any("temperature" in note for note in plan("vllm", container=True, speculation="ngram").notes)


def test_threads_bind_each_part_to_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "laptop")
    found = plan("vllm", "course", tensor_parallel=2, threads=4)
    assert found.env["VLLM_CPU_OMP_THREADS_BIND"] == "0-3|4-7"


def test_a_spark_never_gets_the_cpu_wheel_unasked(monkeypatch: pytest.MonkeyPatch, spark: None) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "spark")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == "vllm" else None)
    assert command(plan("vllm", "course"), "vllm serve")
    assert plan("vllm", "course").argv[:2] == ("docker", "run")
    assert "--gpu-memory-utilization" in plan("vllm", "course", container=False).argv


def test_sglang_gives_the_three_numbers_together() -> None:
    serve = command(
        plan("sglang", container=True, speculation="eagle3", draft_model="OWNER/HEAD", draft_tokens=5), "sglang serve"
    )
    assert serve.value("--speculative-algorithm") == "EAGLE3"
    assert serve.value("--speculative-num-steps") == "5"
    assert serve.value("--speculative-eagle-topk") == "1"
    assert serve.value("--speculative-num-draft-tokens") == "6"


def test_sglang_takes_a_tree_of_drafts_only_with_its_size() -> None:
    options: dict[str, Any] = {"container": True, "speculation": "eagle3", "draft_model": "OWNER/HEAD"}
    with pytest.raises(UsageError, match="verify_tokens"):
        plan("sglang", extra={"eagle_topk": 8}, **options)
    tree = command(plan("sglang", extra={"eagle_topk": 8, "verify_tokens": 32}, **options), "sglang serve")
    assert tree.value("--speculative-num-draft-tokens") == "32"


def test_sglang_eager_uses_the_new_spelling_and_says_nvfp4() -> None:
    serve = command(plan("sglang", LLAMA, container=True, eager=True, precision="nvfp4"), "sglang serve")
    assert serve.value("--cuda-graph-backend-decode") == "disabled"
    assert serve.value("--quantization") == "modelopt_fp4"


def test_tensorrt_llm_after_1_2_serves_the_checkpoint_with_a_yaml_file() -> None:
    found = plan("tensorrt-llm", LLAMA, container=True)
    assert {each.program for each in commands(found)} == {"docker run", "trtllm-serve", "trtllm-bench"}
    assert "no engine is built" in " ".join(found.notes)
    settings = settings_file()
    assert settings["kv_cache_config"]["free_gpu_memory_fraction"] == 0.7
    assert settings["kv_cache_config"]["enable_block_reuse"] is True
    assert settings["return_perf_metrics"] is True
    assert found.urls["metrics"].endswith("/prometheus/metrics")


def test_tensorrt_llm_eagle3_and_eager_stand_in_the_yaml_file() -> None:
    settings = settings_file(speculation="eagle3", draft_model="OWNER/HEAD", draft_tokens=3, eager=True)
    assert settings["speculative_config"] == {
        "decoding_type": "Eagle",
        "max_draft_len": 3,
        "speculative_model": "OWNER/HEAD",
    }
    assert settings["cuda_graph_config"] is None
    assert settings["kv_cache_config"]["enable_block_reuse"] is False


@pytest.mark.parametrize(
    ("precision", "first"),
    [("bf16", "convert_checkpoint.py"), ("int4", "convert_checkpoint.py"), ("fp8", "quantize.py")],
)
def test_tensorrt_llm_1_2_converts_builds_and_serves(precision: str, first: str) -> None:
    found = plan("tensorrt-llm", "qwen3-8b", container=True, precision=precision, extra={"release": "1.2.1"})
    programs = [each.program for each in commands(found)]
    assert programs == ["docker run", first, "trtllm-build", "trtllm-serve"]
    assert "ahead of time" in " ".join(found.notes)
    build, serve = command(found, "trtllm-build"), command(found, "trtllm-serve")
    assert build.value("--max_batch_size") == serve.value("--max_batch_size") == "8"
    assert build.value("--output_dir") == serve.words[0]
    assert serve.value("--backend") == "tensorrt"
    assert "--model_dir" not in build.words


def test_tensorrt_llm_1_2_refuses_what_it_cannot_build() -> None:
    with pytest.raises(UsageError, match="no converter"):
        plan("tensorrt-llm", "qwen3-30b-a3b", container=True, precision="bf16", extra={"release": "1.2.1"})
    with pytest.raises(UsageError, match="no engine with speculation"):
        plan("tensorrt-llm", container=True, speculation="ngram", extra={"release": "1.2.1"})


def test_ollama_always_gets_context_and_slots_and_names_the_model_as_asked() -> None:
    found = plan("ollama", container=False, max_num_seqs=3, max_model_len=4096)
    assert found.env["OLLAMA_NUM_PARALLEL"] == "3"
    assert found.env["OLLAMA_CONTEXT_LENGTH"] == "4096"
    (script,) = found.files.values()
    assert "ollama pull 'qwen3:8b'" in script
    assert "ollama cp 'qwen3:8b' 'qwen3-8b'" in script
    assert found.urls["health"].endswith("/v1/models/qwen3-8b")
    assert "metrics" not in found.urls


def test_ollama_makes_a_model_of_ones_own_file(tiny_gguf: Any) -> None:
    found = plan("ollama", str(tiny_gguf), container=True)
    texts = list(found.files.values())
    assert f"FROM {tiny_gguf}\n" in texts
    assert f"{tiny_gguf}:{tiny_gguf}:ro" in found.argv


def test_llama_server_shares_its_context_among_slots() -> None:
    serve = command(plan("llama.cpp", max_num_seqs=4, max_model_len=4096), "llama-server")
    assert serve.value("--hf-repo") == "Qwen/Qwen3-8B-GGUF:Q4_K_M"
    assert serve.value("--ctx-size") == str(4 * 4096)
    assert serve.value("--load-mode") == "dio"
    assert "--metrics" in serve.words


def test_llama_cpp_is_embedded_unless_asked(tiny_model: str) -> None:
    assert "helpers.engines.llama_cpp_process" in plan("llama.cpp", tiny_model).argv
    assert "llama-server" in plan("llama.cpp", tiny_model, container=False).argv


def test_two_sparks_with_vllm_and_ray() -> None:
    found = plan("vllm", "llama-3.3-70b", nodes=("spark-a", "spark-b"))
    starts = [each for each in commands(found) if each.program == "ray start"]
    assert "--head" in starts[0].words
    assert "--address=spark-a:6379" in starts[1].words
    serve = command(found, "vllm serve")
    assert serve.value("--tensor-parallel-size") == "2"
    assert serve.value("--distributed-executor-backend") == "ray"
    assert "RAY_memory_monitor_refresh_ms=0" in found.argv
    for name in ("NCCL_SOCKET_IFNAME", "UCX_NET_DEVICES", "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME"):
        assert f"{name}=enp1s0f0np0" in found.argv
    assert "VLLM_HOST_IP=spark-a" in found.argv
    (script,) = [text for path, text in found.files.items() if path.endswith("on-spark-b.sh")]
    assert "VLLM_HOST_IP=spark-b" in script


def test_two_sparks_with_vllms_own_flags() -> None:
    found = plan("vllm", nodes=("a", "b"), extra={"executor": "mp", "interface": "enp1s0f1np1"})
    first, second = [each for each in commands(found) if each.program == "vllm serve"]
    assert (first.value("--node-rank"), second.value("--node-rank")) == ("0", "1")
    assert "--headless" in second.words
    assert "--headless" not in first.words
    assert first.value("--master-addr") == second.value("--master-addr") == "a"
    assert "NCCL_SOCKET_IFNAME=enp1s0f1np1" in found.argv


def test_two_sparks_with_sglang() -> None:
    first, second = [e for e in commands(plan("sglang", nodes=("a", "b"))) if e.program == "sglang serve"]
    assert (first.value("--node-rank"), second.value("--node-rank")) == ("0", "1")
    assert first.value("--dist-init-addr") == second.value("--dist-init-addr") == "a:20000"


def test_two_sparks_with_tensorrt_llm_and_mpirun() -> None:
    found = plan("tensorrt-llm", "qwen3-235b-a22b", nodes=("a", "b"))
    assert found.argv[:3] == ("docker", "exec", "course-tensorrt-llm-8000")
    assert "trtllm-llmapi-launch" in found.argv
    assert command(found, "trtllm-serve").value("--tp_size") == "2"
    texts = {path.rpartition("/")[2]: text for path, text in found.files.items()}
    assert texts["hosts"] == "a slots=1\nb slots=1\n"
    assert "OMPI_MCA_rmaps_ppr_n_pernode=1" in texts["node.sh"]


@pytest.mark.parametrize(
    ("nodes", "options", "message"),
    [
        (("a",), {}, "two machines"),
        (("a", "a"), {}, "two machines"),
        (("a", "b"), {"tensor_parallel": 3}, "does not fit 2 nodes"),
        (("a", "b; rm -rf /"), {}, "no host name"),
    ],
)
def test_nodes_that_cannot_be_are_refused(nodes: tuple[str, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan("vllm", nodes=nodes, **options)


@pytest.mark.parametrize(
    ("engine", "options", "message"),
    [
        ("ollama", {"tensor_parallel": 2}, "ollama has no tensor_parallel"),
        ("ollama", {"speculation": "ngram"}, "no speculation"),
        ("ollama", {"precision": "fp8"}, "does not serve fp8"),
        ("ollama", {"precision": "q8_0"}, "library has no q8_0"),
        ("vllm", {"precision": "q4_k_m"}, "does not serve q4_k_m"),
        ("vllm", {"model": "gpt-oss-20b", "precision": "nvfp4"}, "no nvfp4 files"),
        ("vllm", {"extra": {"kv_cache_dtype": "fp7"}}, "no kv_cache_dtype 'fp7'"),
        ("vllm", {"extra": {"colour": "red"}}, "no extra option"),
        ("vllm", {"max_model_len": 100_000}, "more than qwen3-8b was trained for"),
        ("vllm", {"container": True, "threads": 2}, "threads is for vLLM on a CPU"),
        ("vllm", {"container": True, "extra": {"release": "cpu-0.32"}}, "is native, not container"),
        ("sglang", {"extra": {"release": "docker-0.5"}}, "did you mean docker-0.5.23"),
        ("sglang", {"model": "qwen3-8"}, "did you mean qwen3-8b"),
        ("llama.cpp", {"nodes": ("a", "b")}, "llama.cpp has no nodes"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(engine: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(engine, **{"model": "qwen3-8b", **options})


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm", "llama.cpp", "ollama"])
@pytest.mark.parametrize("container", [True, False])
def test_no_secret_is_in_a_plan(engine: str, container: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("COURSE_API_KEY", "key_secret")
    found = plan(engine, container=container)
    assert "secret" not in json.dumps(found.to_json())
    if container:
        assert found.argv[found.argv.index("HF_TOKEN") - 1] == "-e"


def test_a_gated_repository_is_told() -> None:
    assert "gated" not in " ".join(plan("vllm", LLAMA).notes)
    assert "meta-llama/Llama-3.1-8B-Instruct is gated" in " ".join(plan("vllm", LLAMA, precision="bf16").notes)
    built = plan("tensorrt-llm", LLAMA, container=True, precision="fp8", extra={"release": "1.2.1"})
    assert "is gated" in " ".join(built.notes)


def test_engines_built_for_other_shapes_are_not_mixed_up() -> None:
    def place(**options: Any) -> str:
        found = plan("tensorrt-llm", container=True, precision="bf16", extra={"release": "1.2.1"}, **options)
        (script,) = found.files.values()
        return next(line for line in script.splitlines() if line.startswith("ENGINE="))

    assert len({place(), place(max_num_seqs=4), place(max_model_len=1024), place(tensor_parallel=2)}) == 4


def test_a_plan_is_a_pure_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("a plan starts nothing")

    monkeypatch.setattr("subprocess.Popen", never)
    monkeypatch.setattr("socket.socket.connect", never)
    for engine in catalog.engines():
        assert plan(engine, container=True) == plan(engine, container=True)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tensorrt-llm"])
def test_without_a_gpu_an_engine_says_so(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))  # nothing is installed there
    monkeypatch.setattr("helpers.hardware.find_gpus", list)
    monkeypatch.setattr("shutil.which", lambda name: None)
    needs = registry.choose(engine).needs()
    assert needs is not None
    assert "NVIDIA GPU" in needs[0]


def test_with_a_gpu_but_without_docker_the_install_is_named(spark: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert registry.choose("sglang").needs() == (
        "Docker, or SGLang installed natively",
        "./course engines install sglang",
    )
    monkeypatch.setattr("helpers.engines.gpu_engine.docker_problem", lambda: "")
    assert registry.choose("sglang").needs() is None
