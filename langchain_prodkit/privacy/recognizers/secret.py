"""Secrets: keys by the prefix their issuer gives them, tokens, private keys, passwords in assignments.

Prefixes and lengths are those the issuers document for secret scanning (GitHub's list of supported secrets,
the vendors' own pages). What has no form of its own - a bare forty digit hash, a UUID, a picture in base64 -
is never taken for a secret unless it is assigned to a name that says so.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, ClassVar, Final

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SecretRecognizer"]

# One run of the characters that keys are made of; ordinary words are shorter.
_RUN = re.compile(r"(?<![A-Za-z0-9_+/\-])[A-Za-z0-9_][A-Za-z0-9_\-.:]{15,}(?<![.:\-])")
_FORM: Final = (
    r"sk-(?:[a-z0-9]{2,12}-){0,3}[\w\-]{20,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",  # Amazon Web Services
    r"gh[pousr]_\w{36,255}|github_pat_\w{36,255}",  # GitHub
    r"gl(?:pat|dt|rt|rtr|ptt|cbt|ft|imt|agent|soat|ffct)-[\w\-.]{20,}",  # GitLab
    r"xox[abeoprs]-[\w\-]{10,}|xapp-\d-[\w\-]{10,}|xoxe\.xox[bp]-[\w\-]{10,}",  # Slack
    r"(?:sk|rk|pk)_(?:live|test)_\w{16,}|whsec_\w{24,}",  # Stripe
    r"AIza[\w\-]{35}|GOCSPX-[\w\-]{20,}|ya29\.[\w\-.]{20,}|1//0[\w\-]{20,}",  # Google
    r"hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}",  # Hugging Face
    r"npm_[A-Za-z0-9]{36,}|pypi-AgE[\w\-]{40,}|rubygems_[0-9a-f]{48}|dckr_pat_[\w\-]{20,}",
    r"SG\.[\w\-]{16,32}\.[\w\-]{32,64}|key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}",  # mail services
    r"(?:SK|AC)[0-9a-f]{32}",  # Twilio
    r"do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}|sq0[a-z]{3}-[\w\-]{22,}|EAAA[\w\-]{56,}",
    r"dapi[0-9a-f]{32}(?:-\d)?|lin_api_\w{32,}|secret_[A-Za-z0-9]{40,}|ntn_[A-Za-z0-9]{40,}",
    r"gsk_\w{40,}|xai-[\w\-]{40,}|pplx-\w{40,}|r8_\w{30,}|pcsk_\w{40,}|tvly-[\w\-]{20,}|fw_\w{20,}",
    r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}|ls__[0-9a-f]{32}|(?:pk|sk)-lf-[0-9a-f\-]{36}",
    r"hv[sb]\.[\w\-]{24,}|dp\.(?:pt|st|ct|sa)\.[\w\-]{40,}",
    r"sbp_[0-9a-f]{40}|pscale_(?:tkn|pw|oauth)_[\w\-.]{32,}",
    r"gl(?:sa|c)_[\w\-+/=]{32,}|NRAK-[A-Z0-9]{27}|sntry[su]_[\w\-+/=]{40,}",
    r"figd_[\w\-]{20,}|PMAK-[0-9a-f\-]{40,}",
    r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}|HRKU-[0-9A-Za-z_\-]{36,}",
    r"\w{14}\.atlasv1\.[\w\-]{60,}|AGE-SECRET-KEY-1[A-Z0-9]{58}",
    r"(?:bot)?\d{8,10}:AA[\w\-]{33}|[MNO][\w\-]{23,27}\.[\w\-]{6}\.[\w\-]{27,}",  # Telegram, Discord
)
_FORMS = re.compile(rf"(?:{'|'.join(_FORM)})(?![\w])")
_VAGUE = re.compile(r"sk-|secret_|fw_|key-|r8_|[MNO]")
_JWT = re.compile(r"eyJ[\w\-]{10,}\.[\w\-]{4,}(?:\.[\w\-]*){1,3}")
_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s]|\\[nr]|[A-Z][\w\-]{2,20}: )*")
_PEM_CHARS: Final = 20_000

_NAMED = re.compile(
    r"(?P<name>(?:[A-Za-z0-9]{1,24}[_\-.]){0,4}"
    r"(?P<kind>pass(?:word|wd|phrase|code)|pwd|secret(?:[_\-]?(?:access)?[_\-]?key)?|api[_\- ]?(?:key"
    r"|token|secret)|apikey"
    r"|(?:access|auth|refresh|bearer|session|id)[_\- ]?token|token|(?:private|encryption|signing|account"
    r"|access|shared[_\-]?access|master|openai|azure|anthropic|google|gcp|aws|stripe"
    r"|subscription|consumer|storage|deploy|server|service|auth|client)[_\- ]?key"
    r"|credentials?|authorization|client[_\- ]?secret|비밀\s?번호|비번|암호|패스워드|인증키|시크릿))"
    r"(?P<rest>[\"']?\]?[ \t]{0,3}(?::=|=>|=|:|\s(?:is|was)(?:\s(?:set to|now))?\s|은|는|이"
    r"|[ ])[ \t]{0,3}(?:bearer[ ]|basic[ ]|token[ ])?[\"'`]?)"
    r"(?P<value>[!-&(-,./0-9:<-_a-~\-]{4,512})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?:bearer|basic)[ ]{1,2}(?P<value>[A-Za-z0-9_\-.~+/]{16,2048}={0,2})", re.IGNORECASE)
_WORDS: Final = (
    "pass", "pwd", "secret", "token", "key", "credential", "authorization", "bearer", "basic",
    "비밀", "비번", "암호", "패스워드", "인증키", "시크릿",
)  # fmt: skip
_PASSWORDS = re.compile(r"pass|pwd|비밀|비번|암호|패스워드", re.IGNORECASE)
_SENTENCE = re.compile(r"\s(?:is|was)|은|는|이", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?:none|null|nil|true|false|undefined|required|optional|string|str|int|bytes|changeme|example"
    r"|password|secret|token|redacted|hidden"
    r"|[*•xX.\-_#]+|<[^>]*>?|\$\{?.*|\{\{?.*|%.*%|\(.*|\[.*|os\.\w.*|env\..*|process\.env.*|getenv.*"
    r"|self\..*|settings\..*|config\..*|your[_\-].*|my[_\-].*key|https?://.*)",
    re.IGNORECASE,
)
_CONNECTION = re.compile(
    r"(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,30}://[^\s/:@<>\"'`]{0,100}:(?P<password>[^\s@<>\"'`]{1,200})@[^\s<>\"'`,;)\]}가-힣]{1,300}"
)
_SIGNED = re.compile(
    r"(?<=[?&])(?:sig|X-Amz-Signature|X-Goog-Signature"
    r"|X-Amz-Security-Token)=(?P<value>[A-Za-z0-9%+/_\-]{16,1024}={0,2})"
)
_SLACK_HOOK = re.compile(
    r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_]{20,100}"
    r"|https://(?:\w{1,10}\.)?discord(?:app)?\.com/api/webhooks/\d{15,20}/[\w\-]{40,100}"
)
_KEY_BITS: Final = 3.0
"""Shannon entropy, in bits a character, below which an assigned value is a word and no key."""
_KEY_CHARS: Final = 12
_MIN_DIGITS: Final = 2
_QUOTES: Final = ("'", '"', "`")
_BESIDE_CHARS: Final = 8
"""A value right behind the word "password" must be this long, and mixed, to be one."""


class SecretRecognizer(ScanRecognizer):
    """Finds API keys, JSON web tokens, private keys, passwords and URLs with credentials.

    A password must be assigned (`password=...`, `"pwd": "..."`, `비밀번호는 ...`) or stated ("my password
    is ...") and hold more than letters; a key that is known by its name only must look random.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("API_KEY", "JWT", "PRIVATE_KEY", "PASSWORD", "CONNECTION_STRING")

    def hits(self, text: str) -> Iterator[Hit]:
        """Find every kind; a text without long runs of characters and tell-tale words costs a few scans."""
        if "-----BEGIN" in text:
            yield from _private_keys(text)
        if "://" in text:
            yield from _connections(text)
        for run in _RUN.finditer(text):
            yield from _keys(text, run.start(), run.end())
        lowered = text.lower()
        if any(word in lowered for word in _WORDS):
            yield from _assigned(text)


def _private_keys(text: str) -> Iterator[Hit]:
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        following = text.find("-----BEGIN", begin.end())
        limit = min(begin.end() + _PEM_CHARS, following if following >= 0 else len(text))
        end = _END.search(text, begin.end(), limit)
        body = _BODY.match(text, begin.end(), limit)
        at = end.end() if end is not None else body.end() if body is not None else begin.end()
        yield Hit(begin.start(), at, "PRIVATE_KEY", 1.0)


def _connections(text: str) -> Iterator[Hit]:
    for match in _CONNECTION.finditer(text):
        if not _PLACEHOLDER.fullmatch(match["password"]):
            yield Hit(match.start(), match.end(), "CONNECTION_STRING", 0.95)
    for match in _SLACK_HOOK.finditer(text):
        yield Hit(match.start(), match.end(), "API_KEY", 0.95)
    for match in _SIGNED.finditer(text):
        yield Hit(match.start("value"), match.end("value"), "API_KEY", 0.8)


def _keys(text: str, start: int, end: int) -> Iterator[Hit]:
    at = text.find("eyJ", start, end)
    if (
        at >= 0
        and (token := _JWT.match(text, at, end)) is not None
        and (at == start or text[at - 1] in ".:_")
    ):
        yield Hit(at, token.end(), "JWT", 1.0)
        return
    # A name and a colon may stand before the key: `key:sk-...`.
    for begin in {start, text.rfind(":", start, end) + 1 or start}:
        match = _FORMS.match(text, begin, end)
        if match is not None and (_VAGUE.match(match.group()) is None or _is_random(match.group())):
            yield Hit(begin, match.end(), "API_KEY", 0.95)
            return


def _assigned(text: str) -> Iterator[Hit]:
    for match in _NAMED.finditer(text):
        quote = match["rest"][-1:]
        if quote in _QUOTES:
            value = match["value"].partition(quote)[0]
        else:
            value = match["value"].rstrip(".,;:?)]}>\"'`")
        start = match.start("value")
        if len(value) < 4 or _PLACEHOLDER.fullmatch(value):  # noqa: PLR2004
            continue
        is_stated = _SENTENCE.search(match["rest"]) is not None
        if match["rest"].isspace() and not (len(value) >= _BESIDE_CHARS and _kinds(value) > 2):  # noqa: PLR2004
            continue
        if _PASSWORDS.search(match["kind"]):
            if _is_password(value, is_stated=is_stated, is_quoted=quote in _QUOTES):
                yield Hit(start, start + len(value), "PASSWORD", 0.8)
        elif len(value) >= _KEY_CHARS and _is_random(value):
            yield Hit(start, start + len(value), "API_KEY", 0.75)
    for match in _BEARER.finditer(text):
        if _is_random(match["value"]):
            yield Hit(match.start("value"), match.end("value"), "API_KEY", 0.8)


def _is_password(value: str, *, is_stated: bool, is_quoted: bool) -> bool:
    kinds = _kinds(value)
    if is_stated and not is_quoted:
        return kinds > 1 and not (value.isalpha() or value.replace("-", "").replace("'", "").isalpha())
    return kinds > 1 or (is_quoted and len(value) > 5) or value.isdigit()  # noqa: PLR2004


def _kinds(value: str) -> int:
    return sum(
        (
            any(map(str.islower, value)),
            any(map(str.isupper, value)),
            any(map(str.isdigit, value)),
            not value.isalnum(),
        )
    )


def _is_random(value: str) -> bool:
    """Say whether a value looks drawn by lot: digits among letters, and many different characters."""
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    if digits < _MIN_DIGITS or letters < _MIN_DIGITS:
        return False
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    longest = max(map(len, re.split(r"[-_./:]", value)))
    return bits >= _KEY_BITS and longest >= _KEY_CHARS
