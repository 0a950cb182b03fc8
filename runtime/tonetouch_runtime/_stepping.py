"""Stepping through an entity: what each noun of a service was after each of its events, for an operator to see."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg

from tonetouch_contracts.operating import Step, Stepped, SteppedNoun, StepThrough
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_runtime._log import Log
from tonetouch_runtime._reading import origin_of
from tonetouch_runtime._recorded import State

Nouns = Mapping[type[State], str]
"""The nouns of a service, and the stream that each is told on."""


def stepping(service: str, nouns: Nouns, log: Log) -> Callable[[StepThrough], Awaitable[Stepped]]:
    """What answers StepThrough for a service. A noun that no event of the entity changes is left out."""

    async def step_through(command: StepThrough) -> Stepped:
        found: list[SteppedNoun] = []
        histories: dict[str, list[Msg]] = {}
        for noun, stream in nouns.items():
            if command.noun not in (None, noun.__name__):
                continue
            if stream not in histories:
                histories[stream] = await log.messages(stream, command.entity_id)
            if (stepped := _stepped(noun, stream, histories[stream], command, log)) is not None:
                found.append(stepped)
        return Stepped(service=service, nouns=tuple(found))

    return step_through


def _stepped(
    noun: type[State], stream: str, history: Sequence[Msg], command: StepThrough, log: Log
) -> SteppedNoun | None:
    state = initial = noun()
    before, steps, next_after = _fields(state), list[Step](), None
    for message in history:
        sequence = origin_of(message)[1]
        if len(steps) == command.limit:
            next_after = steps[-1].sequence
            break
        after, note = _evolved(state, message, log)
        if sequence <= command.after:
            before = _fields(after)
        else:
            changed = _changes(state, after)
            steps.append(Step(sequence=sequence, wire_name=_wire_name(message), changed=changed, note=note))
        state = after
    if state == initial:
        return None
    return SteppedNoun(noun=noun.__name__, stream=stream, before=before, steps=tuple(steps), next_after=next_after)


def _evolved(state: State, message: Msg, log: Log) -> tuple[State, str]:
    try:
        return state.evolve(log.read(message).event), ""
    except UndecodableError as error:
        return state, str(error)


def _changes(before: State, after: State) -> dict[str, Any]:
    if after is before:
        return {}
    was = _fields(before)
    return {name: value for name, value in _fields(after).items() if was[name] != value}


_plain = partial(msgspec.to_builtins, str_keys=True, order="deterministic", enc_hook=str)


def _fields(state: State) -> dict[str, Any]:
    fields: dict[str, Any] = _plain(state)
    return fields


def _wire_name(message: Msg) -> str:
    subject = (message.headers or {}).get("Nats-Subject") or message.subject
    return subject.rpartition(".")[0]
