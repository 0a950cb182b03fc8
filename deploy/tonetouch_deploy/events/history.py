"""`history`: all events of one entity over all streams, with the state after each; and its state at some time.

The events come from the log. What a noun was after each of them only its service can say, and is asked for it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts.operating import Step, SteppedNoun, StepThrough
from tonetouch_deploy.events._root import SEE, AsJson, events, say_json
from tonetouch_deploy.events.history_showing import say_history, say_states
from tonetouch_deploy.events.life import Fields, History, HistoryEvent, NounChange, NounState
from tonetouch_deploy.events.looking import entity_history
from tonetouch_deploy.events.moments import moment_of
from tonetouch_deploy.events.reaching import NoAnswerError, RefusedError, asked, reach, together
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.events.tailing_showing import view_of
from tonetouch_deploy.settings import CannotStartError

SERVICES_WITH_NOUNS = ("catalog", "ingest", "agents", "ai-ledger")

_STEPS = 200
_PATIENCE_SECONDS = 10.0


class Until(msgspec.Struct, frozen=True, kw_only=True):
    """The end of what is looked at: a moment, or a place in one stream; nothing said is now."""

    moment: str | None = None
    place: tuple[str, int] | None = None

    def has(self, event: Stored) -> bool:
        """Whether it had happened by then. A place says nothing of other streams but their time."""
        if self.place is not None and event.stream == self.place[0]:
            return event.sequence <= self.place[1]
        return self.moment is None or event.time <= self.moment


Entity = Annotated[str, typer.Argument(help="The id of a track, an artist, a playlist, a job, ...")]
Time = Annotated[str | None, typer.Option(help="As of this time (UTC), or so long ago (10m, 2h).")]
Place = Annotated[str | None, typer.Option("--seq", help="As of this event, as CATALOG@17.")]
States = Annotated[bool, typer.Option(help="Ask the services what their nouns were after each event.")]


@events.command(rich_help_panel=SEE)
def history(
    entity: Entity, *, time: Time = None, seq: Place = None, states: States = True, as_json: AsJson = False
) -> None:
    """Every event of an entity over all streams, in order, and the fields that each of them changed."""
    found = reach(lambda client: lived(client, entity, time=time, seq=seq, states=states))
    if as_json:
        say_json(found)
    else:
        say_history(Console(), found)


@events.command(rich_help_panel=SEE)
def state(entity: Entity, *, time: Time = None, seq: Place = None, as_json: AsJson = False) -> None:
    """What an entity is, or was at a time or after an event: every noun of every service, whole."""
    found = reach(lambda client: lived(client, entity, time=time, seq=seq))
    if as_json:
        say_json(found.states)
    else:
        say_states(Console(), found)


async def lived(
    client: Client, entity: str, *, time: str | None = None, seq: str | None = None, states: bool = True
) -> History:
    """The life of an entity up to a time or an event. Raises CannotStartError where nobody knows it."""
    found = await entity_history(client, entity)
    if not found:
        words = f"No event is about {entity}; `tonetouch events tail` shows ids as they come."
        raise CannotStartError(words)
    until = _until(found, time, seq)
    shown = [event for event in found if until.has(event)]
    services = SERVICES_WITH_NOUNS if states else ()
    answers = await together(*(_stepped(client, service, entity) for service in services))
    nouns = [_lived(service, noun) for service, (told, _) in zip(services, answers, strict=True) for noun in told]
    return History(
        entity=entity,
        events=tuple(HistoryEvent(event=view_of(event), changes=_changes(event, nouns)) for event in shown),
        states=tuple(filter(None, (_state(lived, shown) for lived in nouns))),
        notes=tuple(note for _, note in answers if note),
    )


def _until(found: Sequence[Stored], time: str | None, seq: str | None) -> Until:
    if seq is None:
        return Until(moment=time and moment_of(time))
    for event in found:
        if f"{event.stream}@{event.sequence}" == seq:
            return Until(moment=event.time, place=(event.stream, event.sequence))
    places = ", ".join(f"{event.stream}@{event.sequence}" for event in found[:5])
    raise CannotStartError(f"{seq} is no event of this entity; its events are {places}{', ...' * (len(found) > 5)}.")


async def _stepped(client: Client, service: str, entity: str) -> tuple[list[SteppedNoun], str]:
    """Every noun of a service with all its steps, or why there are none."""
    try:
        first = await _asked_for(client, service, StepThrough(entity_id=entity, limit=_STEPS))
        return [await _whole(client, service, entity, noun) for noun in first], ""
    except (NoAnswerError, RefusedError) as error:
        return [], f"The states of {service} are missing: {error}"


async def _whole(client: Client, service: str, entity: str, noun: SteppedNoun) -> SteppedNoun:
    steps, after, more = list(noun.steps), noun.next_after, noun
    while after is not None:
        # As many as the last answer had room for.
        command = StepThrough(entity_id=entity, after=after, limit=len(more.steps), noun=noun.noun)
        [more] = await _asked_for(client, service, command)
        steps += more.steps
        after = more.next_after
    return msgspec.structs.replace(noun, steps=tuple(steps), next_after=None)


async def _asked_for(client: Client, service: str, command: StepThrough) -> tuple[SteppedNoun, ...]:
    """The steps, or fewer of them where so many do not fit into an answer."""
    while True:
        try:
            return (await asked(client, command, service, timeout=_PATIENCE_SECONDS)).nouns
        except RefusedError as refused:
            if refused.problem.code != "too_large" or command.limit == 1:
                raise
        command = msgspec.structs.replace(command, limit=max(command.limit // 4, 1))


class _Lived(msgspec.Struct, frozen=True, kw_only=True):
    """A noun's steps by the sequence of their event, and what each found."""

    service: str
    noun: SteppedNoun
    steps: Mapping[int, Step]
    was: Mapping[int, Fields]

    def step(self, event: Stored) -> Step | None:
        return self.steps.get(event.sequence) if event.stream == self.noun.stream else None


def _lived(service: str, noun: SteppedNoun) -> _Lived:
    fields, was = dict(noun.before), dict[int, Fields]()
    for step in noun.steps:
        was[step.sequence] = {name: fields[name] for name in step.changed}
        fields |= step.changed
    return _Lived(service=service, noun=noun, steps={step.sequence: step for step in noun.steps}, was=was)


def _changes(event: Stored, nouns: Sequence[_Lived]) -> tuple[NounChange, ...]:
    return tuple(
        NounChange(
            service=lived.service,
            noun=lived.noun.noun,
            was=lived.was[event.sequence],
            changed=step.changed,
            note=step.note,
        )
        for lived in nouns
        if (step := lived.step(event)) and (step.changed or step.note)
    )


def _state(lived: _Lived, shown: Sequence[Stored]) -> NounState | None:
    """The noun after the last event that is shown; none where nothing had changed it by then."""
    changes = [step.changed for event in shown if (step := lived.step(event)) and step.changed]
    if not changes:
        return None
    fields = dict(lived.noun.before)
    for changed in changes:
        fields |= changed
    return NounState(service=lived.service, noun=lived.noun.noun, stream=lived.noun.stream, state=fields)
