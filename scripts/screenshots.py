"""Photographs every screen of the admin page, light and dark, for the README: docs/screenshots/*.png.

    .venv/bin/python scripts/screenshots.py            # all of them
    .venv/bin/python scripts/screenshots.py overview   # some of them

Runs `serve --demo`, sends it some requests, and looks at it with Debian's chromium. The requests' times are spread over
the last half hour in the page, as if the demo had been running that long.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screenshots"
DESKTOP = (1280, 800, 1.0)
PHONE = (390, 844, 1.5)
TALLEST = 1100
LONG = {"account": 1700, "settings": 1500, "keys": 900}
"""Screens that are shown further down, in pixels."""
COLOURS = 256
CLOSE = 20

Colour: TypeAlias = tuple[int, int, int]

PROMPTS = (
    ("claude-sonnet-4-5", "<<SAY The tests pass now; the clock was in local time.>>"),
    ("claude-opus-4-5", "<<CALL Read {}>>"),
    ("claude-haiku-4-5", "<<SAY A title for this conversation>>"),
    ("claude-sonnet-4-5", "<<CALL Edit {}>>"),
    ("claude-sonnet-4-5", "<<SAY Done.>>"),
)
SPREAD = """
const { get, patch } = await import("/admin/assets/lib/store.js");
const list = get().requests;
const age = (index) => 25_000 + 1_700_000 * (index / list.length) ** 1.4;
patch({ requests: list.map((entry, index) => ({ ...entry, time: new Date(Date.now() - age(index)).toISOString() })) });
"""


class Camera:
    """A browser that has signed in to the demo."""

    def __init__(self, driver: WebDriver, url: str) -> None:
        self.driver = driver
        self.url = url

    def cdp(self, command: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, css: str, text: str = "") -> Any:
        def found(driver: WebDriver) -> Any:
            matches = driver.find_elements(By.CSS_SELECTOR, css)
            return next((match for match in matches if match.is_displayed() and text in match.text), None)

        return WebDriverWait(self.driver, 20, ignored_exceptions=[StaleElementReferenceException]).until(found)

    def device(self, size: tuple[int, int, float], *, dark: bool) -> None:
        width, height, scale = size
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme, {"name": "prefers-reduced-motion", "value": "reduce"}])
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": size is PHONE}
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics)

    def sign_in(self, key: str) -> None:
        self.driver.get(f"{self.url}/admin")
        self.wait("input[name=key]").send_keys(key)
        self.wait("button[type=submit]").click()
        self.wait(".quota-list .meter", "")
        WebDriverWait(self.driver, 20).until(lambda d: len(d.find_elements(By.CSS_SELECTOR, ".quota-list .meter")) == 2)
        self.js(SPREAD)

    def go(self, route: str, heading: str) -> None:
        self.js("location.hash = arguments[0]", f"#{route}")
        self.wait("h1", heading)
        WebDriverWait(self.driver, 20).until(lambda d: not d.find_elements(By.CSS_SELECTOR, ".skeleton"))
        self.js("document.activeElement.blur()")

    def quiet(self) -> None:
        """Without the messages of what was just done."""
        self.js("document.querySelectorAll('.toast').forEach((toast) => toast.remove())")
        self.js("document.activeElement.blur(); scrollTo(0, 0)")

    def shoot(self, name: str, size: tuple[int, int, float]) -> None:
        """The whole screen, up to what a README can bear."""
        width, height, scale = size
        # Nothing is pointed at.
        self.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        tall = int(self.js("return document.documentElement.scrollHeight"))
        tallest = LONG.get(name.split("-")[0], TALLEST)
        metrics = {"width": width, "height": min(max(tall, height), tallest), "deviceScaleFactor": scale}
        self.cdp("Emulation.setDeviceMetricsOverride", **metrics, mobile=size is PHONE)
        picture = b64decode(self.cdp("Page.captureScreenshot", format="png")["data"])
        path = FOLDER / f"{name}.png"
        path.write_bytes(shrink(picture))
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} kB")


# --- the screens ------------------------------------------------------------------------------------------------------


def device_login(camera: Camera) -> None:
    camera.go("/add", "Add account")
    camera.go("/add/builder-id", "Sign in with Builder ID")
    camera.wait("form button[type=submit]").click()
    camera.wait(".user-code output")


def importing(camera: Camera) -> None:
    entries = [
        {"refreshToken": "aor" + "x" * 120, "email": "old@example.com"},
        {"kiroApiKey": "ksk_simulated_demo_key", "label": "Robot"},
        {"kiroApiKey": "ksk_simulated_demo_key", "label": "Robot, again"},
    ]
    camera.go("/import", "Import tokens")
    camera.wait("textarea").send_keys(json.dumps(entries))
    camera.js("document.querySelector('form button[type=submit]').click()")
    camera.wait("h2", "Import finished")
    camera.js("document.activeElement.blur()")


def one_account(camera: Camera) -> None:
    """With something in its history, and a test call that has worked."""
    camera.go("/accounts/1", "demo@example.com")
    camera.wait("[aria-label='Models of this account'] tbody tr")
    for before, after in (("Disable", "Enable"), ("Enable", "Disable")):
        camera.wait(".page-head .button", before).click()
        camera.wait(".page-head .button", after)
    if not camera.driver.find_elements(By.CSS_SELECTOR, ".notice.good"):
        camera.wait(".test-row .button").click()
        camera.wait(".notice", "")
    camera.quiet()


def client_keys(camera: Camera) -> None:
    """A few of them, one just made."""
    camera.go("/keys", "Client keys")
    for name in ("laptop", "ci", "phone"):
        if camera.driver.find_elements(By.XPATH, f"//tr[contains(., '{name}')]"):
            continue
        camera.wait(".page-head .button").click()
        camera.wait("dialog input[name=name]").send_keys(name)
        camera.wait("dialog button[type=submit]").click()
        camera.wait(".secret output", "sk-kiro-")
        camera.wait(".keys tr", name)
    camera.quiet()


SCREENS: dict[str, Callable[[Camera], None]] = {
    "overview": lambda camera: camera.go("/", "Overview"),
    "accounts": lambda camera: camera.go("/accounts", "Accounts"),
    "account": one_account,
    "keys": client_keys,
    "add": lambda camera: camera.go("/add", "Add account"),
    "device-login": device_login,
    "activity": lambda camera: camera.go("/activity", "Activity"),
    "connect": lambda camera: camera.go("/connect", "Connect"),
    "settings": lambda camera: camera.go("/settings", "Settings"),
    "import": importing,
}
ON_A_PHONE = ("overview", "accounts", "account", "keys", "settings", "device-login")


def main(wanted: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dark in (False, True):
        theme = "dark" if dark else "light"
        with demo() as (url, key, admin_key), chromium() as driver:
            talk(url, key)
            camera = Camera(driver, url)
            camera.device(DESKTOP, dark=dark)
            if not wanted or "sign-in" in wanted:
                driver.get(f"{url}/admin")
                camera.wait("input[name=key]")
                camera.shoot(f"sign-in-{theme}", DESKTOP)
            camera.sign_in(admin_key)
            for name, prepare in SCREENS.items():
                if wanted and name not in wanted:
                    continue
                for size in (DESKTOP, PHONE) if name in ON_A_PHONE else (DESKTOP,):
                    camera.device(size, dark=dark)
                    prepare(camera)
                    camera.shoot(f"{name}-{theme}{'-phone' if size is PHONE else ''}", size)


@contextmanager
def demo() -> Iterator[tuple[str, str, str]]:
    """Its address, key and admin key."""
    command = [sys.executable, "-m", "kiro_rs_py", "serve", "--demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        try:
            told = ""
            assert process.stdout is not None
            for line in process.stdout:
                told += line
                if line.startswith("Ctrl-C"):
                    break
            found = re.search(r"(http\S+).*AUTH_TOKEN=(\S+).*Admin key: +(\S+)", told, re.DOTALL)
            assert found, told
            yield found[1], found[2], found[3]
        finally:
            process.terminate()


@contextmanager
def chromium() -> Iterator[WebDriver]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        raise SystemExit("This needs Chromium: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = binary
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"):
            options.add_argument(flag)
        for flag in ("--disable-background-networking", "--disable-component-update", "--disable-sync"):
            options.add_argument(flag)
        options.add_argument("--hide-scrollbars")
        options.add_argument(f"--user-data-dir={profile}")
        chrome = WebDriver(options=options, service=Service(driver))
        try:
            yield chrome
        finally:
            chrome.quit()


def talk(url: str, key: str) -> None:
    """Some requests, so that there is something to see; a few of them fail."""
    for number in range(70):
        model, prompt = PROMPTS[number % len(PROMPTS)]
        if number % 17 == 5:
            prompt = "<<FAULT too-long>>"
        content = f"{prompt} {'Some context. ' * (number * 37 % 90)}"
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("Read", "Edit")]
        body = {"model": model, "max_tokens": 500, "tools": tools, "messages": [{"role": "user", "content": content}]}
        route = "/cc/v1/messages" if number % 4 == 1 else "/v1/messages"
        request = urllib.request.Request(url + route, json.dumps(body).encode(), {"x-api-key": key})
        try:
            urllib.request.urlopen(request, timeout=60).read()
        except urllib.error.HTTPError as error:
            error.close()


# --- small pictures ---------------------------------------------------------------------------------------------------


def shrink(png: bytes) -> bytes:
    """The picture with 256 colours: a third of the size, and nothing that the eye would miss in flat graphics."""
    width, height, pixels = decode(png)
    counts = Counter(pixels)
    palette: list[Colour] = []
    for colour, _ in counts.most_common():
        # A shade that is hardly different must not take the place of a colour that is.
        if len(palette) < COLOURS and all(distance(colour, other) > CLOSE for other in palette):
            palette.append(colour)
    index = {colour: number for number, colour in enumerate(palette)}
    for colour in counts:
        if colour not in index:
            index[colour] = index[min(palette, key=partial(distance, colour))]
    numbers = bytes(index[colour] for colour in pixels)
    rows = b"".join(b"\0" + numbers[start : start + width] for start in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", b"".join(map(bytes, palette))),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def decode(png: bytes) -> tuple[int, int, list[Colour]]:
    """Width, height and pixels of an 8-bit RGB or RGBA picture, as Chromium makes them."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    assert kind in (2, 6)
    size = 3 if kind == 2 else 4
    at, packed = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    pixels: list[Colour] = []
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        above = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, size)
        pixels += zip(above[0::size], above[1::size], above[2::size], strict=True)
    return width, height, pixels


def _unfilter(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    """Undo one line's filter (PNG specification, section 9)."""
    for at in range(len(line)) if kind else ():
        left = line[at - size] if at >= size else 0
        corner = above[at - size] if at >= size else 0
        guess = (0, left, above[at], (left + above[at]) // 2, 0)[kind]
        if kind == 4:
            estimate = left + above[at] - corner
            guess = min((left, above[at], corner), key=lambda value: abs(estimate - value))
        line[at] = (line[at] + guess) & 255
    return line


if __name__ == "__main__":
    main(sys.argv[1:])
