"""What can differ between two installations of the ledger."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RetentionSettings(BaseSettings):
    """For how many days after their last use bodies are kept, from ``TONETOUCH_KEEP_*`` variables. Unset: for ever.

    Rows and sums stay in any case. What a person wrote or said privately is no class: it is never kept.
    """

    model_config = SettingsConfigDict(env_prefix="TONETOUCH_KEEP_", extra="ignore")

    answers_days: int | None = Field(default=None, ge=1, description="Answers; asked again, they are paid again.")
    inputs_days: int | None = Field(default=None, ge=1, description="Inputs; without one nothing can be replayed.")
    contexts_days: int | None = Field(default=None, ge=1, description="What requests about one subject begin with.")

    def days_of(self, kind: str) -> int | None:
        """The setting for a class of bodies."""
        days: int | None = getattr(self, f"{kind}_days")
        return days
