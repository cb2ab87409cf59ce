from __future__ import annotations

import pytest

from langchain_prodkit.privacy import PresidioDetector, PresidioRunnable
from tests.unit_tests.privacy.parts import NameDetector


@pytest.fixture(scope="session")
def presidio() -> PresidioDetector:
    """Load the spaCy model once for all tests."""
    return PresidioDetector()


@pytest.fixture
def privacy() -> PresidioRunnable:
    """Hide the listed names; its own vault for each test."""
    return PresidioRunnable(NameDetector())
