"""An EAGLE-3 head in NumPy: one layer that foresees tokens from what the target itself was thinking.

A draft model reads tokens and starts from nothing. The head gets the target's states before three of its layers, low,
middle and high, fused into one feature per token, and with it the token that came out; that is most of the work
already done. From its first proposal on it has no such states, and takes its own output in their place; it was trained
to live with that ("training-time test").

Source: Li et al., "EAGLE-3", 2025, https://arxiv.org/abs/2503.01840. Position p holds the pair (token p + 1, feature of
p), as in vLLM and llama.cpp; see `helpers.models.eagle` for the layout. After a prefix hit, the pair at the prefix's
last position may have been made with another next token: one proposal may be worse for it, no answer can be.
"""

from pathlib import Path

import numpy as np

from helpers.models.checkpoint import Floats, LlamaConfig, read_config, read_tensors
from helpers.models.eagle import read_head_config, read_head_tensors, require_fit
from helpers.nano.batch import Batch
from helpers.nano.kv_cache import KvCache
from helpers.nano.model import attend, make_rotation, rms_norm, swiglu
from helpers.nano.product import fuse_rows, multiply


class EagleHead:
    """A head as a proposer, see `helpers.nano.drafting.Proposer`.

    Args:
        directory: of the head.
        target: directory of the model that it was trained for; its embedding and output matrix are used.
        blocks, block_size: of the head's own cache, which has one layer.

    Raises:
        UsageError: it is no head, or one for another model.
        MissingError: a file or tensor is missing or damaged.
    """

    shift = 1

    def __init__(self, directory: Path, target: Path, blocks: int, block_size: int) -> None:
        config = read_head_config(directory)
        require_fit(config, target)
        self.feature_layers = config.feature_layers
        self.context_length = config.context_length
        self._shape = LlamaConfig(
            vocabulary_size=config.vocabulary_size,
            width=config.width,
            layers=1,
            heads=config.heads,
            kv_heads=config.kv_heads,
            head_size=config.head_size,
            intermediate_size=config.intermediate_size,
            context_length=config.context_length,
            rope_theta=config.rope_theta,
            norm_epsilon=config.norm_epsilon,
            tied_embeddings=True,
        )
        tensors = read_head_tensors(directory, config)
        layer = {name.removeprefix("midlayer.").removesuffix(".weight"): value for name, value in tensors.items()}
        self._fuse = fuse_rows(tensors["fc.weight"])
        self._token_norm, self._feature_norm = layer["input_layernorm"], layer["hidden_norm"]
        self._query_key_value = fuse_rows(*(layer[f"self_attn.{name}_proj"] for name in "qkv"))
        self._attention_output = fuse_rows(layer["self_attn.o_proj"])
        self._feed_forward_norm, self._final_norm = layer["post_attention_layernorm"], tensors["norm.weight"]
        self._gate_up = fuse_rows(layer["mlp.gate_proj"], layer["mlp.up_proj"])
        self._down = fuse_rows(layer["mlp.down_proj"])
        of_target = read_tensors(target)
        self._embedding = of_target["model.embed_tokens.weight"].read()
        output = self._embedding if read_config(target).tied_embeddings else of_target["lm_head.weight"].read()
        self._output = fuse_rows(output)
        self._cosine, self._sine = make_rotation(self._shape)
        self._cache = KvCache(self._shape, blocks, block_size)

    def fuse(self, features: Floats | None) -> Floats:
        """Three states of the target side by side, [tokens, 3 * width], as one feature, [tokens, width]."""
        assert features is not None  # the engine gives the states of feature_layers
        return multiply(features, self._fuse)

    def run(self, batch: Batch, features: Floats | None) -> tuple[Floats, Floats]:
        """Logits after the chosen pairs, and the outputs that take the features' place in the next step."""
        assert features is not None
        epsilon = self._shape.norm_epsilon
        vectors = rms_norm(self._embedding[batch.ids], self._token_norm, epsilon)
        both = np.concatenate([vectors, rms_norm(features, self._feature_norm, epsilon)], axis=1)
        cosine, sine = self._cosine[batch.positions][:, None], self._sine[batch.positions][:, None]
        mixed = attend(self._shape, multiply(both, self._query_key_value), batch, self._cache, 0, cosine, sine)
        # The others only had to leave their keys and values.
        rows = batch.logit_rows
        hidden = features[rows] + multiply(mixed[rows], self._attention_output)
        normed = rms_norm(hidden, self._feed_forward_norm, epsilon)
        output = hidden + multiply(swiglu(multiply(normed, self._gate_up)), self._down)
        return multiply(rms_norm(output, self._final_norm, epsilon), self._output), output
