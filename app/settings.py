"""The only reader of the environment. All faults are reported at once."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import fields

from app.kit.identity_providers import OidcProvider, parse_oidc_providers
from app.kit.secret import Secret
from app.kit.smtp import smtp_address, split_sender


class SettingsError(Exception):
    """One line per fault, each saying what to set."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(["The settings are not usable:", *(f"  - {f}" for f in faults)]))
        self.faults = faults


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that may differ between installations; sizes in bytes, durations in seconds."""

    database_url: Secret
    database_owner_url: Secret
    redis_url: Secret
    s3_endpoint_url: str
    s3_access_key_id: Secret
    s3_secret_access_key: Secret
    s3_bucket: str = "sicerdas"
    openai_base_url: str
    openai_api_key: Secret
    openai_model: str
    secret: Secret
    """At least 32 characters; signs the realtime tokens and keys the viewer hashes."""

    demo_model: bool = False
    """True when the answering model is the small one that `make run` brings; pages label it."""
    public_origins: tuple[str, ...] = ()
    """Allowed values of Origin, exact: scheme://host[:port]."""
    cors_origins: tuple[str, ...] = ()
    """Other sites whose pages may call the API with a person's session; exact as well."""
    require_verified_email: bool = True
    smtp_url: Secret = Secret("")
    """`smtp://user:password@host:587` (insists on STARTTLS), `smtps://` or `smtp+plain://`."""
    mail_from: str = ""
    """`Library <library@example.org>`; needed with `smtp_url`."""
    dev_outbox: Path | None = None
    """Mails stay in this folder and are shown at `/dev/mail`; `dev` alone sets it."""
    verify_link_s: int = 24 * 3600
    reset_link_s: int = 3600
    sign_in_link_s: int = 15 * 60
    undo_link_s: int = 7 * 86_400
    """So long may the owner of a former address take the account back."""
    redis_prefix: str = "sicerdas:"
    database_pool_size: int = 10
    database_patience_s: float = 30.0
    """So long do `serve` and `worker` wait for a database that is still starting."""
    max_body_bytes: int = 1024 * 1024
    max_upload_bytes: int = 12 * 1024 * 1024
    session_idle_s: int = 14 * 86_400
    session_absolute_s: int = 90 * 86_400
    staff_session_idle_s: int = 30 * 60
    staff_session_absolute_s: int = 12 * 3600
    require_staff_second_factor: bool = True
    """Moderators and admins are plain users until they gave a second factor in their session."""
    fresh_proof_s: int = 15 * 60
    """How long a proof of identity counts for dangerous acts."""
    second_step_s: int = 5 * 60
    """How long a sign-in waits for its second factor, and a passkey for its signature."""
    passkey_rp_id: str = ""
    """The domain that passkeys belong to (WebAuthn, 5.1.2); by default the host of the page."""
    realtime_token_s: int = 60
    password_hash_time_cost: int = 3
    password_hash_memory_kib: int = 64 * 1024
    password_hash_parallelism: int = 4
    password_hash_concurrency: int = 4
    login_free_attempts: int = 5
    """Then each further wrong password of an account doubles the wait before the next."""
    login_delay_s: float = 1.0
    login_delay_max_s: float = 300.0
    login_forget_s: float = 24 * 3600.0
    logins_per_address_per_minute: int = 60
    """An address is an IPv4 address or an IPv6 /64; a class may share one."""
    wrong_logins_per_minute: int = 600
    """Of everybody together: a bound of the work that guessing can cause."""
    signups_per_address_per_hour: int = 60
    links_per_address_per_minute: int = 60
    mails_per_address_per_hour: int = 60
    mails_per_account_per_hour: int = 10
    """To one mailbox, whoever asks for them."""
    questions_per_user_per_minute: int = 20
    reports_per_user_per_hour: int = 60
    api_keys_per_user: int = 20
    requests_per_key_per_minute: int = 600
    impersonation_s: int = 3600
    """However it is used, an admin's session in somebody's name ends after so long."""
    requests_per_address_per_minute: int = 6000
    """A flood guard, counted by each process for itself."""
    emulated_frames_per_address_per_minute: int = 3000
    """What clients behind HTTP streams send upwards; counted likewise."""
    exports_per_user_per_day: int = 5
    export_kept_s: int = 7 * 86_400
    export_link_s: int = 10 * 60
    view_window_s: int = 30 * 60
    """A viewer counts once per book in this window."""
    answers_per_minute: int = 5
    answer_max_tokens: int = 600
    answer_lease_s: float = 10.0
    answer_concurrency: int = 4
    llm_first_token_s: float = 60.0
    llm_idle_s: float = 30.0
    llm_repeat_penalty: float | None = None
    passages_per_answer: int = 4
    oidc_providers: tuple[OidcProvider, ...] = ()
    """Who else may vouch for people: a JSON list; see `app.kit.identity_providers`."""
    github_client_id: str = ""
    """Empty: nobody signs in with GitHub."""
    github_client_secret: Secret = Secret("")
    github_base_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"
    federated_state_s: int = 600
    """How long one may stay at the provider."""
    job_concurrency: int = 4
    job_lease_s: float = 15.0
    """So long after the death of its worker a job is taken up by another."""
    job_timeout_s: float = 300.0
    job_attempts: int = 15
    job_delay_s: float = 2.0
    """After the first failure of a job; each further one doubles it, up to the next setting."""
    job_delay_max_s: float = 3600.0
    log_format: str = "console"
    frontend_dist: Path = Path("frontend-contract/reference-app/dist")
    contract_dir: Path = Path("frontend-contract")

    @property
    def main_origin(self) -> str:
        """Where links in mails lead: the first own origin, never what a request called us."""
        return self.public_origins[0] if self.public_origins else "http://localhost:8000"

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":
        """Read the variables named in VARIABLES. Raises SettingsError naming every fault."""
        env = os.environ if environ is None else environ
        faults: list[str] = []
        values: dict[str, Any] = {}
        for field, (name, parse, required) in VARIABLES.items():
            raw = env.get(name, "")
            if raw:
                try:
                    values[field] = parse(raw)
                except ValueError as fault:
                    faults.append(f"{name}: {fault}")
            elif required and field not in overrides:
                faults.append(f"{name} is not set")
        values.setdefault("database_owner_url", values.get("database_url"))
        values.update(overrides)
        faults.extend(_contradictions(values))
        if faults:
            raise SettingsError(faults)
        return cls(**values)


