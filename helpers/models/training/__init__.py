"""Training of the course model: glossary, corpus, tokenizer, network, evaluation.

Nothing of the course needs this package to run; torch is imported only when training starts.

    python -m helpers.models.training OUT                     train all again into OUT (under two hours on two cores)
    python -m helpers.models.training OUT --new-tokenizer     with a tokenizer trained on the corpus as it is now
"""

from pathlib import Path

from helpers.errors import MissingError

_TOKENIZER_SEED = 7


def rebuild(out_directory: Path, new_tokenizer: bool = False) -> None:
    """Trains target and draft, measures them and writes them with their card; resumes what was begun.

    Args:
        out_directory: gets target/, draft/, card.json and checkpoints/.
        new_tokenizer: train one, too; prompts then have other token counts than with the shipped model.

    Raises:
        MissingError: torch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise MissingError(
            "training the course model needs PyTorch, which is not installed",
            "it is no dependency of the course: the trained model is shipped",
            "pip install torch, in an environment of its own with the course's requirements",
        ) from None
    from helpers.models.training.build import build
    from helpers.models.training.tokenizer import train_tokenizer

    if new_tokenizer:
        train_tokenizer(out_directory / "target", _TOKENIZER_SEED)
    build(out_directory)
