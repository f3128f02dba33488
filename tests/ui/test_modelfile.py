import pytest

from helpers.errors import UsageError
from helpers.ui.modelfile import parse_modelfile

WHOLE = '''# a comment
from qwen3:8b
PARAMETER temperature 0.2
PARAMETER num_ctx 4096
PARAMETER stop "<|im_end|>"
PARAMETER stop ###
SYSTEM """You answer
in one sentence."""
TEMPLATE "{{ .Prompt }}"
MESSAGE user Hello there
MESSAGE assistant "Good day."
LICENSE MIT
'''


def test_every_instruction() -> None:
    assert parse_modelfile(WHOLE) == {
        "from": "qwen3:8b",
        "parameters": {"temperature": 0.2, "num_ctx": 4096, "stop": ["<|im_end|>", "###"]},
        "system": "You answer\nin one sentence.",
        "template": "{{ .Prompt }}",
        "messages": [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "Good day."}],
        "license": ["MIT"],
    }


@pytest.mark.parametrize(
    ("text", "what", "cause"),
    [
        ("FROM x\nSYTEM hello", "line 2: there is no instruction SYTEM", "SYSTEM"),
        ("FROM x\nRUN rm", "line 2: there is no instruction RUN", "FROM"),
        ("SYSTEM hello", "no FROM", "GGUF"),
        ("FROM x\nPARAMETER num_ctx many", "line 2: num_ctx must be a whole number", "many"),
        ("FROM x\nPARAMETER temperature hot", "line 2: temperature must be a number", "hot"),
        ('FROM x\n\nSYSTEM """never\nclosed', 'line 3: """ is not closed', "end"),
        ("FROM x\nMESSAGE robot hi", "line 2: MESSAGE begins with a role", "user"),
        ("FROM", "line 1: FROM needs a value", ""),
    ],
)
def test_mistakes_are_named_with_their_line(text: str, what: str, cause: str) -> None:
    with pytest.raises(UsageError) as wrong:
        parse_modelfile(text)
    assert what in wrong.value.what
    assert cause in wrong.value.cause
