"""What the environment may say about mail."""

import pytest

from app.settings import Settings, SettingsError

MAIL = {"SICERDAS_SMTP_URL": "smtp://u:p@mail.example.org", "SICERDAS_MAIL_FROM": "a@example.org"}
ORIGINS = {"SICERDAS_PUBLIC_ORIGINS": "https://a.example,https://b.example"}
NAMES = """
DATABASE_URL REDIS_URL S3_ENDPOINT_URL S3_ACCESS_KEY_ID S3_SECRET_ACCESS_KEY OPENAI_BASE_URL
OPENAI_API_KEY OPENAI_MODEL
"""
OTHERS = {**dict.fromkeys(NAMES.split(), "https://x"), "SICERDAS_SECRET": "x" * 32}


def faults(**changes: str) -> list[str]:
    """What is wrong with these settings."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(OTHERS | MAIL | ORIGINS | changes)
    return refused.value.faults


def test_mail_settings_are_read() -> None:
    """Links lead to the first origin, and the password stays hidden."""
    settings = Settings.from_env(OTHERS | MAIL | ORIGINS)
    assert settings.main_origin == "https://a.example"
    assert "u:p@" not in repr(settings)


def test_faults_are_told_together() -> None:
    """A server without a sender, or without a place for links to lead to."""
    told = faults(SICERDAS_MAIL_FROM="", SICERDAS_PUBLIC_ORIGINS="")
    assert [fault.partition(" ")[0] for fault in told] == [
        "SICERDAS_MAIL_FROM",
        "SICERDAS_PUBLIC_ORIGINS",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SICERDAS_SMTP_URL", "mail.example.org"),
        ("SICERDAS_SMTP_URL", "smtp+plain://user:secret@relay"),
        ("SICERDAS_MAIL_FROM", "Library"),
    ],
)
def test_unusable_mail_settings_are_named_and_no_secret_is_shown(name: str, value: str) -> None:
    """The fault says which variable, never what stood in it."""
    told = faults(**{name: value})
    assert any(fault.startswith(name) for fault in told)
    assert "secret" not in str(told)


def test_open_outbox_is_for_this_machine_alone() -> None:
    """Mails with links that sign in are shown to everybody who finds the page."""
    outbox = {"SICERDAS_DEV_OUTBOX": "mail"}
    (told,) = faults(**outbox)
    assert told.startswith("SICERDAS_DEV_OUTBOX")
    here = {"SICERDAS_PUBLIC_ORIGINS": "http://127.0.0.1:8000,http://localhost:8000,http://[::1]"}
    assert Settings.from_env(OTHERS | here | outbox).dev_outbox is not None
