"""Writes the OpenAPI document of the API to ``services/gateway/openapi.json``.

    python -m tonetouch_gateway.generating

The same code gives the same bytes, so an empty difference shows that the file is in step.
"""

import json
from pathlib import Path

from tonetouch_gateway.app import make_api

DOCUMENT = Path(__file__).parents[1] / "openapi.json"


def openapi_document() -> str:
    """The document as text, its last line ended."""
    return json.dumps(make_api().openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(openapi_document(), encoding="utf-8")
