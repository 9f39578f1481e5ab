"""A real Chromium, and a page that may do nothing it should not."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, sync_playwright

_NAMES = (
    "chromium-headless-shell",  # takes two fifths of the others' processor time for the same pages
    *("chromium", "chromium-browser", "google-chrome-stable", "google-chrome"),
)
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
_WAIT_MS = 15_000


def find_chromium() -> str | None:
    """The browser of this machine; tests download none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS.split())
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def strict_page(browser: Browser, url: str, **context_options: Any) -> Iterator[Page]:
    """A page of the gateway at `url`, in Chinese unless told otherwise.

    Fails at the end if a script failed, the content policy was violated, or a request went
    anywhere but to the gateway.
    """
    wrong: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # Answers like 503 are part of these tests; Chromium reports each as a console error.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            wrong.append(f"console: {message.text}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((url, "blob:")):
            wrong.append(f"request to {request.url}")

    options = {"viewport": {"width": 1280, "height": 900}, "locale": "zh-CN"} | context_options
    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(_WAIT_MS)
    try:
        page = context.new_page()
        page.on("console", on_console)
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("request", on_request)
        yield page
    finally:
        context.close()
    assert not wrong, "\n".join(wrong)


class Screenshots:
    """Pictures of the states that a test walked through, for people to look at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, page: Page, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=self._folder / f"{name}.png", animations="disabled")


class Held:
    """Holds the requests of a page whose address fits a pattern, until the test lets them go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._pattern = pattern
        self._held = 0
        page.route(pattern, self._hold)

    def _hold(self, _route: Route) -> None:
        self._held += 1

    def let_go(self) -> None:
        """Lets go what is held, once there is something, and holds nothing more."""
        give_up = time.monotonic() + _WAIT_MS / 1000
        while not self._held:
            assert time.monotonic() < give_up, f"the page asks for nothing like {self._pattern}"
            self._page.wait_for_timeout(10)  # Playwright learns of requests while it waits.
        self._page.unroute(self._pattern)  # What is held goes on without its route.
