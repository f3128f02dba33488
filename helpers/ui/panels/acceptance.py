"""Draft tokens in the text itself: those that the target kept, those that it threw away, and its own."""

from collections.abc import Mapping
from html import escape
from typing import Any

from helpers.errors import CourseError, UsageError
from helpers.ui.panels import markup
from helpers.ui.panels.panel import Panel
from helpers.ui.panels.passes import Pass, Spoken, speak

DRAFTS = {"ngram": "n-gram look-up", "draft": "draft model", "eagle3": "EAGLE-3 head"}
MOST_DRAFT_TOKENS = 8
PLAY_MS = 700
KEPT, REJECTED = "rgba(0, 153, 136, 0.45)", "rgba(220, 74, 43, 0.45)"
"""Green and red thin enough for the page's own ink, light or dark."""

NEW_LINE = "\n"
"""Where it was rejected it must not break the answer's lines."""


class AcceptanceView(Panel):
    """An answer of nano with every proposal in its place.

    Args:
        prompt: the user's words.
        model: an id of the catalogue, or a directory in Hugging Face layout.
        speculation: ngram, draft or eagle3.
        draft_tokens: how many tokens to propose, 1 to 8.
        max_tokens: of the answer.
        temperature: 0 takes the best token.
        seed: of the drawing.

    Attributes:
        spoken: the answer, pass by pass.

    Raises:
        UsageError: a value out of its range, or the model has no such draft.
    """

    def __init__(
        self,
        prompt: str = "Count from 1 to 20.",
        *,
        model: str = "course",
        speculation: str = "eagle3",
        draft_tokens: int = 4,
        max_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if speculation not in DRAFTS or not 1 <= draft_tokens <= MOST_DRAFT_TOKENS:
            raise UsageError(
                f"speculation={speculation!r} with draft_tokens={draft_tokens} cannot be shown",
                f"there are {', '.join(DRAFTS)}, and 1 to {MOST_DRAFT_TOKENS} tokens",
            )
        self.title = "Draft tokens, kept and rejected"
        self._options: dict[str, Any] = {
            "prompt": prompt,
            "model": model,
            "speculation": speculation,
            "draft_tokens": draft_tokens,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        self._upto: int | None = None
        self.spoken: Spoken = speak(**self._options)

    @property
    def source(self) -> str:
        """What was run."""
        options = self._options
        return (
            f"measured: nano, {options['model']}, {DRAFTS[options['speculation']]}, {options['draft_tokens']} proposed"
        )

    def text(self) -> str:
        """The answer; [kept] and {rejected} proposals are bracketed, the target's own tokens are bare."""
        passes = "".join(
            (f"[{''.join(one.kept)}]" if one.kept else "")
            + (f"{{{''.join(one.rejected)}}}" if one.rejected else "")
            + one.own
            for one in self._shown()
        )
        return (
            f"{self.title} ({self.source}).\n[kept] {{rejected}} the target's own; temperature "
            f"{self._options['temperature']:g}: {self.spoken.summary}.\n{passes}"
        )

    def html(self) -> str:
        """The answer in colours; kept proposals are underlined too, rejected ones struck out."""
        spans = "".join(map(_spans, self._shown()))
        legend = markup.swatch(KEPT, "_", "kept") + markup.swatch(REJECTED, "-", "rejected")
        legend += "<span><strong>bold</strong>: the target's own token</span>"
        body = (
            f'<p style="margin:0 0 4px 0"><em>{escape(self._options["prompt"])}</em></p>'
            f'<div style="white-space:pre-wrap;line-height:1.9;font-size:15px">{spans}</div>'
            f'<p style="margin:6px 0 0 0">{legend}</p>'
        )
        passed = "" if self._upto is None else f"Pass {self._upto} of {len(self.spoken.passes)}. "
        words = f"{passed}{self.spoken.summary}; temperature {self._options['temperature']:g}."
        return markup.framed(self.title, self.source, body, words)

    def build(self) -> Any:
        """Prompt, draft, length, temperature; a player over the passes."""
        import ipywidgets

        wide = ipywidgets.Layout(width="auto", flex="1 1 auto")
        wrapped = ipywidgets.Layout(flex_flow="row wrap")
        prompt = ipywidgets.Text(self._options["prompt"], description="Prompt", layout=wide, continuous_update=False)
        draft = ipywidgets.Dropdown(
            options=[(words, name) for name, words in DRAFTS.items()],
            value=self._options["speculation"],
            description="Draft",
        )
        count = ipywidgets.IntSlider(
            self._options["draft_tokens"],
            min=1,
            max=MOST_DRAFT_TOKENS,
            description="Proposed",
            continuous_update=False,
        )
        heat = ipywidgets.FloatSlider(
            self._options["temperature"],
            min=0,
            max=1.5,
            step=0.1,
            description="Temperature",
            continuous_update=False,
            style={"description_width": "initial"},
        )
        run = ipywidgets.Button(description="Ask", icon="play", button_style="primary")
        play = ipywidgets.Play(interval=PLAY_MS, min=1, max=len(self.spoken.passes), value=len(self.spoken.passes))
        place = ipywidgets.IntSlider(description="Pass", layout=wide, min=1, max=play.max, value=play.max)
        ipywidgets.jslink((play, "value"), (place, "value"))
        ipywidgets.jslink((play, "max"), (place, "max"))
        shown = ipywidgets.HTML(self.html())

        def ask(_: object) -> None:
            self._options |= {"prompt": prompt.value, "speculation": draft.value}
            self._options |= {"draft_tokens": count.value, "temperature": heat.value}
            run.disabled, run.description = True, "Running"
            try:
                self.spoken = speak(**self._options)
            except CourseError as error:
                shown.value = markup.failure(error)
            else:
                self._upto = None
                # Set before the value: a slider pulls a value that is too large down to its end.
                play.max = place.max = len(self.spoken.passes)
                place.value = play.value = len(self.spoken.passes)
                shown.value = self.html()
            finally:
                run.disabled, run.description = False, "Ask"

        def move(change: Mapping[str, Any]) -> None:
            self._upto = change["new"] if change["new"] < len(self.spoken.passes) else None
            shown.value = self.html()

        run.on_click(ask)
        place.observe(move, "value")
        rows = [
            ipywidgets.HBox([prompt, run]),
            ipywidgets.HBox([draft, count, heat], layout=wrapped),
            ipywidgets.HBox([play, place]),
            shown,
        ]
        return ipywidgets.VBox(rows).add_class("course-acceptance")

    def _shown(self) -> tuple[Pass, ...]:
        return self.spoken.passes[: self._upto]


def _spans(one: Pass) -> str:
    kept = "".join(
        f'<ins title="proposed, kept" style="{markup.painted(KEPT)};text-decoration:underline;border-radius:2px;'
        f'margin-right:1px">{escape(token)}</ins>'
        for token in one.kept
    )
    rejected = "".join(
        f'<del title="proposed, rejected" style="{markup.painted(REJECTED)};text-decoration:line-through;'
        f'border-radius:2px;margin-right:1px">{escape(token).replace(NEW_LINE, "⏎")}</del>'
        for token in one.rejected
    )
    return f"{kept}{rejected}<strong>{escape(one.own)}</strong>"
