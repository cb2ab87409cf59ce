from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration_tests.serving.served import Served, serve


@pytest.fixture(scope="package")
def _app() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture
def served(_app: Served) -> Served:
    """Give the running app, with journal, log and records of this test alone."""
    _app.provider.reset()
    _app.log.seek(0)
    _app.log.truncate()
    _app.record.dataset(clear=True)
    return _app
