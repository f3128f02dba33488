"""Text to token ids and back, and chats to text, by the files of a model in Hugging Face layout."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from helpers.errors import MissingError, UsageError
from helpers.models.catalogue import resolve

if TYPE_CHECKING:
    import jinja2
    import tokenizers

Message = Mapping[str, str]


class Tokenizer:
    """A model's tokenizer with its chat template.

    Args:
        backend: the tokenizer of the `tokenizers` package.
        template: the chat template.
        end_token: the text of the token that ends an answer.

    Raises:
        MissingError: the end token is not in the vocabulary.
    """

    def __init__(self, backend: "tokenizers.Tokenizer", template: "jinja2.Template", end_token: str) -> None:
        end_id = backend.token_to_id(end_token)
        if end_id is None:
            raise MissingError(f"the end token {end_token} is not in the vocabulary", "files of two different models")
        self._backend = backend
        self._template = template
        self.end_id = end_id

    @property
    def size(self) -> int:
        """Entries of the vocabulary, special ones included."""
        return self._backend.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids; the text of a special token becomes that token."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these tokens, special ones left out."""
        return self._backend.decode(list(ids))

    def open_stream(self) -> Callable[[int], str | None]:
        """A decoder for one answer: give it the tokens one by one; None while a character's bytes are incomplete."""
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(skip_special_tokens=True)
        return lambda token: stream.step(self._backend, token)

    def count(self, text: str) -> int:
        """How many tokens the text is."""
        return len(self.encode(text))

    def render_chat(self, messages: Iterable[Message], *, answer_follows: bool = True) -> str:
        """A chat as the text that the model reads.

        Args:
            messages: {"role": ..., "content": ...} each.
            answer_follows: whether the opening of the assistant's next message is added.
        """
        return self._template.render(messages=list(messages), add_generation_prompt=answer_follows)


def load_tokenizer(model: str) -> Tokenizer:
    """The tokenizer of a model.

    Args:
        model: an id of the catalogue, or a directory in Hugging Face layout.

    Raises:
        UsageError: unknown model, or a .gguf file.
        MissingError: a file is missing or damaged.
    """
    import jinja2
    import tokenizers

    files = resolve(model)
    if files.gguf_file is not None:
        raise UsageError(
            f"{model} is a .gguf file", "tokenizers are read from tokenizer.json", "give a Hugging Face directory"
        )
    try:
        backend = tokenizers.Tokenizer.from_file(str(files.directory / "tokenizer.json"))
        config = json.loads((files.directory / "tokenizer_config.json").read_text(encoding="utf-8"))
        template, end_token = config["chat_template"], config["eos_token"]
    except Exception as error:  # the tokenizers package raises plain Exception
        raise MissingError(
            f"{files.directory} has no usable tokenizer: {error}", "an incomplete download or a damaged file"
        ) from error
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    return Tokenizer(backend, environment.from_string(template), end_token)
