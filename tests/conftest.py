"""Loads the fixtures of the whole suite."""

pytest_plugins = [
    "tests.support.servers",
    "tests.support.fake_llm",
    "tests.support.house",
    "tests.support.mailbox",
    "tests.support.world",
    "tests.support.federated",
    "tests.support.passkeys",
]
