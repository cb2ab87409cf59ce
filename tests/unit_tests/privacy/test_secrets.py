"""Secrets are found by their issuers' prefixes and by the names they are assigned to, and little else is."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import uuid

import pytest

pytest.importorskip("presidio_analyzer")

from langchain_prodkit.privacy import PresidioDetector
from langchain_prodkit.privacy.recognizers.secret import SecretRecognizer

RANDOM = random.Random(20261123)
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def made(length: int, letters: str = ALNUM) -> str:
    """Make something that looks drawn by lot."""
    return "".join(RANDOM.choices(letters, k=length))


def found(text: str) -> list[tuple[str, str]]:
    """Give what is secret in a text, and as what."""
    return [(text[hit.start : hit.end], hit.entity) for hit in SecretRecognizer().hits(text)]


KEYS = {
    "openai": f"sk-proj-{made(80)}",
    "openai old": f"sk-{made(48)}",
    "anthropic": f"sk-ant-api03-{made(93)}",
    "aws": f"AKIA{made(16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')}",
    "github": f"ghp_{made(36)}",
    "github fine": f"github_pat_{made(22)}_{made(59)}",
    "gitlab": f"glpat-{made(20)}",
    "slack": f"xoxb-{made(11, '123456789')}-{made(12, '123456789')}-{made(24)}",
    "stripe": f"sk_live_{made(24)}",
    "google": f"AIza{made(35)}",
    "hugging face": f"hf_{made(34)}",
    "npm": f"npm_{made(36)}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{made(60)}",
    "sendgrid": f"SG.{made(22)}.{made(43)}",
    "twilio": f"SK{made(32, HEX)}",
    "langsmith": f"lsv2_pt_{made(32, HEX)}_{made(10, HEX)}",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("form", ["{}", "use {}.", "export KEY={}", '{{"k": "{}"}}', "키는 {}입니다"])
def test_keys_are_known_by_their_prefix(key: str, form: str) -> None:
    """Wherever they stand, whole and nothing more."""
    assert (key, "API_KEY") in found(form.format(key))


def test_tokens_private_keys_and_connection_strings() -> None:
    """Each kind bears its own name."""
    token = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{made(43)}"
    assert found(f"Cookie: session={token};") == [(token, "JWT")]
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{made(64)}\n{made(64)}\n-----END RSA PRIVATE KEY-----"
    assert found(f"here:\n{pem}\nthanks") == [(pem, "PRIVATE_KEY")]
    cut = f"-----BEGIN PRIVATE KEY-----\n{made(64)}\n{made(30)}"
    assert found(cut) == [(cut, "PRIVATE_KEY")]
    url = "postgresql://admin:s3cr3t@db.internal:5432/app"
    assert found(f"DATABASE_URL={url} # prod") == [(url, "CONNECTION_STRING")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('password="hunter2!"', "hunter2!"),
        ("password: Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("DB_PASSWORD=pa55word", "pa55word"),
        ("my password is hunter2", "hunter2"),
        ("비밀번호는 abcd1234!입니다", "abcd1234!"),
        ("비번: qwer1234", "qwer1234"),
    ],
)
def test_passwords_are_known_by_what_they_are_called(text: str, value: str) -> None:
    """In code, in configuration and in a sentence, English or Korean."""
    assert (value, "PASSWORD") in found(text)


def test_keys_without_a_prefix_are_known_by_their_name() -> None:
    """What is assigned to a key's name must look random as well."""
    for name in ("aws_secret_access_key", "api_key", "AZURE_OPENAI_KEY", "client_secret", "token"):
        value = made(40, HEX)
        assert (value, "API_KEY") in found(f"{name} = {value}")


@pytest.mark.parametrize(
    "text",
    [
        f"commit {hashlib.sha1(b'a').hexdigest()} fixed it",  # noqa: S324 - a git hash
        f"sha256:{hashlib.sha256(b'a').hexdigest()}",
        f"id {uuid.UUID(int=7**45)}",
        "data:image/png;base64," + base64.b64encode(RANDOM.randbytes(900)).decode(),
        "my-very-long-file-name-version-2024-final.tar.gz",
        "langchain_core.language_models.chat_models.BaseChatModel",
        "The password is required",
        "Your password is incorrect",
        "password: required",
        "password=os.environ['PW']",
        "password=<your password>",
        "secret: ${SECRET}",
        "api_key=YOUR_API_KEY",
        "max_tokens=4096",
        "token = tokenizer.encode(text)",
        "primary key: user_id",
        "비밀번호는 8자 이상이어야 합니다",
        "비밀번호를 변경하세요",
        "sk-learn-is-a-very-nice-library-name",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    """Hashes, ids, pictures, file names, settings and advice about passwords."""
    assert found(text) == []


def test_secrets_are_looked_for_by_default() -> None:
    """A pasted key never reaches the model, and needs no model to be found."""
    key = KEYS["github"]
    [spans] = PresidioDetector(profile="patterns").detect([f"deploy with {key} please"])
    assert [(span.entity, span.start, span.end) for span in spans] == [("API_KEY", 12, 12 + len(key))]
