"""What a model writes, as HTML that can do nothing: no scripts, no images from anywhere, links that are only links.

Two lines of defence: the Markdown parser takes no HTML in, and what it makes is sanitised by nh3 with a short list of
tags. The page's Content-Security-Policy (`guard`) is the third.
"""

import re
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

HIGHLIGHT_LIMIT = 20_000
"""Characters of a code block beyond which it is shown without colours: the page must not wait."""

TAGS = set(
    re.findall(
        r"\w+",
        "a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong sub sup "
        "table tbody td th thead tr ul",
    )
)
ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title"},
    "button": {"class", "type"},
    "code": {"class"},
    "div": {"class"},
    "ol": {"start"},
    "span": {"class"},
    "td": {"style"},
    "th": {"style"},
}
SCHEMES = {"http", "https", "mailto"}


def code_block(renderer: RendererHTML, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A code block: its language and a copy button above, colours by Pygments."""
    token = tokens[index]
    language = token.info.split()[0] if token.info.strip() else ""
    inner = escape(token.content)
    if language and len(token.content) <= HIGHLIGHT_LIMIT:
        try:
            inner = highlight(token.content, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
        except ClassNotFound:  # shown without colours
            language = language[:40]
    bar = f'<div class="code-bar"><span>{escape(language)}</span><button type="button" class="copy">Copy</button></div>'
    return f'<div class="code">{bar}<pre><code>{inner}</code></pre></div>'


def image(renderer: RendererHTML, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """An image is not loaded, as that would tell its server who reads; it becomes a link."""
    token = tokens[index]
    words = renderer.renderInlineAsText(token.children or [], options, env) or "image"
    return f'<a href="{escape(str(token.attrGet("src") or ""))}">[image: {escape(words)}]</a>'


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """CommonMark with tables and strike-through; no HTML."""
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    made.add_render_rule("fence", code_block)
    made.add_render_rule("code_block", code_block)
    made.add_render_rule("image", image)
    return made


def render(text: str) -> str:
    """Markdown as safe HTML."""
    return clean(parser().render(text))


def clean(html: str) -> str:
    """HTML with nothing in it but text and its form."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        filter_style_properties={"text-align"},
    )


def split_finished(text: str) -> int:
    """Where the last block of a text begins: what stands before it does not change when more is written."""
    blocks = [token for token in parser().parse(text) if token.level == 0 and token.map and token.nesting >= 0]
    if len(blocks) < 2:
        return 0
    assert blocks[-1].map is not None
    return sum(len(line) + 1 for line in text.split("\n")[: blocks[-1].map[0]])


class Growing:
    """A text that grows, rendered block by block: only the last block is rendered again."""

    def __init__(self) -> None:
        self._start = 0
        self.finished: list[str] = []

    def feed(self, text: str) -> str:
        """Take the whole text so far; append to `finished` what will not change, return the last block's HTML."""
        tail = text.replace("\r", "")[self._start :]
        cut = split_finished(tail)
        if cut:
            self.finished.append(render(tail[:cut]))
            self._start += cut
            tail = tail[cut:]
        return render(tail)


def styles() -> str:
    """CSS for the colours of code, light and dark."""
    light = HtmlFormatter(style="default").get_style_defs(".code")
    dark = HtmlFormatter(style="github-dark").get_style_defs("body.body--dark .code")
    return f"{light}\n{dark}\n"
