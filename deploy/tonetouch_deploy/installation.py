"""Which installation an operator's command is about, and how it is reached."""

import os
from typing import Any

from tonetouch_deploy.composing import service_environment
from tonetouch_deploy.nats_accounts import OPERATOR
from tonetouch_deploy.run_record import run_record
from tonetouch_deploy.settings import read_settings
from tonetouch_runtime import Settings


def installation() -> Settings:
    """The settings of the installation that `TONETOUCH_*` names, else of the one that `up` started, as its operator.

    Raises CannotStartError where nothing was started.
    """
    own = read_settings()
    if any(name in os.environ for name in ("TONETOUCH_NATS_URL", "TONETOUCH_S3_ENDPOINT")):
        return Settings()
    environment = service_environment(own, run_record(own.data_folder).ports, OPERATOR)
    ours = {name: value for name, value in environment.items() if name.startswith("TONETOUCH_")}
    said: dict[str, Any] = {name.removeprefix("TONETOUCH_").lower(): value for name, value in ours.items()}
    return Settings(**{name: value for name, value in said.items() if name in Settings.model_fields})
