"""Applies the manifest: streams, queues and durable consumers on the server, and the bucket in the object store.

Run by an operator (`tonetouch provision`) or by the launcher, as ``python -m tonetouch_deploy.provisioning``; services
only check.
"""

import asyncio
import sys

import nats.errors
from pydantic import ValidationError

from tonetouch_contracts import manifest
from tonetouch_deploy.nats_accounts import PROVISIONING
from tonetouch_runtime import Bus, Objects, Settings, TonetouchError, Unavailable
from tonetouch_runtime.provisioning import apply

_CONNECT_BOUND_SECONDS = 30.0


async def provision(settings: Settings) -> list[str]:
    """Make server and store match the manifest; returns what was done, a line each. Running it again does nothing.

    Raises Unavailable when the bus or the object store does not answer, nats.errors.Error when the server refuses a
    change (a stream's retention or storage cannot be changed while it holds events).
    """
    try:
        bus = await asyncio.wait_for(Bus.join(settings, PROVISIONING), _CONNECT_BOUND_SECONDS)
    except TimeoutError:
        raise Unavailable(f"the bus of TONETOUCH_NATS_URL did not answer in {_CONNECT_BOUND_SECONDS:g} s") from None
    try:
        done = await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    finally:
        await bus.close()
    async with Objects(settings.object_store) as objects:
        await objects.ensure_bucket()
    return done


def main() -> None:
    """Provision from the environment's settings and say what was done; what goes wrong is one sentence, exit code 1."""
    try:
        done = asyncio.run(provision(Settings()))
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(("TONETOUCH", *(str(part).upper() for part in first["loc"])))
        sys.exit(f"provisioning failed: {name} cannot be used: {first['msg']}")
    except TonetouchError as error:
        sys.exit(f"provisioning failed: {error}")
    except (nats.errors.Error, OSError, TimeoutError) as error:
        words = getattr(error, "description", None) or str(error) or type(error).__name__
        sys.exit(f"provisioning failed: the bus refused: {words}")
    for line in done or ["nothing to do: streams, consumers and the bucket are as declared"]:
        print(line)


if __name__ == "__main__":
    main()
