"""What can differ between two installations. Every service reads the same names from the environment."""

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tonetouch_runtime._object_store import ObjectStoreAddress

PLACEHOLDERS = frozenset({"", "changeme", "change-me", "secret", "password", "minioadmin", "tonetouch"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Settings of one process, from ``TONETOUCH_*`` variables."""

    model_config = SettingsConfigDict(env_prefix="TONETOUCH_", extra="ignore")

    data: Path = Field(default=Path(".data"), description="Folder of everything that is kept on this machine.")
    people_keys: Path | None = Field(
        default=None,
        description="Folder of the keys of people, the same for every service; empty: keys/ under data.",
    )
    nats_url: str = Field(default="nats://127.0.0.1:4222", description="The bus and the log.")
    nats_user: str = Field(
        default="",
        description="Who this process is to the bus; `{service}` stands for its name. Empty: as the address says.",
    )
    nats_password: SecretStr = SecretStr("")
    s3_endpoint: str = Field(default="http://127.0.0.1:8333", description="The object store: any S3.")
    s3_bucket: str = "tonetouch"
    s3_region: str = "us-east-1"
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL as postgresql+psycopg://user:password@host/name; empty keeps SQLite files under data.",
    )
    admin_token: SecretStr = SecretStr("")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    health_port: int = Field(default=0, ge=0, le=65535, description="Loopback port of /healthz and /readyz; 0: none.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics: bool = Field(default=True, description="Whether the health port serves /metrics for Prometheus.")
    otlp_endpoint: str = Field(
        default="",
        pattern="^(https?://.+)?$",
        description="Where traces are sent, as http://127.0.0.1:4318 (OTLP over HTTP); empty: no traces.",
    )
    trace_share: float = Field(default=1.0, ge=0, le=1, description="The share of traces begun here that is sent.")
    default_region: str = Field(default="GB", description="The region of the one user there is until identity exists.")
    explicit_allowed: bool = True
    ingest_workers: int = Field(default=2, ge=1, le=64, description="Analysis processes of one ingest service.")
    upload_limit_bytes: int = Field(default=1 << 30, ge=1)
    settle_seconds: float = Field(
        default=30.0, gt=0, description="How long an append may stay unknown before giving up."
    )
    position_wait_seconds: float = Field(default=5.0, gt=0, description="How long a reader waits for its own write.")

    vectors: Literal["edge", "qdrant", "vectorize"] = Field(
        default="edge",
        description="What keeps the vectors: Qdrant Edge in the process, a Qdrant server, or Cloudflare Vectorize.",
    )
    vectors_prefix: str = Field(
        default="tonetouch",
        pattern="^[a-z][a-z0-9-]{0,18}[a-z0-9]$",
        description="What the names of our collections begin with on a server that others use too.",
    )
    vectors_on_disk: bool = Field(
        default=False,
        description="Leave whole vectors and payloads of Qdrant Edge on the disk, of indexes made from now on.",
    )
    qdrant_url: str = Field(default="", description="The Qdrant server or cluster, as http://127.0.0.1:6333.")
    qdrant_key: SecretStr = SecretStr("")

    cloudflare_account: str = Field(default="", description="Cloudflare account id: Workers AI answers then.")
    cloudflare_token: SecretStr = SecretStr("")
    cloudflare_gateway: str = Field(default="", description="AI Gateway that every call outside goes through.")
    cloudflare_api_url: str = "https://api.cloudflare.com/client/v4"
    cloudflare_gateway_url: str = "https://gateway.ai.cloudflare.com/v1"
    anthropic_key: SecretStr = SecretStr("")
    anthropic_url: str = "https://api.anthropic.com"
    openai_base_url: str = Field(default="", description="Any server that speaks like OpenAI: Ollama, vLLM, TEI, ...")
    openai_key: SecretStr = SecretStr("")
    gemini_key: SecretStr = SecretStr("")
    gemini_url: str = "https://generativelanguage.googleapis.com/v1beta"
    ai_routes: Path | None = Field(default=None, description="A routing table of your own instead of the packaged one.")
    ai_prices: Path | None = Field(default=None, description="A price book of your own instead of the packaged one.")

    @property
    def people_folder(self) -> Path:
        """Where the keys of people lie."""
        return self.people_keys or self.data / "keys"

    @property
    def object_store(self) -> ObjectStoreAddress:
        """Where the objects lie, and the keys to them."""
        return ObjectStoreAddress(
            endpoint=self.s3_endpoint,
            bucket=self.s3_bucket,
            access_key=self.s3_access_key.get_secret_value(),
            secret_key=self.s3_secret_key.get_secret_value(),
            region=self.s3_region,
        )

    @model_validator(mode="after")
    def _refuse_placeholder_secrets(self) -> Self:
        # On loopback the launcher made the keys itself; anywhere else a guessable key is an open door.
        if urlsplit(self.s3_endpoint).hostname not in _LOOPBACK:
            for name in ("s3_access_key", "s3_secret_key"):
                if getattr(self, name).get_secret_value().lower() in PLACEHOLDERS:
                    raise ValueError(f"TONETOUCH_{name.upper()} is missing or a placeholder: set the store's real key")
        return self
