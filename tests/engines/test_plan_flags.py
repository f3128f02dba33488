"""Every option that a plan emits exists in the release that it is for."""

import itertools
import subprocess
from dataclasses import replace

import pytest

from helpers.engines import catalog, registry
from helpers.engines.plan import LaunchPlan
from helpers.errors import UsageError
from tests.engines.flags import commands, table_for
from tests.engines.planning import plan

RELEASES = [(entry.name, release) for entry in catalog.engines().values() for release in entry.releases]
IDS = [f"{engine}-{release.name}" for engine, release in RELEASES]

SPECULATIONS = (
    {},
    {"speculation": "ngram"},
    {"speculation": "draft", "draft_model": "OWNER/SMALL"},
    {"speculation": "eagle3", "draft_model": "OWNER/HEAD"},
)
FORMS = ({}, {"tensor_parallel": 2}, {"nodes": ("spark-a", "spark-b")}, {"eager": True, "prefix_caching": False})
EXTRAS = ({}, {"kv_cache_dtype": "fp8"}, {"kv_cache_dtype": "q8_0"}, {"chunked_prefill": False}, {"executor": "mp"})


def check_flags(found: LaunchPlan, version: str) -> None:
    serving = commands(found)
    for each in serving:
        unknown = set(each.flags) - table_for(each.program, version).options
        assert not unknown, f"{each.program} {version} has no {sorted(unknown)}"


@pytest.mark.parametrize(("engine", "release"), RELEASES, ids=IDS)
def test_a_plan_uses_only_what_its_release_has(engine: str, release: catalog.Release) -> None:
    planned = 0
    adapter = registry.choose(engine, "qwen3-8b", release.kind == "container")
    forms = [{**speculation, **form} for speculation, form in itertools.product(SPECULATIONS, FORMS)]
    cases = [*itertools.product(forms, EXTRAS), *(({"precision": name}, {}) for name in adapter.precisions)]
    for options, extra in cases:
        extra = {**extra, "release": release.name}
        try:
            found = plan(engine, extra=extra, container=release.kind == "container", **options)
        except UsageError:
            continue
        planned += 1
        check_flags(found, release.version)
    assert planned


WANTED = [
    (engine, container, options)
    for engine in ("vllm", "sglang", "tensorrt-llm")
    for container in (True, False)
    for options in (*SPECULATIONS, {"tensor_parallel": 2}, {"precision": "bf16"}, {"nodes": ("a", "b")})
]


@pytest.mark.parametrize(("engine", "container", "options"), WANTED, ids=str)
def test_each_engine_is_planned_in_every_form(engine: str, container: bool, options: dict, spark: None) -> None:
    if engine == "tensorrt-llm" and not container and "nodes" in options:
        with pytest.raises(UsageError, match="planned with containers"):
            plan(engine, container=container, **options)
        return
    found = plan(engine, container=container, **options)
    assert (found.argv[:2] == ("docker", "run")) == (
        container and not ("nodes" in options and engine == "tensorrt-llm")
    )
    assert commands(found)


@pytest.mark.parametrize(("engine", "release"), RELEASES, ids=IDS)
def test_scripts_are_ones_that_a_shell_reads(engine: str, release: catalog.Release) -> None:
    found = plan(engine, container=release.kind == "container", extra={"release": release.name})
    for path, text in found.files.items():
        if path.endswith(".sh"):
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_the_check_finds_a_flag_that_is_not_there() -> None:
    found = plan("sglang", container=True)
    with pytest.raises(AssertionError, match="cuda-graph-max-bs"):
        check_flags(replace(found, argv=(*found.argv, "--cuda-graph-max-bs", "2")), "0.5.23")


@pytest.mark.vllm
def test_the_installed_vllm_has_every_flag_of_its_table() -> None:
    """Ask the parser of the installed release."""
    program = registry.choose("vllm").cpu_program()
    assert program is not None
    done = subprocess.run([program, "serve", "--help=all"], capture_output=True, text=True, check=True)
    words = set(done.stdout.replace(",", " ").split())
    used = {flag for each in commands(plan("vllm", "course", container=False)) for flag in each.flags}
    assert "--max-model-len" in used
    assert used <= words
