"""Stepping through an entity: what each noun of a service was after each of its events, for an operator to see."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg

from tonetouch_contracts.operating import Step, Stepped, SteppedNoun, StepThrough
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_runtime._log import Log
from tonetouch_runtime._recorded import State, origin_of

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
            if _is_concerned(noun, histories[stream], log):
                found.append(_stepped(noun, stream, histories[stream], command, log))
        return Stepped(service=service, nouns=tuple(found))

    return step_through


def _is_concerned(noun: type[State], history: Sequence[Msg], log: Log) -> bool:
    state = initial = noun()
    for message in history:
        state, _ = _evolved(state, message, log)
        if state != initial:
            return True
    return False


def _stepped(noun: type[State], stream: str, history: Sequence[Msg], command: StepThrough, log: Log) -> SteppedNoun:
    past = [message for message in history if origin_of(message)[1] <= command.after]
    state = noun()
    for message in past:
        state, _ = _evolved(state, message, log)
    before = fields = _fields(state)
    ahead, steps = history[len(past) :], list[Step]()
    for message in ahead[: command.limit]:
        evolved, note = _evolved(state, message, log)
        after = fields if evolved is state else _fields(evolved)
        changed = {name: value for name, value in after.items() if fields[name] != value}
        step = Step(sequence=origin_of(message)[1], wire_name=_wire_name(message), changed=changed, note=note)
        steps.append(step)
        state, fields = evolved, after
    next_after = steps[-1].sequence if steps and len(steps) < len(ahead) else None
    return SteppedNoun(noun=noun.__name__, stream=stream, before=before, steps=tuple(steps), next_after=next_after)


def _evolved(state: State, message: Msg, log: Log) -> tuple[State, str]:
    try:
        return state.evolve(log.read(message).event), ""
    except UndecodableError as error:
        return state, str(error)


_plain = partial(msgspec.to_builtins, str_keys=True, order="deterministic", enc_hook=str)


def _fields(state: State) -> dict[str, Any]:
    fields: dict[str, Any] = _plain(state)
    return fields


def _wire_name(message: Msg) -> str:
    subject = (message.headers or {}).get("Nats-Subject") or message.subject
    return subject.rpartition(".")[0]
