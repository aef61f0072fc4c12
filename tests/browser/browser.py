"""Chromium as a person uses Airflow with it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

SHOTS = os.environ.get("STOKER_SHOTS")
"""A folder for pictures of all that the tests look at; without it none are taken."""

_PATIENCE = 40  # seconds
_SETTLED = 4  # seconds until charts stand and requests are answered
_BAD = {"SEVERE", "WARNING"}
# Of how Airflow frames pages, and of what its own pages miss.
_AIRFLOWS = re.compile(r"can escape its sandboxing|/static/|/ui/|/api/v2/")


class Browser:
    """One window.

    :param url: where Airflow is.
    :param profile: a folder for Chromium.
    """

    def __init__(self, url: str, profile: Path) -> None:
        options = ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        # A page that glides is not where a click goes.
        quiet = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "force-prefers-reduced-motion")
        for argument in (*quiet, f"user-data-dir={profile}"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.url = url
        self.user = ""
        self.driver = Chrome(options, ChromeService("/usr/bin/chromedriver"))
        self.size(1280, 900)

    def close(self) -> None:
        """End Chromium."""
        self.driver.quit()

    def size(self, width: int, height: int) -> None:
        """Give the page this many pixels; a window cannot be made as narrow as a telephone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def log_in(self, user: str) -> None:
        """Log in by the form, as another person than before."""
        self.open("/auth/login")
        self.driver.delete_all_cookies()
        self.open("/auth/login")
        self.find("input[name=username]").send_keys(user)
        self.find("input[name=password]").send_keys(user, Keys.ENTER)
        self.until(lambda: self.driver.get_cookie("_token") is not None, "being logged in")
        self.user = user

    def open(self, path: str) -> None:
        """Go to a place by its address."""
        self.driver.get(self.url + path)

    def keep(self, key: str, value: str | None) -> None:
        """Set what Airflow keeps in the browser, as its menus do, and show the page anew.

        :param key: ``theme``, or ``timezone`` as JSON.
        """
        call = "setItem" if value is not None else "removeItem"
        self.driver.execute_script(f"localStorage.{call}(arguments[0], arguments[1])", key, value)
        self.driver.refresh()

    @contextmanager
    def without(self, address: str) -> Iterator[None]:
        """Let no request reach an address, as when a server does not answer.

        :param address: with ``*`` for anything.
        """
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": [address]})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})

    def find(self, css: str, text: str = "") -> WebElement:
        """The first visible element, once it is there.

        :param css: a selector.
        :param text: what must stand in it.
        :raises AssertionError: when it does not come.
        """
        found: list[WebElement] = []

        def look() -> bool:
            found[:] = [one for one in self.all(css) if text in one.text and one.is_displayed()]
            return bool(found)

        self.until(look, f"{css} with {text!r}")
        return found[0]

    def all(self, css: str) -> list[WebElement]:
        """All elements that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def until(self, condition: Any, what: str) -> None:
        """Wait for a condition.

        :raises AssertionError: when it does not come true.
        """

        def holds(_: Any) -> bool:
            try:
                return bool(condition())
            except StaleElementReferenceException:
                return False

        try:
            WebDriverWait(self.driver, _PATIENCE, 0.2).until(holds)
        except WebDriverException as error:
            raise AssertionError(f"{what} must be on the page; there is: {self.text()[:3000]}") from error

    def text(self) -> str:
        """What stands on the page, or in the frame."""
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    @contextmanager
    def frame(self, css: str = "iframe") -> Iterator[None]:
        """Look into a frame, once it is there."""
        self.driver.switch_to.frame(self.find(css))
        try:
            yield
        finally:
            self.driver.switch_to.parent_frame()

    def path(self) -> str:
        """Where the address bar is."""
        return self.driver.current_url.removeprefix(self.url)

    def shoot(self, name: str) -> None:
        """Take a picture in light and dark, when they are wanted. Afterwards the page is shown anew, in light."""
        if not SHOTS:
            return
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        for theme in ("light", "dark"):
            self.keep("theme", theme)
            time.sleep(_SETTLED)
            self.driver.save_screenshot(str(Path(SHOTS, f"{name}-{theme}.png")))
        self.keep("theme", "light")

    def complaints(self) -> list[str]:
        """What pages have written to the console since the last look, of warnings and errors."""
        lines = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(line) for line in lines if line["level"] in _BAD and not _AIRFLOWS.search(line["message"])]
