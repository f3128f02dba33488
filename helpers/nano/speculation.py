"""From the option `speculation` to what proposes tokens: `drafting` and `eagle`, checked and put together."""

from collections.abc import Callable
from pathlib import Path

from helpers.errors import UsageError
from helpers.models.catalogue import resolve
from helpers.models.checkpoint import read_config, read_json
from helpers.models.eagle import read_head_config, require_fit
from helpers.nano.block_manager import BlockManager
from helpers.nano.drafting import (
    DRAFT_TOKENS,
    ChainDrafter,
    Drafter,
    DraftModel,
    NgramDrafter,
    Proposer,
    require_draft_tokens,
    scratch_blocks,
)
from helpers.nano.eagle import EagleHead
from helpers.nano.model import load_model

SPECULATIONS = ("none", "ngram", "draft", "eagle3")


def find_drafter(
    speculation: str,
    model: str | Path,
    *,
    draft_model: str | Path = "",
    draft_tokens: int = DRAFT_TOKENS,
    max_num_seqs: int = 16,
    sampled: bool = False,
) -> Callable[[BlockManager], Drafter] | None:
    """What `load_engine` takes as `make_drafter`; None for no speculation.

    Args:
        speculation: none, ngram, draft or eagle3.
        model: the target.
        draft_model: a draft model or a head.
        draft_tokens: proposals a step.
        max_num_seqs: requests that run at once.
        sampled: see `ChainDrafter`.

    Raises:
        UsageError: an unknown kind; a draft that is missing, has another vocabulary or was made for another model.
        MissingError: the draft's files are missing or damaged.
    """
    if speculation not in SPECULATIONS:
        raise UsageError(f"speculation cannot be {speculation!r}", f"it is one of {', '.join(SPECULATIONS)}")
    if speculation == "none":
        return None
    require_draft_tokens(draft_tokens)
    if speculation == "ngram":
        return lambda blocks: NgramDrafter(draft_tokens)
    if not str(draft_model):
        raise UsageError(f"speculation {speculation} needs a draft_model", "the draft proposes what the model verifies")
    target, draft = resolve(str(model)).directory, resolve(str(draft_model)).directory
    if speculation == "draft":
        require_same_vocabulary(target, draft)
    else:
        require_fit(read_head_config(draft), target)

    def make(blocks: BlockManager) -> Drafter:
        extended = blocks.blocks + scratch_blocks(max_num_seqs, draft_tokens, blocks.block_size)
        proposer: Proposer
        if speculation == "eagle3":
            proposer = EagleHead(draft, target, extended, blocks.block_size)
        else:
            proposer = DraftModel(load_model(draft), extended, blocks.block_size)
        return ChainDrafter(
            proposer,
            blocks=blocks.blocks,
            block_size=blocks.block_size,
            draft_tokens=draft_tokens,
            sampled=sampled,
        )

    return make


def require_same_vocabulary(target: Path, draft: Path) -> None:
    """Refuse a draft model whose tokens are others than the target's (UsageError)."""
    sizes = read_config(target).vocabulary_size, read_config(draft).vocabulary_size
    same_size = sizes[0] == sizes[1]
    if same_size and read_json(target, "tokenizer.json")["model"] == read_json(draft, "tokenizer.json")["model"]:
        return
    found = "the same number of tokens, but other ones" if same_size else f"{sizes[1]} tokens, the model {sizes[0]}"
    raise UsageError(
        f"{draft.name} cannot draft for {target.name}: it has {found}",
        "proposals are token ids, and mean something only in the same vocabulary",
        "take a draft with the model's own tokenizer",
    )
