"""What would freeze the host is refused, with the change that helps; the numbers come from a simulated kernel."""

from pathlib import Path

import pytest

from helpers.engines import memory
from helpers.engines.lease import Ticket
from helpers.engines.memory import HostMemory, Need, estimate, host_memory, promised_bytes, require_fit
from helpers.engines.plan import ServeConfig
from helpers.errors import EngineUnavailable
from helpers.nano.engine import load_engine
from helpers.nano.kv_cache import bytes_per_token

SPARK = HostMemory(total_bytes=128 * 10**9, available_bytes=118 * 10**9)


def simulate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, total_kb: int, available_kb: int) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(
        f"MemTotal: {total_kb} kB\nMemFree: 1 kB\nMemAvailable:   {available_kb} kB\nHugePages_Total: 0\n"
    )
    monkeypatch.setattr(memory, "MEMINFO", meminfo)


def config(engine: str = "vllm", model: str = "llama-3.1-8b", precision: str = "fp8", **options: object) -> ServeConfig:
    return ServeConfig.build(
        engine=engine,
        model=model,
        precision=precision,
        **{"max_model_len": 8192, "max_num_seqs": 32, "extra": {"release": "ngc-26.10"}, **options},
    )


def check(asked: ServeConfig, host: HostMemory = SPARK, promised: int = 0, running: tuple[Ticket, ...] = ()) -> None:
    require_fit(asked, estimate(asked, host, on_gpu=True), host, promised, running)


def test_the_kernel_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    simulate(monkeypatch, tmp_path, 1000, 400)
    assert host_memory() == HostMemory(1_024_000, 409_600)
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")  # macOS
    assert host_memory().total_bytes >= host_memory().available_bytes > 0


def test_an_8b_model_fits_a_spark_and_its_parts_are_counted() -> None:
    need = estimate(config(), SPARK, on_gpu=True)
    assert need.weights_bytes == 8_030_000_000
    assert need.kv_bytes == 32 * 8192 * 2 * 32 * 8 * 128 * 2
    check(config())


def test_a_kv_cache_that_is_too_long_names_lengths_that_fit() -> None:
    with pytest.raises(EngineUnavailable, match=r"would need .* GB, and 110\.\d GB can be given") as caught:
        check(config(max_model_len=131072))
    assert "max_num_seqs=5" in caught.value.next_command
    changed = int(caught.value.next_command.rpartition("max_model_len=")[2])
    check(config(max_model_len=changed))


def test_a_single_sequence_that_is_too_long_is_shortened() -> None:
    with pytest.raises(EngineUnavailable) as caught:
        check(config(max_num_seqs=1, max_model_len=2_000_000))
    assert caught.value.next_command.startswith("max_num_seqs=1, max_model_len=")


def test_weights_that_are_too_large_name_a_lighter_quantization() -> None:
    with pytest.raises(EngineUnavailable) as caught:
        check(config(model="llama-3.3-70b", precision="bf16"))
    assert caught.value.next_command == "precision='nvfp4', or a smaller model"
    check(config(model="llama-3.3-70b", precision="nvfp4", max_num_seqs=4))


@pytest.mark.parametrize("sequences", [1, 4, 16, 64])
def test_nano_takes_a_cache_of_bounded_size(sequences: int) -> None:
    asked = config("nano", "course", "f32", max_model_len=4096, max_num_seqs=sequences, extra={})
    cache = load_engine("course", max_model_len=4096, max_num_seqs=sequences).scheduler.blocks
    bytes_each = bytes_per_token(load_engine("course").model.config, "f32")
    need = estimate(asked, SPARK, on_gpu=False)
    assert need.kv_bytes == pytest.approx(cache.blocks * cache.block_size * bytes_each, rel=0.001)


def test_two_machines_share_weights_and_cache() -> None:
    large = config(model="qwen3-235b-a22b", precision="nvfp4", max_num_seqs=4)
    with pytest.raises(EngineUnavailable):
        check(large)
    check(config(model="qwen3-235b-a22b", precision="nvfp4", max_num_seqs=4, nodes=("a", "b")))


def test_what_others_hold_or_were_promised_is_not_available() -> None:
    check(config())
    starting = Ticket(
        1, "engine", "alice", 10, 0.0, {"state": "starting", "need_bytes": 90 * 10**9, "available_bytes": 118 * 10**9}
    )
    assert promised_bytes([starting], SPARK) == 90 * 10**9
    taken = HostMemory(128 * 10**9, 48 * 10**9)
    assert promised_bytes([starting], taken) == 20 * 10**9
    with pytest.raises(EngineUnavailable, match="promised to an engine that is starting") as caught:
        check(config(), SPARK, 90 * 10**9, (starting,))
    assert "max_num_seqs" in caught.value.next_command
    with pytest.raises(EngineUnavailable) as caught:
        check(config(), HostMemory(128 * 10**9, 12 * 10**9), 0, (starting,))
    assert "./course engines stop" in caught.value.next_command


def test_an_engine_that_fills_a_fraction_is_told_a_smaller_one() -> None:
    sglang = config(engine="sglang", extra={"release": "docker-0.5.23", "gpu_memory_fraction": 0.9})
    with pytest.raises(EngineUnavailable, match="fills its memory fraction") as caught:
        check(sglang)
    fraction = float(caught.value.next_command.partition("'gpu_memory_fraction': ")[2].rstrip("}"))
    assert 0.6 < fraction < 0.9
    check(config(engine="sglang", extra={"release": "docker-0.5.23", "gpu_memory_fraction": fraction}))


def test_the_tiny_model_is_small_and_a_gguf_file_counts_as_it_is(tiny_model: str, tiny_gguf: Path) -> None:
    options = {"engine": "llama.cpp", "max_model_len": 256, "max_num_seqs": 2}
    directory = estimate(ServeConfig.build(model=tiny_model, precision="f32", **options), SPARK, on_gpu=False)
    half = estimate(ServeConfig.build(model=tiny_model, precision="f16", **options), SPARK, on_gpu=False)
    assert directory.weights_bytes == 2 * half.weights_bytes > 0
    assert directory.kv_bytes == 2 * half.kv_bytes > 0
    file = estimate(ServeConfig.build(model=str(tiny_gguf), **options), SPARK, on_gpu=False)
    assert file.weights_bytes == tiny_gguf.stat().st_size
    unknown = estimate(ServeConfig.build(model="someone/something", engine="vllm"), SPARK, on_gpu=True)
    assert (unknown.weights_bytes, unknown.kv_bytes) == (0, 0)


def test_the_watchdog_bites_before_the_host_has_nothing_left() -> None:
    assert 0 < SPARK.watchdog_bytes < SPARK.kept_bytes
    assert Need(1, 2, 3).total_bytes == 6
