"""What the models of Workers AI share: their refusals."""

from typing import Any

from jsonschema import Draft202012Validator

from tests.cloud.asking import objection
from tests.cloud.faults import Refused
from tests.cloud.models import Model


def checked(validator: Draft202012Validator, body: dict[str, Any] | None) -> dict[str, Any]:
    """The body, if the schema takes it. Raises Refused: 3003 where a field is missing, 5004 for everything else."""
    if body is None:
        raise Refused(400, 5004, "Content-Type must be application/json")
    wrong = objection(validator, body)
    if wrong is None:
        return body
    incomplete = "is a required property" in wrong or (wrong.startswith("body: ") and "is not valid under any" in wrong)
    raise Refused(400, 3003 if incomplete else 5004, f"Bad input: {wrong}")


def check_window(model: Model, tokens: int) -> None:
    """Raises Refused where a window is too small."""
    if model.window_tokens is not None and tokens > model.window_tokens:
        raise Refused(
            400, 5012, f"AiError: {tokens} tokens exceed this model's context window limit ({model.window_tokens})"
        )
