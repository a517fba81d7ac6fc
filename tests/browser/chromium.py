"""A real Chromium before a real HTTPS server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

import pytest
import uvicorn
from selenium import webdriver
from selenium.common.exceptions import JavascriptException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from edge.web.tls import own_certificate
from tests.loopback import free_port
from tests.places import REPOSITORY
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --ignore-certificate-errors --disable-dev-shm-usage"
    " --disable-features=SpareRendererForSitePerProcess,Translate,OptimizationHints,MediaRouter"
    " --disable-field-trial-config --kiosk"
)
"""The last two lines leave out what no test looks at: a tenth of what a page costs. It is drawn as ever."""
AS_NEW: tuple[tuple[str, dict[str, object]], ...] = (
    ("Network.clearBrowserCookies", {}),
    ("Emulation.clearDeviceMetricsOverride", {}),
    ("Emulation.setEmulatedMedia", {"features": []}),
    ("Emulation.setScriptExecutionDisabled", {"value": False}),
)
PHONE, DESKTOP = (390, 844), (1280, 900)


def need(reason: str) -> NoReturn:
    """Skip for this reason; fail in CI, where it must be there."""
    if os.environ.get("FACEGATE_CI") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def chromium(profile: Path):
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        need("Chromium is not installed; run: scripts/test")
    options = Options()
    options.binary_location = binary
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_page_load_timeout(2 * PATIENCE)
    browser.set_script_timeout(2 * PATIENCE)
    try:
        yield browser
    finally:
        browser.quit()


def as_new(browser):
    """Have a window forget what was before: its page, cookies, size, wishes, and what was logged."""
    browser.get("about:blank")
    for command, values in AS_NEW:
        browser.execute_cdp_cmd(command, values)
    browser.get_log("browser")


def resize(browser, size):
    """Show pages at exactly this size.

    Chromium's own window is never narrower than 500 pixels and is resized some time after it was
    asked for: a page measured at once is measured at either width.
    """
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert browser.execute_script("return [innerWidth, innerHeight]") == [width, height]


@contextmanager
def served(app, folder: Path):
    certificate, key, _ = own_certificate(folder, {"localhost", "127.0.0.1"})
    port = free_port()
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        log_level="error",
        timeout_graceful_shutdown=2,
        lifespan="off",
        ws="none",
        http="h11",
    )
    server = uvicorn.Server(config)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(server, stop)), daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive(), "the server did not start"
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        stop.set()
        thread.join(PATIENCE)


async def _serve(server, stop):
    """Serve until told to stop; browsers keep connections open, so these are cut, not waited for."""
    serving = asyncio.create_task(server.serve())
    while not stop.is_set():
        await asyncio.sleep(0.02)
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    server.should_exit = True
    await serving
    await asyncio.sleep(0.05)


def axe_source() -> str:
    """Return axe-core from npm, installed once beside pytest's cache."""
    folder = REPOSITORY / ".pytest_cache" / "npm"
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm = [sys.executable, "-m", "edge.faces.npm"]
        command = [*npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), "axe-core@4"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode != 0:
            need(f"axe-core could not be installed: {done.stderr[-300:]}")
    return source.read_text(encoding="utf-8")


def accessibility_faults(browser, source: str) -> list[str]:
    """Return what axe finds wrong with the page shown now, or with the next one where this one just goes."""
    found: list[list[str]] = []

    def is_looked_at():
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": f"{source};0", "returnByValue": True})
        # A page that leads on by itself, such as an enrolment that ends, takes axe with it.
        with suppress(JavascriptException):
            found.append(_found(browser, ""))
        return bool(found)

    wait_until(is_looked_at, "axe on a page that stays")
    return found[0]


SEEN_BY_THE_EYE = "runOnly: ['color-contrast', 'link-in-text-block', 'scrollable-region-focusable']"
"""Of axe's rules those that a window's size or its colours decide; names, roles and order are the page's."""


def faults_to_the_eye(browser) -> list[str]:
    """Return what axe finds wrong now by `SEEN_BY_THE_EYE`; on a page that it has looked at before."""
    return _found(browser, SEEN_BY_THE_EYE)


def _found(browser, options: str) -> list[str]:
    """Have axe look. Nothing is fetched beforehand: of its rules only one about `audio` would need it."""
    found = browser.execute_async_script(
        "const done = arguments[0];"
        f"axe.run(document, {{resultTypes: ['violations'], preload: false, {options}}}).then("
        "  r => done(JSON.stringify(r.violations.map("
        "    v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))),"
        "  e => done(JSON.stringify(['axe failed: ' + e])));"
    )
    faults: list[str] = json.loads(found)
    return faults
