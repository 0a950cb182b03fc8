"""What the launcher is told (environment), which secrets it makes up, and who may use a data folder."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class CannotStartError(Exception):
    """Something the launcher needs is missing or taken. The message is one sentence for the person at the terminal."""


class Settings(BaseSettings):
    """Settings of the embedded launcher, each from an environment variable with the prefix `TONETOUCH_`.

    A port that is given here is meant: if it is taken, the launcher refuses to start. A port that is not given falls
    back to a free one.
    """

    model_config = SettingsConfigDict(env_prefix="TONETOUCH_", extra="ignore")

    data: Path = Path(".data")
    """The data folder (`TONETOUCH_DATA`); relative to the working directory."""
    nats_port: int | None = Field(default=None, ge=1, le=65535)
    s3_port: int | None = Field(default=None, ge=1, le=65535)
    http_port: int | None = Field(default=None, ge=1, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    admin_token: SecretStr | None = Field(default=None, min_length=16)

    @property
    def data_folder(self) -> Path:
        """The data folder as an absolute path."""
        return self.data.expanduser().absolute()


def read_settings() -> Settings:
    """The settings of the environment. Raises CannotStartError, with the name of the first that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise CannotStartError(f"TONETOUCH_{name} cannot be used: {first['msg']}.") from error


def prepare_data_folder(folder: Path) -> None:
    """Make the data folder, private to its owner, and prove that it can be written to.

    Raises CannotStartError when the disk is missing, full or read-only.
    """
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.write_bytes(b"1")
        probe.unlink()
    except OSError as error:
        raise CannotStartError(f"The data folder {folder} cannot be written to: {error.strerror}.") from error


def kept_secret(folder: Path, name: str, *, length_bytes: int) -> str:
    """The secret called `name`, generated on the first call and the same ever after.

    It is a file of mode 0600 under `secrets/` in the data folder. It appears complete or not at all, so a kill in the
    middle of the first start leaves no half secret behind.
    """
    place = folder / "secrets"
    place.mkdir(mode=0o700, exist_ok=True)
    path = place / name
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    draft = place / f".{name}.{os.getpid()}"
    write_private(draft, secrets.token_urlsafe(length_bytes).replace("-", "x").replace("_", "y") + "\n")
    draft.replace(path)
    return path.read_text().strip()


def admin_token(settings: Settings) -> str:
    """The bearer token of the one admin user: `TONETOUCH_ADMIN_TOKEN`, else the one generated into the data folder."""
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    return kept_secret(settings.data_folder, "admin-token", length_bytes=24)


def write_private(path: Path, text: str) -> None:
    """Write a file which only its owner can read, whatever the umask says."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def delete_data_folder(folder: Path) -> None:
    """Delete a data folder with everything in it.

    Raises CannotStartError when a launcher runs on it, or when it does not look like a data folder: it has no secrets
    of ours, or the home or working directory lies in it.
    """
    holds_more = any(place.is_relative_to(folder.resolve()) for place in (Path.home().resolve(), Path.cwd().resolve()))
    if holds_more or not (folder / "secrets").is_dir():
        raise CannotStartError(f"{folder} is not a data folder of Tone Touch Music; nothing was deleted.")
    with locked(folder):
        shutil.rmtree(folder)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the data folder for this process; the kernel lets go of it when the process ends, however it ends.

    Raises CannotStartError when another launcher holds it.
    """
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotStartError(
                f"Another `up` is already running on {folder}; stop it or set TONETOUCH_DATA."
            ) from error
        yield
