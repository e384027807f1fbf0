"""Devices are named as people call them."""

import pytest

from app.kit.user_agent import device_of

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143",
            "Firefox, Linux",
        ),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {BLINK} Safari/537.36", "Chrome, Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {BLINK} Safari/537.36 Edg/140.0", "Edge, Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {BLINK} OPR/1", "Opera, macOS"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Safari/605", "Safari, macOS"),
        (
            f"{IPHONE} {APPLE} Safari/604",
            "Safari, iPhone",
        ),
        (
            f"{IPHONE} {APPLE} CriOS/140 Safari/604",
            "Chrome, iPhone",
        ),
        (f"Mozilla/5.0 (Linux; Android 14) {BLINK} Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_device(agent: str, device: str) -> None:
    """Browser and system, a program's own name, or nothing; never markup."""
    assert device_of(agent) == device
