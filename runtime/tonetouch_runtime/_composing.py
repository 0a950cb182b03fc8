"""What must hold of a service before it runs: mistakes in the program, found where it is put together."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from tonetouch_contracts import manifest
from tonetouch_contracts.message import Command, Event, ShowHealth
from tonetouch_contracts.operating import StepThrough
from tonetouch_contracts.parties import party
from tonetouch_contracts.subjects import command_subject, queue_subject, type_filter
from tonetouch_runtime._router import Hearing, Keeping, Router, Working
from tonetouch_runtime.operating.answers import COMMANDS


def check_composition(service: str, routers: Sequence[Router]) -> None:
    """Raise ValueError, in words, where two handlers claim one thing or a handler would never be called."""
    own = (command for router in routers for command in router.answering)
    commands: list[type[Command[Any]]] = [ShowHealth, StepThrough, *COMMANDS, *own]
    hearing = [entry for router in routers for entry in router.hearing]
    working = [entry for router in routers for entry in router.working]
    keeping = [entry for router in routers for entry in router.keeping]
    models = [model for entry in keeping for model in (entry.model, *entry.beside)]
    # NATS would give each request to one of the two by chance.
    _refuse_twice("answers", [command_subject(command, service) for command in commands])
    _refuse_twice("hears", [(entry.consumer, event.wire_name()) for entry in hearing for event in entry.events])
    _refuse_twice("works on", [entry.consumer for entry in working])
    _refuse_twice("keeps", [str(model.__tablename__) for model in models])
    for heard in hearing:
        _refuse_unheard(heard)
    _refuse_unread(service, keeping)
    for worked in working:
        _refuse_unworked(worked)


def _refuse_twice(verb: str, names: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two handlers: the service {verb} {name} twice")
        seen.add(name)


def _refuse_unheard(entry: Hearing) -> None:
    consumer = _declared(entry.consumer)
    for event in entry.events:
        if type_filter(event.wire_name()) not in consumer.filters or manifest.stream_of(event).name != consumer.stream:
            raise ValueError(f"{consumer.name} does not bring {_wire(event)}: it reads {', '.join(consumer.filters)}")


def _refuse_unread(service: str, keeping: Sequence[Keeping]) -> None:
    declared = party(service)
    streams = {manifest.stream_of(event).name for entry in keeping for event in entry.hears}
    if declared is not None and (more := streams - set(declared.streams_read)):
        # Its reader would be refused by the server, and the table would stay empty.
        raise ValueError(f"{service} keeps tables from {', '.join(sorted(more))}, which its party does not read")


def _refuse_unworked(entry: Working) -> None:
    consumer = _declared(entry.consumer)
    subject = queue_subject(manifest.queue_named(entry.queue).segment, entry.step)
    if consumer.stream != entry.queue or subject not in consumer.filters:
        raise ValueError(f"{consumer.name} does not bring {subject}: it reads {', '.join(consumer.filters)}")


def _declared(name: str) -> manifest.Consumer:
    try:
        return manifest.consumer(name)
    except KeyError:
        raise ValueError(f"the manifest declares no consumer {name}") from None


def _wire(event: type[Event]) -> str:
    return event.wire_name()