SECRET_LENGTH = 32
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with values that can each be read."""
    secret = values.get("secret")
    if secret is not None and len(secret.reveal()) < SECRET_LENGTH:
        yield f"SICERDAS_SECRET must have at least {SECRET_LENGTH} characters"
    if values.get("smtp_url") and not values.get("mail_from"):
        yield "SICERDAS_MAIL_FROM is not set, but SICERDAS_SMTP_URL is"
    if values.get("smtp_url") and not values.get("public_origins"):
        yield "SICERDAS_PUBLIC_ORIGINS is not set: links in mails lead to the first of them"
    elsewhere = {urlsplit(one).hostname for one in values.get("public_origins", ())} - THIS_MACHINE
    if values.get("dev_outbox") and elsewhere:
        yield (
            "SICERDAS_DEV_OUTBOX shows everybody's mail to everybody: only where all of "
            "SICERDAS_PUBLIC_ORIGINS are this machine; set SICERDAS_SMTP_URL for another"
        )


def environment() -> dict[str, str]:
    """A copy of the process environment, for the command line to extend and pass to children."""
    return dict(os.environ)


def _boolean(raw: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if raw.lower() not in words:
        raise ValueError("say true or false")
    return words[raw.lower()]


def _positive(raw: str) -> int:
    value = int(raw)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def _seconds(raw: str) -> float:
    value = float(raw)
    if value <= 0:
        raise ValueError("must be above 0")
    return value


def _address(raw: str) -> str:
    if not raw.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return raw.rstrip("/")


def _origins(raw: str) -> tuple[str, ...]:
    return tuple(_address(part.strip()) for part in raw.split(",") if part.strip())


def _smtp(raw: str) -> Secret:
    smtp_address(raw)
    return Secret(raw)


def _sender(raw: str) -> str:
    split_sender(raw)
    return raw


Parse = Callable[[str], Any]

FOREIGN = frozenset(
    {
        "database_url",
        "database_owner_url",
        "redis_url",
        "s3_endpoint_url",
        "s3_access_key_id",
        "s3_secret_access_key",
        "s3_bucket",
        "openai_base_url",
        "openai_api_key",
        "openai_model",
    }
)
"""Fields whose variables bear the names that everybody uses; all others begin with SICERDAS_."""

BY_FIELD: dict[str, Parse] = {
    "s3_endpoint_url": _address,
    "openai_base_url": _address,
    "public_origins": _origins,
    "cors_origins": _origins,
    "llm_repeat_penalty": _seconds,
    "oidc_providers": parse_oidc_providers,
    "github_base_url": _address,
    "github_api_url": _address,
    "smtp_url": _smtp,
    "mail_from": _sender,
    "dev_outbox": Path,
}
BY_TYPE: dict[Any, Parse] = {
    Secret: Secret,
    str: str,
    Path: Path,
    int: _positive,
    float: _seconds,
    bool: _boolean,
}


def _variables() -> dict[str, tuple[str, Parse, bool]]:
    """For each field its variable, how the text is read, and whether it must be there."""
    found = {}
    for field in fields(Settings):
        name = field.name.upper() if field.name in FOREIGN else f"SICERDAS_{field.name.upper()}"
        parse = BY_FIELD.get(field.name) or BY_TYPE[field.type]
        found[field.name] = (name, parse, field.required and field.name != "database_owner_url")
    return found


VARIABLES = _variables()
