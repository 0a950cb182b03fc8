"""Applies the manifest: streams, queues and durable consumers on the server, and the bucket in the object store.

``python -m tonetouch_deploy.provisioning`` is run by an operator or by the launcher; services only check.
"""

import asyncio
import sys

from tonetouch_contracts import manifest
from tonetouch_runtime import Bus, Objects, Settings, TonetouchError
from tonetouch_runtime.provisioning import apply


async def provision(settings: Settings) -> list[str]:
    """Make server and store match the manifest; returns what was done, a line each. Running it again does nothing."""
    bus = await Bus.connect(settings.nats_url, "provisioning")
    try:
        done = await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    finally:
        await bus.close()
    async with Objects(settings.object_store) as objects:
        await objects.ensure_bucket()
    return done


def main() -> None:
    """Provision from the environment's settings and say what was done."""
    try:
        for line in asyncio.run(provision(Settings())):
            print(line)
    except TonetouchError as error:
        sys.exit(f"provisioning failed: {error}")


if __name__ == "__main__":
    main()
