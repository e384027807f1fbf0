"""What an address says of where it is."""

import pytest

from app.kit.place import place_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "this-computer"),
        ("::1", "this-computer"),
        ("::ffff:127.0.0.1", "this-computer"),
        ("192.168.1.7", "local-network"),
        ("10.1.2.3", "local-network"),
        ("fd00::1", "local-network"),
        ("fe80::1%eth0", "local-network"),
        ("8.8.8.8", "internet"),
        ("2a00:1450::1", "internet"),
        ("", "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_place_of_an_address(address: str, place: str) -> None:
    """Nothing but the address is asked."""
    assert place_of(address) == place
