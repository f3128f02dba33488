import pytest

from helpers.engines.failures import explain, last_words
from helpers.engines.llama_cpp_log import REFUSALS, SYMPTOMS


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8081", "port 8081 is taken"),
        (
            "gguf_init_from_file: failed to open GGUF file '/x.gguf' (No such file or directory)",
            "/x.gguf cannot be opened",
        ),
        ("error loading model: tensor 'a' data is not within the file bounds, model is corrupted", "truncated"),
        ("gguf_init_from_reader: invalid magic characters: 'this', expected 'GGUF'", "not GGUF"),
        ("gguf_init_from_reader: failed to read magic", "not GGUF"),
        ("error loading model: unknown model architecture: 'new'", "architecture new"),
        ("error loading model: unknown pre-tokenizer type: 'odd'", "tokenizer odd"),
        ("common_chat_templates_init: error: Expected 'in'", "template cannot be read: Expected 'in'"),
        ("E failed to allocate buffer for kv cache", "memory"),
        ("RuntimeError: failed to allocate compute pp buffers", "memory"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "memory"),
        ("OSError: [Errno 98] Address already in use", "port is taken"),
        ("error loading model: missing tensor 'output.weight'", "missing tensor 'output.weight'"),
    ],
)
def test_a_line_of_the_log_becomes_a_clear_error(line: str, what: str) -> None:
    error = explain("llama.cpp", f"first\n{line}\nlast", 1, SYMPTOMS, "/log")
    assert what in error.what
    assert error.what.startswith("llama.cpp: ")
    assert error.cause
    assert error.next_command


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (137, "SIGKILL; last words: hello | bye"),
        (132, "SIGILL"),
        (139, "SIGSEGV"),
        (3, "exit code 3"),
        (None, "not answer"),
    ],
)
def test_without_a_known_line_the_end_itself_is_told_with_the_last_words(code: int | None, words: str) -> None:
    error = explain("fake", "hello\nbye\n", code, (), "/log")
    assert words in error.what
    assert "bye" in str(error)


def test_last_words_leave_underlining_out() -> None:
    assert last_words("a = b\n    ^^^^\nValueError: no\n\n") == "a = b | ValueError: no"


def test_a_draft_that_is_not_used_is_a_refusal() -> None:
    error = REFUSALS[0].match("E srv: failed to initialize speculative decoding context: draft is odd")
    assert error is not None
    assert "draft is odd" in error.what
