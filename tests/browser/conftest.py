from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.browser.browser import Browser
from tests.browser.installation import Installation

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A real Airflow, shared by all tests: it takes a minute to start."""
    with Installation(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="session")
def runs(installation: Installation) -> dict[str, str]:
    """A run of each DAG: its id."""
    over = {dag_id: installation.run(dag_id) for dag_id in ("checks", "foreign", "quickstart")}
    return {**over, "approval": installation.run("approval", task="approve", until={"awaiting_input"})}


@pytest.fixture(scope="session")
def chromium(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(installation.airflow.url, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def enter(chromium: Browser) -> Iterator[Callable[[str], Browser]]:
    """Log in as somebody. At the end of the test, no page of ours may have complained in the console."""

    def log_in(user: str = "admin") -> Browser:
        if chromium.user != user:
            chromium.log_in(user)
        chromium.size(1280, 900)
        return chromium

    yield log_in
    assert chromium.complaints() == []


@pytest.fixture
def admin(enter: Callable[[str], Browser]) -> Browser:
    """The browser of an administrator."""
    return enter("admin")
