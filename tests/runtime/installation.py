"""A provisioned installation for tests that run whole services."""

from tonetouch_contracts import manifest
from tonetouch_runtime import Bus, Objects, Settings
from tonetouch_runtime.provisioning import apply


async def provision(settings: Settings) -> None:
    """Streams, consumers and the bucket, as an operator would make them."""
    bus = await Bus.join(settings, "provisioning")
    await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    await bus.close()
    async with Objects(settings.object_store) as objects:
        await objects.ensure_bucket()
