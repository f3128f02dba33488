"""Model files on their way to an Ollama: passed on whole, refused to strangers and where there is no Ollama."""

from hashlib import sha256
from pathlib import Path

from tests.api.gateways import gateway
from tests.api.upstreams import upstream
from tests.ui.engines import FakeOllama, answer_as_told

CONTENT = b"GGUF" + bytes(300_000)
PATH = "/api/blobs/sha256:" + sha256(CONTENT).hexdigest()


def test_a_file_is_asked_for_handed_over_and_there(tmp_path: Path) -> None:
    ollama = FakeOllama()
    with upstream(ollama.handle, "qwen3:8b", "ollama") as behind, gateway(tmp_path, behind.url) as front:
        with front.client() as client:
            assert client.head(PATH).status_code == 404
            assert client.post(PATH, content=CONTENT).status_code == 201
            assert client.head(PATH).status_code == 200
            wrong = client.post(PATH, content=CONTENT[:-1])
        assert (wrong.status_code, wrong.json()["error"]) == (400, "digest mismatch")
        assert list(ollama.blobs.values()) == [CONTENT]


def test_what_is_no_digest_is_not_passed_on(tmp_path: Path) -> None:
    ollama = FakeOllama()
    with upstream(ollama.handle, "qwen3:8b", "ollama") as behind, gateway(tmp_path, behind.url) as front:
        before = len(behind.sent)
        answer = front.post("/api/blobs/sha256:..", CONTENT)
        assert answer.status_code in (400, 404)
        assert len(behind.sent) == before


def test_strangers_and_gateways_without_an_ollama_are_refused(tmp_path: Path) -> None:
    with (
        upstream(answer_as_told, "told") as behind,
        gateway(tmp_path, behind.url) as front,
        gateway(tmp_path, behind.url, keys_required=True) as locked,
    ):
        assert front.post(PATH, CONTENT).status_code == 501
        assert locked.post(PATH, CONTENT).status_code == 401
