"""The card of the course model: what it is, how large, how good (measured), how it was trained, what it cannot do.

Shapes and sizes are read from the shipped files; quality, training facts, limits and digests come from
`course/card.json`, written by the evaluation in `helpers.models.training` together with the weights it measured:

    {"origin": "measured", "date": "2026-01-31", "licence": "MIT",
     "quality": [{"name": "...", "value": 0.9, "bar": 0.85, "trials": 200}, ...],       "bar" may be null; a "unit"
                                                                                        for what is no share
     "training": {"target": {"tokens": 1, ...}, "draft": {...}, "corpus": {...}},        scalars
     "limits": ["no arithmetic", ...],
     "digests": {"target": "SHA-256 of target/model.safetensors", "draft": "...", "eagle3": "..."}}
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import MissingError
from helpers.models.cache import file_digest
from helpers.models.catalogue import FOLDER, entries
from helpers.models.checkpoint import LlamaConfig, read_config, read_json
from helpers.models.eagle import HeadConfig, read_head_config
from helpers.models.heavy import heavy_config

COURSE = FOLDER / "course"
PARTS = {"target": "course", "draft": "course-draft"}
"""Folder below course/ -> the catalogue's id."""
HEAD = "eagle3"
"""Folder of the EAGLE-3 head, which is no model by itself."""
BYTES_PER_WEIGHT = 2  # bfloat16


@dataclass(frozen=True, slots=True)
class Quality:
    """A value measured over `trials`, and the bar it has to reach if there is one; without a unit a share, 0 to 1."""

    name: str
    value: float
    bar: float | None
    trials: int
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bar is reached."""
        return self.bar is None or self.value >= self.bar


@dataclass(frozen=True, slots=True)
class Part:
    """One model of the family; the heavy variant is described without being made."""

    id: str
    summary: str
    config: LlamaConfig
    parameters: int
    weight_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """Everything `./course model` shows.

    Attributes:
        head: the shape of the EAGLE-3 head; None where there is none yet.
        changed: parts whose weights are not the ones the card was measured on.
    """

    origin: str
    date: str
    licence: str
    parts: tuple[Part, ...]
    head: HeadConfig | None
    quality: tuple[Quality, ...]
    training: dict[str, dict[str, Any]]
    limits: tuple[str, ...]
    digests: dict[str, str]
    changed: tuple[str, ...]


def read_card(folder: Path = COURSE) -> Card:
    """Read the card that lies beside the weights in `folder`.

    Raises:
        MissingError: card.json or a model's files are missing, or the card lacks a field.
    """
    if not (folder / "card.json").is_file():
        raise MissingError(
            f"{folder} has no card.json", "an incomplete clone or rebuild", "git checkout -- helpers/models/course"
        )
    raw = read_json(folder, "card.json")
    try:
        return Card(
            origin=raw["origin"],
            date=raw["date"],
            licence=raw["licence"],
            parts=tuple(_parts(folder)),
            head=read_head_config(folder / HEAD) if (folder / HEAD).is_dir() else None,
            quality=tuple(Quality(**entry) for entry in raw["quality"]),
            training=raw["training"],
            limits=tuple(raw["limits"]),
            digests=raw["digests"],
            changed=tuple(
                part
                for part in dict.fromkeys((*PARTS, *raw["digests"]))
                if weights_digest(folder / part) != raw["digests"].get(part)
            ),
        )
    except (KeyError, TypeError) as error:
        raise MissingError(
            f"{folder / 'card.json'} is not a card: {error}",
            "written by another version of the course",
            "git checkout -- helpers/models/course",
        ) from error


def weights_digest(directory: Path) -> str:
    """SHA-256 of a checkpoint's weights file: what "frozen" means for the shipped model."""
    return file_digest(directory / "model.safetensors")


def _parts(folder: Path) -> Iterator[Part]:
    catalogue = entries()
    for name, model in PARTS.items():
        config = read_config(folder / name)
        weight_bytes = (folder / name / "model.safetensors").stat().st_size
        yield Part(model, catalogue[model].summary, config, config.parameters, weight_bytes)
    heavy = catalogue["course-heavy"]
    config = heavy_config(read_config(folder / "target"), heavy.parameters)
    yield Part(heavy.id, heavy.summary, config, config.parameters, BYTES_PER_WEIGHT * config.parameters)


def render(card: Card) -> str:
    """The card as text for a terminal."""
    lines = ["The course model: a small Llama-architecture chat model on the subject of this course.", ""]
    for part in card.parts:
        shape = part.config
        lines += [
            f"{part.id}: {part.summary}",
            f"  {part.parameters / 1e6:.2f} M parameters, {part.weight_bytes / 1e6:.1f} MB in bf16, "
            f"vocabulary {shape.vocabulary_size:,}, context {shape.context_length:,} tokens",
            f"  {shape.layers} layers, width {shape.width}, {shape.heads} heads, {shape.kv_heads} KV heads of "
            f"{shape.head_size}, intermediate {shape.intermediate_size}, "
            f"KV cache {BYTES_PER_WEIGHT * shape.kv_elements_per_token:,} bytes per token in f16",
        ]
    if (head := card.head) is not None:
        lines += [
            f"course-eagle3: {entries()['course-eagle3'].summary}",
            f"  {head.parameters / 1e6:.2f} M parameters, {BYTES_PER_WEIGHT * head.parameters / 1e6:.1f} MB in bf16; "
            f"one layer, which reads the model's states before layers {', '.join(map(str, head.feature_layers))}",
        ]
    lines += ["", f"Quality ({card.origin} {card.date})"]
    for quality in card.quality:
        shown = f"{quality.value:6.2f}" if quality.unit else f"{quality.value:6.1%}"
        bar = ""
        if quality.bar is not None:
            wanted = f"{quality.bar:g}" if quality.unit else f"{quality.bar:.0%}"
            bar = f"  bar {wanted}{'' if quality.holds else ', NOT REACHED'}"
        lines.append(f"  {shown}  {quality.name} ({quality.trials} {quality.unit or 'trials'}){bar}")
    lines += ["", "Training"]
    for subject, facts in card.training.items():
        shown = ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items())
        lines.append(f"  {subject}: {shown}")
    lines += ["", "What it cannot do", *(f"  - {limit}" for limit in card.limits)]
    lines += ["", f"Licence {card.licence}. Weights (SHA-256):"]
    lines += [f"  {part:<7} {digest}" for part, digest in card.digests.items()]
    lines += [f"The weights of {part} are NOT the ones this card was measured on." for part in card.changed]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
