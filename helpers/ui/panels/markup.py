"""HTML of the panels: it takes its ink from the page, so that light and dark need no difference, and every colour has
a word or a sign beside it."""

from collections.abc import Mapping, Sequence
from html import escape

from helpers.bench.units import digits
from helpers.errors import CourseError

LINE = "rgba(128, 132, 140, 0.45)"
FAINT = "rgba(128, 132, 140, 0.16)"
DARK_INK, LIGHT_INK = "#000000", "#ffffff"


def ink_on(ground: str) -> str:
    """Black or white, whichever reads better on #rrggbb (contrast ratio of WCAG 2.2)."""
    parts = [int(ground[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return DARK_INK if (luminance + 0.05) ** 2 > 0.05 * 1.05 else LIGHT_INK


def framed(title: str, source: str, body: str, words: str = "") -> str:
    """A panel's content: its title, where its figures come from, the body, and what it says in words.

    Args:
        title, source, words: plain text.
        body: HTML.
    """
    label = (
        f'<span style="border:1px solid {LINE};border-radius:9px;padding:0 8px;font-size:12px">{escape(source)}</span>'
    )
    said = f'<p style="margin:6px 0 0 0">{escape(words)}</p>' if words else ""
    return (
        f'<div role="group" aria-label="{escape(title)}" style="line-height:1.45">'
        f'<p style="margin:0 0 6px 0"><strong>{escape(title)}</strong> {label}</p>{body}{said}</div>'
    )


def figures(values: Mapping[str, str]) -> str:
    """Figures beside each other, each with its name; units belong into the values."""
    parts = (
        f'<td style="text-align:left;padding:0 22px 0 0;border:0;background:transparent">'
        f'<span style="font-size:12px">{escape(name)}</span><br>'
        f'<strong style="font-size:17px">{escape(value)}</strong></td>'
        for name, value in values.items()
    )
    return f'<table style="border:0;margin:2px 0 4px 0"><tbody><tr>{"".join(parts)}</tr></tbody></table>'


def bars(name: str, values: Sequence[float], unit: str, ground: str) -> str:
    """A small bar chart from zero, newest on the right; it says its largest value and what it is.

    Args:
        name, unit: plain text.
        values: at least one, none negative.
        ground: #rrggbb of the bars.
    """
    top = max(values) or 1.0
    each = "".join(
        f'<div style="flex:1 1 0;max-width:14px;min-width:1px;margin-right:1px;height:{100 * value / top:.0f}%;'
        f'background-color:{ground}"></div>'
        for value in values
    )
    words = f"{name}: at most {digits(max(values))}, last {digits(values[-1])} {unit}"
    return (
        f'<p style="margin:6px 0 0 0;font-size:12px">{escape(words)}</p>'
        f'<div role="img" aria-label="{escape(words)}" style="display:flex;align-items:flex-end;height:56px;'
        f'border-bottom:1px solid {LINE};max-width:900px">{each}</div>'
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A plain table; all cells are plain text."""
    style = f"text-align:left;padding:2px 12px 2px 0;border-bottom:1px solid {LINE}"
    head = "".join(f'<th scope="col" style="{style}">{escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f'<td style="{style}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<table style="border-collapse:collapse"><caption style="text-align:left">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def swatch(ground: str, sign: str, words: str) -> str:
    """An entry of a legend: colour, sign, meaning."""
    return (
        f'<span style="margin-right:14px;white-space:nowrap"><span style="{painted(ground)};padding:0 5px;'
        f'border-radius:2px">{escape(sign)}</span> {escape(words)}</span>'
    )


def painted(ground: str) -> str:
    """The style of something on that ground; what is no #rrggbb keeps the page's ink."""
    return f"background-color:{ground}" + (f";color:{ink_on(ground)}" if ground.startswith("#") else "")


def preformatted(text: str, height: str = "") -> str:
    """Text as it is, such as a log or an answer."""
    limits = f"max-height:{height};overflow:auto;" if height else ""
    return (
        f'<div tabindex="0" style="white-space:pre-wrap;overflow-wrap:anywhere;{limits}border:1px solid {LINE};'
        f'border-radius:3px;padding:6px 8px;line-height:1.5">{escape(text) or "&nbsp;"}</div>'
    )


def failure(error: CourseError) -> str:
    """An error's three lines."""
    style = "border-left:4px solid #DC4A2B;padding:2px 10px;white-space:pre-wrap"
    return f'<div role="alert" style="{style}">{escape(str(error))}</div>'
