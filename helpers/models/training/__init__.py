"""Training of the course model: glossary, corpus, tokenizer, network, evaluation.

Nothing of the course needs this package to run; torch is imported only when training starts.

    python -m helpers.models.training OUT     train everything again into OUT (hours on two cores)
"""

from pathlib import Path

from helpers.errors import MissingError


def rebuild(out_directory: Path) -> None:
    """Trains tokenizer, target and draft, measures them and writes them with their card; resumes what was begun.

    Args:
        out_directory: gets target/, draft/, card.json and checkpoints/.

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

    build(out_directory)
