"""Settings come from the environment; a secret is never shown, and a guessable one is refused where it matters."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tonetouch_runtime import Settings
from tonetouch_runtime.settings import PLACEHOLDERS

REAL = {"s3_access_key": SecretStr("AKEY7"), "s3_secret_key": SecretStr("Zp8-hidden")}


def test_everything_has_a_default_that_works_on_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be set, and nothing listens beyond loopback."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TONETOUCH_{name.upper()}", raising=False)
    settings = Settings()
    assert settings.http_host == "127.0.0.1"
    assert "127.0.0.1" in settings.nats_url
    assert settings.database_url.get_secret_value() == ""


def test_a_variable_sets_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the prefix, in capitals; others are not looked at."""
    monkeypatch.setenv("TONETOUCH_HTTP_PORT", "9000")
    monkeypatch.setenv("HTTP_HOST", "0.0.0.0")
    assert Settings().http_port == 9000
    assert Settings().http_host == "127.0.0.1"


@pytest.mark.parametrize(
    "wrong",
    [
        {"http_port": 65536},
        {"health_port": -1},
        {"log_level": "loud"},
        {"ingest_workers": 0},
        {"settle_seconds": 0},
        {"upload_limit_bytes": 0},
    ],
)
def test_a_value_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    """By the name of the setting."""
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)


@pytest.mark.parametrize("placeholder", sorted(PLACEHOLDERS))
def test_a_placeholder_is_refused_beyond_loopback(placeholder: str) -> None:
    """A key that everybody knows is an open door; the words name the setting and not the value."""
    with pytest.raises(ValidationError, match="TONETOUCH_S3_SECRET_KEY is missing or a placeholder"):
        Settings(
            s3_endpoint="https://objects.example",
            s3_access_key=REAL["s3_access_key"],
            s3_secret_key=SecretStr(placeholder.upper()),
        )
    Settings(s3_endpoint="http://127.0.0.1:9000", s3_secret_key=SecretStr(placeholder))


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1.example:9000", "http://localhost.example", "https://127.0.0.10.example"]
)
def test_a_name_that_only_begins_like_loopback_is_not_loopback(endpoint: str) -> None:
    """What counts is the whole host."""
    with pytest.raises(ValidationError):
        Settings(s3_endpoint=endpoint, s3_secret_key=SecretStr("changeme"))


def test_secrets_are_not_shown() -> None:
    """Neither printed nor dumped."""
    settings = Settings(
        s3_secret_key=REAL["s3_secret_key"],
        admin_token=SecretStr("hidden-token"),
        database_url=SecretStr("postgresql://u:hidden@h/d"),
    )
    assert "hidden" not in repr(settings)
    assert "hidden" not in settings.model_dump_json()
    assert "hidden" not in repr(settings.object_store)
