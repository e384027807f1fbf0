"""A device's name for people, from what its browser says of itself; decides nothing."""

import re

BROWSERS = (
    ("Edge", "Edg"),
    ("Opera", "OPR"),
    ("Samsung Internet", "SamsungBrowser"),
    ("Firefox", "Firefox/"),
    ("Firefox", "FxiOS"),
    ("Chrome", "CriOS"),
    ("Chrome", "HeadlessChrome"),
    ("Chrome", "Chrome/"),
    ("Safari", "Safari/"),
)
"""The first that fits: most of them also claim to be the ones below."""
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("ChromeOS", "CrOS"),  # codespell:ignore cros
    ("macOS", "Mac OS X"),
    ("Linux", "Linux"),
)
PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")


def device_of(user_agent: str) -> str:
    """`Firefox, Windows`; a program's own name (`curl`); or nothing."""
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    if browser or system:
        return ", ".join(filter(None, (browser, system)))
    program = PROGRAM.match(user_agent)
    return program[0] if program else ""


def _first(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for name, mark in names if mark in user_agent), "")
