import re

import pytest

from helpers.ui.markdown import Growing, render

INJECTIONS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![alt](http://elsewhere.example/spy.png)",
    "![alt](data:image/svg+xml;base64,PHN2Zz4=)",
    "[click](javascript:alert(1))",
    "[click](  JaVaScRiPt:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "<a href='javascript:alert(1)'>x</a>",
    "<svg/onload=alert(1)>",
    "<iframe src=//elsewhere.example></iframe>",
    '[x](http://a.example "onmouseover=alert(1)")',
    "```<img src=x onerror=alert(1)>\n</code></pre><script>alert(1)</script>\n```",
    '```" onclick="alert(1)\nx\n```',
    "<style>body{display:none}</style>",
    "[x]: javascript:alert(1)\n\n[x]",
    "|a|\n|-|\n|<script>alert(1)</script>|",
    "<form action=//elsewhere.example><input name=key></form>",
)
MADE = re.compile(r"<(/?)([a-z0-9]+)([^>]*)>")
"""Every tag of the HTML; text has its angle brackets escaped."""


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_a_model_writes_can_do_nothing(text: str) -> None:
    for _, tag, attributes in MADE.findall(render(text)):
        assert tag not in {"script", "img", "svg", "iframe", "style", "form", "input", "object", "link", "base"}
        assert not re.search(r'\son\w+="', attributes), attributes
        for url in re.findall(r'href="([^"]*)"', attributes):
            assert url.startswith(("http://", "https://", "mailto:")), url


def test_links_open_elsewhere_and_do_not_say_where_from() -> None:
    html = render("[x](https://a.example)")
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "href" not in render("[delete](/api/delete)")


def test_code_is_coloured_and_can_be_copied() -> None:
    html = render("```python\ndef f(): pass\n```")
    assert '<span class="k">def</span>' in html
    assert '<button type="button" class="copy">' in html
    assert "def f" in render("```klingon\ndef f(): pass\n```")


def test_tables_and_strike_through() -> None:
    html = render("|a|b|\n|-|:-:|\n|1|~~2~~|")
    assert '<td style="text-align:center"><s>2</s></td>' in html


TEXT = """# Title

First paragraph, **bold**.

- one
- two

  more of two

```python
x = 1

y = 2
```

| a | b |
|---|---|
| 1 | 2 |

Last words."""


def test_a_growing_text_ends_as_the_whole_text() -> None:
    growing = Growing()
    last = ""
    for end in range(1, len(TEXT) + 1):
        last = growing.feed(TEXT[:end])
    assert "".join(growing.finished) + last == render(TEXT)


def test_only_the_last_block_is_rendered_again() -> None:
    growing = Growing()
    growing.feed(TEXT)
    assert growing.finished
    assert "Title" not in growing.feed(TEXT + " More")
