"""What one run consists of: the bus, the object store and the services, as commands with their environments."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tonetouch_deploy.nats_accounts import OPERATOR, PROVISIONING, READER, ROLES, accounts
from tonetouch_deploy.nats_server import move_into_account, nats_server_command, write_nats_config
from tonetouch_deploy.object_store import object_store_command, object_store_environment, sweep_leftovers
from tonetouch_deploy.ports import LOOPBACK, choose_ports
from tonetouch_deploy.probing import Probe, http_probe
from tonetouch_deploy.run_record import last_run_record
from tonetouch_deploy.settings import Settings, admin_token, kept_secret
from tonetouch_deploy.supervising import Process

BUCKET = "tonetouch"
# Nobody comes in any more, then what is under way ends, then the ground goes.
_DOOR, _SERVICES, _STORES = range(3)
SERVICES = ("ai-ledger", "catalog", "recommend", "agents", "ingest", "gateway")
_USUAL_PORTS: dict[str, int | None] = {"nats": 4222, "nats-monitor": None, "object-store": 8333, "api": 8080}

# A person's own settings for these would send our traffic, or our keys, somewhere else.
_NOT_OURS = ("RCLONE_", "AWS_", "NATS_")


def chosen_ports(settings: Settings) -> dict[str, int]:
    """A loopback port for the bus, its monitor, the object store, the API and each service's health."""
    last = last_run_record(settings.data_folder)
    health: dict[str, int | None] = {f"{name}-health": None for name in SERVICES}
    return choose_ports(
        _USUAL_PORTS | health,
        forced={"nats": settings.nats_port, "object-store": settings.s3_port, "api": settings.http_port},
        last=last.ports if last else {},
    )


def stores(settings: Settings, ports: Mapping[str, int]) -> list[Process]:
    """The bus and the object store; writes their configuration."""
    folder = settings.data_folder
    (folder / "nats").mkdir(mode=0o700, exist_ok=True)
    objects = folder / "objects"
    objects.mkdir(mode=0o700, exist_ok=True)
    config = write_nats_config(
        folder / "nats",
        port=ports["nats"],
        monitor_port=ports["nats-monitor"],
        accounts=accounts({role: json.dumps(nats_password(folder, role)) for role in (*ROLES, READER)}),
    )
    access_key, secret_key = _key_pair(folder)
    s3_url = f"http://{LOOPBACK}:{ports['object-store']}"
    return [
        Process(
            name="nats",
            where=f"nats://{LOOPBACK}:{ports['nats']}",
            command=nats_server_command(config),
            env=_clean_environment(),
            prepare=lambda: move_into_account(folder / "nats"),
            ready=http_probe(f"http://{LOOPBACK}:{ports['nats-monitor']}/healthz"),
            stop_stage=_STORES,
        ),
        Process(
            name="object-store",
            where=s3_url,
            command=object_store_command(objects, port=ports["object-store"]),
            env=_clean_environment() | object_store_environment(access_key=access_key, secret_key=secret_key),
            prepare=lambda: sweep_leftovers(objects),
            ready=http_probe(s3_url, any_answer=True),  # unsigned requests are refused, which is an answer
            stop_stage=_STORES,
        ),
    ]


def services(settings: Settings, ports: Mapping[str, int]) -> list[Process]:
    """One process per service. They wait for each other themselves, so none depends on another here."""
    return [
        Process(
            name=name,
            where=f"http://{LOOPBACK}:{ports['api' if name == 'gateway' else f'{name}-health']}",
            command=(sys.executable, "-m", f"tonetouch_{name.replace('-', '_')}"),
            env=service_environment(settings, ports, name) | {"TONETOUCH_HEALTH_PORT": str(ports[f"{name}-health"])},
            ready=health_probe(name, ports),
            stop_stage=_DOOR if name == "gateway" else _SERVICES,
        )
        for name in SERVICES
    ]


def health_probe(name: str, ports: Mapping[str, int]) -> Probe:
    """Asks a service on its own health port whether it is ready."""
    return http_probe(f"http://{LOOPBACK}:{ports[f'{name}-health']}/readyz")


def service_environment(settings: Settings, ports: Mapping[str, int], role: str = OPERATOR) -> dict[str, str]:
    """What a service, the provisioning step or an operator's command is told; the bus knows it by its role."""
    access_key, secret_key = _key_pair(settings.data_folder)
    return _clean_environment() | {
        "TONETOUCH_DATA": str(settings.data_folder),
        "TONETOUCH_NATS_URL": f"nats://{LOOPBACK}:{ports['nats']}",
        "TONETOUCH_NATS_USER": role,
        "TONETOUCH_NATS_PASSWORD": nats_password(settings.data_folder, role),
        "TONETOUCH_S3_ENDPOINT": f"http://{LOOPBACK}:{ports['object-store']}",
        "TONETOUCH_S3_ACCESS_KEY": access_key,
        "TONETOUCH_S3_SECRET_KEY": secret_key,
        "TONETOUCH_S3_BUCKET": BUCKET,
        "TONETOUCH_ADMIN_TOKEN": admin_token(settings),
        "TONETOUCH_HTTP_PORT": str(ports["api"]),
        "TONETOUCH_LOG_LEVEL": settings.log_level,
    }


def provisioning_environment(settings: Settings, ports: Mapping[str, int]) -> dict[str, str]:
    """What the provisioning step is told."""
    return service_environment(settings, ports, PROVISIONING)


def reader_url(settings: Settings, ports: Mapping[str, int]) -> str:
    """The address of the bus for subscribers of other teams, with the user and the password in it."""
    return f"nats://{READER}:{nats_password(settings.data_folder, READER)}@{LOOPBACK}:{ports['nats']}"


def provisioning_command() -> tuple[str, ...]:
    """The step that makes streams, consumers and the bucket match the manifest; exits with 0 when they do."""
    return (sys.executable, "-m", "tonetouch_deploy.provisioning")


def nats_password(data_folder: Path, role: str) -> str:
    """The password of a service or of another role on the bus, made up at the first start."""
    return kept_secret(data_folder, f"nats-{role}", length_bytes=24)


def _key_pair(data_folder: Path) -> tuple[str, str]:
    # The object store takes no pair as short as a few characters; these are as long as S3's own.
    return (
        kept_secret(data_folder, "s3-access-key", length_bytes=15),
        kept_secret(data_folder, "s3-secret-key", length_bytes=30),
    )


def _clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    loopback = ",".join(filter(None, (kept.get("NO_PROXY") or kept.get("no_proxy"), LOOPBACK, "localhost")))
    return kept | {
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "AWS_EC2_METADATA_DISABLED": "true",  # boto3 would look for credentials on the network
        "PYTHONUNBUFFERED": "1",
    }
