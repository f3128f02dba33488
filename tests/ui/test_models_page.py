"""The models page in a browser, in front of an Ollama's contract server; and keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from helpers.api.database import Database
from helpers.api.process import GatewayProcess
from tests.api.gateways import until
from tests.api.upstreams import upstream
from tests.ui.conftest import Front, answered, open_tab, ready, say
from tests.ui.engines import answer_as_told

pytestmark = pytest.mark.browser


@pytest.fixture
def models(page: Any, front: Front) -> Iterator[Any]:
    front.ollama.go_on.clear()
    page.goto(f"{front.url}/models")
    page.wait_for_selector(".all-models .row-item")
    page.wait_for_function("window.did_handshake === true")
    yield page
    front.ollama.go_on.set()


def pull(page: Any, name: str) -> Any:
    page.fill(".pull-name input", name)
    page.get_by_role("button", name="Pull", exact=True).click()
    job = page.locator(".job", has_text=f"Pull {name}")
    job.wait_for()
    return job


def test_a_pull_shows_its_layers_survives_a_reload_and_ends(models: Any, front: Front) -> None:
    pull(models, "llama3:8b")
    models.wait_for_function("document.querySelector('.job-status').innerText.includes('50%')")
    expect(models.locator(".layer")).to_contain_text("2.0 MB of 4.0 MB")
    models.reload()
    models.wait_for_function("document.querySelector('.job-status')?.innerText.includes('50%')")
    front.ollama.go_on.set()
    models.wait_for_function("document.querySelector('.job-status').innerText.includes('done')")
    models.wait_for_selector(".all-models >> text=llama3:8b")
    models.get_by_role("button", name="Dismiss").click()
    models.wait_for_selector(".job", state="detached")


def test_a_pull_can_be_cancelled_and_ollama_notices(models: Any, front: Front) -> None:
    left = front.ollama_server.left
    job = pull(models, "big:70b")
    models.wait_for_function("document.querySelector('.job-status').innerText.includes('50%')")
    job.get_by_role("button", name="Cancel").click()
    models.wait_for_function("document.querySelector('.job-status').innerText.includes('cancelled')")
    until(lambda: front.ollama_server.left > left)
    job.get_by_role("button", name="Dismiss").click()
    job.wait_for(state="detached")


@pytest.mark.parametrize(
    ("name", "happened", "step"),
    [("too-large", "no space left", "Delete a model"), ("no-such-model", "does not exist", "Choose another model")],
)
def test_a_pull_that_fails_says_why_and_what_to_do(models: Any, name: str, happened: str, step: str) -> None:
    job = pull(models, name)
    job.locator(".error").wait_for()
    expect(job.locator(".error")).to_contain_text(happened)
    expect(job.locator(".error")).to_contain_text(step)
    job.get_by_role("button", name="Dismiss").click()
    job.wait_for(state="detached")


def test_a_model_is_described_copied_and_deleted_only_on_confirmation(models: Any, front: Front) -> None:
    models.get_by_role("button", name="About qwen3:8b").click()
    dialog = models.locator(".show-model")
    dialog.wait_for()
    for words in ("Q4_K_M", "8.2B", "40,960", "thinking"):
        expect(dialog).to_contain_text(words)
    dialog.get_by_text("Licence").click()
    models.wait_for_selector("text=Apache License 2.0")
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="detached")
    models.get_by_role("button", name="Copy qwen3:8b").click()
    models.fill(".dialog-input input", "mine")
    models.locator(".dialog").get_by_role("button", name="Copy").click()
    models.get_by_role("button", name="Delete mine").click()
    models.locator(".dialog").get_by_role("button", name="Cancel").click()
    models.wait_for_selector(".dialog", state="detached")
    assert "mine" in front.ollama.models
    models.get_by_role("button", name="Delete mine").click()
    models.locator(".dialog").get_by_role("button", name="Delete").click()
    models.get_by_role("button", name="Delete mine").wait_for(state="detached")
    assert "mine" not in front.ollama.models


def test_loaded_models_with_their_memory_can_be_unloaded(models: Any, front: Front) -> None:
    front.ollama.loaded.add("qwen3:8b")
    models.get_by_role("button", name="Unload").wait_for()
    words = models.locator(".loaded").inner_text()
    assert "5.2 GB in memory" in words
    assert "96% on the GPU" in words
    models.get_by_role("button", name="Unload").click()
    models.get_by_role("button", name="Unload").wait_for(state="detached")
    assert front.ollama.loaded == set()
    front.ollama.loaded.add("qwen3:8b")


def test_a_model_is_created_from_a_modelfile_and_mistakes_are_named(models: Any, front: Front) -> None:
    models.fill(".create-name input", "pirate")
    models.fill(".create-modelfile textarea", "FROM qwen3:8b\nSYTEM Arr.")
    models.get_by_role("button", name="Create", exact=True).click()
    models.wait_for_selector(".create .error >> text=SYTEM")
    expect(models.locator(".create .error")).to_contain_text("SYSTEM")
    models.fill(".create-modelfile textarea", "FROM qwen3:8b\nSYSTEM Arr.\nPARAMETER num_ctx 4096")
    models.get_by_role("button", name="Create", exact=True).click()
    models.wait_for_selector(".all-models >> text=pirate")
    created = front.ollama.created[-1]
    assert (created["from"], created["system"], created["parameters"]) == ("qwen3:8b", "Arr.", {"num_ctx": 4096})
    models.get_by_role("button", name="Dismiss").click()


def test_a_model_is_created_from_a_gguf_file(models: Any, front: Front, tmp_path: Path) -> None:
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF" + bytes(100_000))
    models.fill(".create-name input", "small")
    models.fill(".create-modelfile textarea", "PARAMETER num_ctx 512")
    models.set_input_files(".create input[type=file]", file)
    models.wait_for_selector(".q-uploader__file--uploaded")
    models.get_by_role("button", name="Create", exact=True).click()
    models.wait_for_selector(".all-models >> text=small")
    assert file.read_bytes() in front.ollama.blobs.values()
    assert list(front.ollama.created[-1]["files"]) == ["small.gguf"]
    assert "from" not in front.ollama.created[-1]
    models.get_by_role("button", name="Dismiss").click()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[str, Database]]:
    """A gateway that wants keys, without an Ollama."""
    url = f"sqlite:///{tmp_path / 'keys.sqlite'}"
    database = Database(url)
    with (
        upstream(answer_as_told, "told") as engine,
        GatewayProcess("--upstream", f"m={engine.url}", "--keys", "--database", url, ui=True) as gateway,
    ):
        yield gateway.root, database
    database.close()


def test_keys_separate_users_and_a_revoked_one_is_shown_the_door(locked: tuple[str, Database], chromium: Any) -> None:
    root, database = locked
    keys = [database.add_key("alice"), database.add_key("bob")]
    until_known(root, keys[1])
    tabs = []
    for key in keys:
        context = chromium.new_context()
        page = open_tab(context).page
        page.goto(root)
        page.fill("#key", "ck-wrong")
        page.click("button.primary")
        page.wait_for_selector("[role=alert]")
        page.fill("#key", key)
        page.click("button.primary")
        ready(page)
        assert key not in page.evaluate("document.cookie")
        tabs.append(page)
    alice, bob = tabs
    say(alice, "a secret of mine")
    answered(alice)
    bob.goto(alice.url)
    ready(bob)
    assert "secret" not in bob.content()
    expect(bob.locator(".conversation")).to_have_count(0)
    alice.goto(f"{root}/models")
    alice.wait_for_selector("text=There is no Ollama behind this gateway")
    database.revoke_key("alice")
    alice.wait_for_selector("#key")
    bob.goto(root)
    bob.get_by_role("button", name="Sign out").click()
    bob.wait_for_selector("#key")
    for tab in tabs:
        tab.context.close()


def until_known(root: str, key: str) -> None:
    """A new key is valid within a second."""
    import httpx

    with httpx.Client(verify=False, trust_env=False) as client:
        headers = {"authorization": f"Bearer {key}"}
        until(lambda: client.get(f"{root}/v1/models", headers=headers).status_code == 200, 10)
