"""Debian's Chromium, driven by Playwright for Python; nothing it does leaves the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def chromium_path() -> str | None:
    """Where the browser is: `KEEPSIGHT_CHROMIUM` if set, else as the system has it; None if it has none."""
    return os.environ.get("KEEPSIGHT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window. Raises FileNotFoundError if there is none."""
    path = chromium_path()
    if path is None:
        raise FileNotFoundError("the page is tested in Chromium: install the package chromium, or set KEEPSIGHT_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
