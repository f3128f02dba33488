"""Deployments: read from files, and refused with the reason before anything starts."""

from pathlib import Path

import pytest

from helpers.capstone import deployment as module
from helpers.capstone.brief import find_brief
from helpers.capstone.deployment import Deployment, check, read_deployment
from helpers.engines import registry
from helpers.engines.memory import HostMemory
from helpers.errors import EngineUnavailable, MissingError, UsageError

CHAT = find_brief("chat", "laptop")


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals that do not hang on what this machine happens to have free."""
    monkeypatch.setattr(module.memory, "host_memory", lambda: HostMemory(32 * 10**9, 24 * 10**9))
    monkeypatch.setattr(module, "usable_cores", lambda: 2)


def chat(**changed: object) -> Deployment:
    return Deployment.build(**{"engine": "llama.cpp", "model": "course", "max_model_len": 1280, **changed})


def test_a_file_says_decisions_prediction_and_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'engine = "llama.cpp"\nmodel = "course"\nmax_num_seqs = 40\n'
        '[prediction]\ngoodput_per_s = 4.5\n[by]\nname = "Ada"\n[extra]\ncache_ram_mib = 64\n'
    )
    read = read_deployment(path)
    assert read.prediction.goodput_per_s == 4.5
    assert read.name == "Ada"
    assert read.decisions == {"engine": "llama.cpp", "model": "course", "max_num_seqs": 40, "cache_ram_mib": 64}
    assert Deployment.build(**read.to_json()) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('engine = "llama.cpp"\nmodel = "course"\nmax_num_seq = 4', "did you mean max_num_seqs"),
        ('engine = "llama.cpp"', "model"),
        ("engine = ", "is not TOML"),
        ('engine = "nano"\nmodel = "course"\n[prediction]\ngoodput = 3', "did you mean goodput_per_s"),
        ('engine = "nano"\nmodel = "course"\n[prediction]\ngoodput_per_s = "much"', "must be a number"),
        ('engine = "nano"\nmodel = "course"\nreplicas = 0', "replicas must be"),
        ('engine = "nano"\nmodel = "course"\nprefix_caching = "yes"', "prefix_caching must be"),
        ('engine = "nano"\nmodel = "course"\nprediction = 3', "must be a table"),
        ('engine = "nano"\nmodel = "course"\nname = "Ada"', "stands in"),
        ('engine = "nano"\nmodel = "course"\n[by]\nage = 3', "takes a name"),
    ],
)
def test_what_a_file_cannot_say(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as refusal:
        read_deployment(path)
    assert message in str(refusal.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="cannot read"):
        read_deployment(tmp_path / "none.toml")


def test_a_possible_one_is_completed() -> None:
    checked = check(chat(max_num_seqs=40, quantization="q8_0", max_num_batched_tokens=256, threads=2), CHAT)
    assert checked.config.max_num_seqs == 40
    assert checked.config.precision == "q8_0"
    assert dict(checked.config.extra) == {"n_ubatch": 256}
    assert checked.cores == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"engine": "lama.cpp"}, "there is no engine"),
        ({"engine": "ollama"}, "does not offer the engine"),
        ({"model": "course-heavy"}, "does not offer the model"),
        ({"quantization": "fp8"}, "does not serve fp8"),
        ({"kv_cache_dtype": "int8"}, "no extra option 'kv_cache_dtype'"),
        ({"speculation": "medusa"}, "speculation cannot be"),
        ({"max_num_seqs": 0}, "max_num_seqs cannot be 0"),
        ({"max_model_len": 512}, "too short for the brief"),
        ({"max_model_len": 9000}, "trained for 4096"),
        ({"replicas": 3}, "take 3 cores"),
        ({"replicas": 2, "threads": 2}, "take 4 cores"),
        ({"extra": {"colour": "red"}}, "no extra option 'colour'"),
    ],
)
def test_impossible_ones_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        check(chat(**changed), CHAT)
    assert message in str(refusal.value)


def test_a_context_that_does_not_fit_is_refused_with_its_size() -> None:
    with pytest.raises(MissingError) as refusal:
        check(chat(max_num_seqs=40, max_model_len=4096), CHAT)
    assert "does not fit" in refusal.value.what
    assert "40 sequences of 4096 tokens" in refusal.value.cause


def test_what_this_machine_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.memory, "host_memory", lambda: HostMemory(10**9, 10**8))
    with pytest.raises(MissingError, match="can be given"):
        check(chat(max_num_seqs=16), CHAT)


def test_a_missing_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helpers.engines.llama_cpp.LlamaCpp.needs", lambda self: ("a wheel", "install it"))
    with pytest.raises(EngineUnavailable, match="cannot be started here"):
        check(chat(), CHAT)


def test_a_token_budget_where_there_is_none() -> None:
    with pytest.raises(UsageError, match="cannot be set for ollama"):
        chat(engine="ollama", max_num_batched_tokens=64).config(registry.choose("ollama"))
