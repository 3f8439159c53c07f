"""Pages opened in a browser, and what every one of them must keep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1280) -> Iterator[Page]:
    """The page of a file, which must neither complain on the console nor ask for anything but itself."""
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    yield page
    assert complaints == []
    assert requests == [path.as_uri()]
    page.context.close()
