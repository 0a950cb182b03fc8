"""Texts that are written from facts: who asked for one, what it was written from, and where each sentence comes from.

Said by agents on AGENTS. One text of a kind about one subject (``artist:<id>``, ``album:<id>``, ``track:<id>``) is one
entity, so that it has one writer at a time. From a sentence the way leads to its facts, from a fact to the event it
was said in, and from the text to the job in the ledger with its exact input.
"""

from typing import ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import ContentHash, JobId
from tonetouch_contracts.job import Priority, Purpose
from tonetouch_contracts.message import Command, Event, Page

CopyKind = Literal["artist_bio", "album_review", "track_notes", "about_track"]
CopyStatus = Literal["asked", "written", "skipped", "failed"]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is known: its name, its value, and the subject of the event that said so, or how it was counted.

    Values are other people's words where they are names and titles: nothing in them is an instruction.
    """

    name: str
    value: str
    source: str = ""


class CitedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact under the number it had when the text was written."""

    id: str
    name: str
    value: str
    source: str = ""


class CopySentence(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence and the numbers of the facts it stands on."""

    text: str
    facts: tuple[str, ...]


class DroppedSentence(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence a model wrote and nobody is shown, and why not."""

    text: str
    facts: tuple[str, ...]
    because: str


class ContextBuilt(Event, frozen=True, kw_only=True, tag="context.built"):
    """What is known of an artist or album was put together; it is the unchanged beginning of every request about it.

    The object holds the text and its numbered facts; `sha256` is of the text, `facts_sha256` of the facts alone. It is
    no promise that nothing more is known by now: the next one replaces it.
    """

    entity_field: ClassVar[str] = "context_id"

    context_id: str
    subject: str
    sha256: ContentHash
    facts_sha256: ContentHash
    object_key: str
    facts: int
    characters: int
    built_at: str


class CopyAsked(Event, frozen=True, kw_only=True, tag="copy.asked"):
    """Somebody wants a text. Nothing was written yet, and an earlier text of the kind stays until another one is.

    `attempt` is that of whoever asks, under `job_id`; `feature` and `billed_to` are what the ledger files the work
    under. `known` and `lyrics` are facts the asker brings along: of what is not published nobody else knows.
    """

    entity_field: ClassVar[str] = "copy_id"

    copy_id: str
    ask_id: str
    kind: CopyKind
    subject: str
    job_id: JobId
    attempt: int
    feature: str
    billed_to: str
    purpose: Purpose = "serve"
    priority: Priority = "interactive"
    known: tuple[Known, ...] = ()
    lyrics: str | None = None


class CopyBegun(Event, frozen=True, kw_only=True, tag="copy.begun"):
    """A model is about to be asked, under this attempt of the job. Whether it is reached, it does not say.

    Of a process that was killed only the next attempt tells.
    """

    entity_field: ClassVar[str] = "copy_id"

    copy_id: str
    ask_id: str
    job_id: JobId
    attempt: int


class DraftDiscarded(Event, frozen=True, kw_only=True, tag="draft.discarded"):
    """What a model answered was not used, for this reason. It is not the end: the embedded writer writes instead.

    The answer itself lies with the job. `dropped` are its sentences, where it had any.
    """

    entity_field: ClassVar[str] = "copy_id"

    copy_id: str
    ask_id: str
    job_id: JobId
    attempt: int
    provider: str
    model: str
    reason: str
    dropped: tuple[DroppedSentence, ...] = ()


class CopyWritten(Event, frozen=True, kw_only=True, tag="copy.written"):
    """A text was written. Every year, number and name in it stands in the facts it cites; no person has read it.

    `written_by` is the job whose answer this is, in its attempt `attempt`; it is another one than the `job_id` that was
    asked under where the draft of that one was discarded. `facts` are those the sentences cite, as they were then;
    `facts_sha256` is of all facts that were given. `checker` names the check that the sentences have passed.
    """

    entity_field: ClassVar[str] = "copy_id"

    copy_id: str
    ask_id: str
    kind: CopyKind
    subject: str
    job_id: JobId
    attempt: int
    written_by: JobId
    prompt: str
    provider: str
    model: str
    context_sha256: ContentHash | None
    facts_sha256: ContentHash
    text: str
    sentences: tuple[CopySentence, ...]
    facts: tuple[CitedFact, ...]
    dropped: tuple[DroppedSentence, ...] = ()
    checker: str = ""


class CopyFailed(Event, frozen=True, kw_only=True, tag="copy.failed"):
    """Nothing was written, for this reason. An earlier text stays.

    Where it `may_pass`, the same may succeed a little later; it is not tried again unless somebody asks.
    """

    entity_field: ClassVar[str] = "copy_id"

    copy_id: str
    ask_id: str
    kind: CopyKind
    subject: str
    job_id: JobId
    attempt: int
    reason: str
    may_pass: bool


class CopySkipped(Event, frozen=True, kw_only=True, tag="copy.skipped"):
    """There is too little to write of, for the reason given. It is not a failure: when more is known, ask again."""

    entity_field: ClassVar[str] = "copy_id"

    copy_id: str
    ask_id: str
    kind: CopyKind
    subject: str
    job_id: JobId
    attempt: int
    reason: str


class RefreshBegun(Event, frozen=True, kw_only=True, tag="refresh.begun"):
    """The refresh of one night began; its id is the UTC day. Nothing was refreshed yet."""

    entity_field: ClassVar[str] = "refresh_id"

    refresh_id: str
    begun_at: str


class RefreshAdvanced(Event, frozen=True, kw_only=True, tag="refresh.advanced"):
    """Every subject up to `reached` has its context, and texts were asked for. They need not be written yet."""

    entity_field: ClassVar[str] = "refresh_id"

    refresh_id: str
    reached: str
    contexts: int
    asked: tuple[str, ...]


class RefreshCompleted(Event, frozen=True, kw_only=True, tag="refresh.completed"):
    """The refresh of one night is over: no subject is left, and no text it asked for is still on its way.

    Not every text need have been written: what failed says so itself.
    """

    entity_field: ClassVar[str] = "refresh_id"

    refresh_id: str
    contexts: int
    asked: int
    completed_at: str


class CopyView(msgspec.Struct, frozen=True, kw_only=True):
    """A text as it stands, with the way back from each sentence; empty while none was written yet."""

    id: str
    kind: CopyKind
    subject: str
    status: CopyStatus
    text: str = ""
    sentences: tuple[CopySentence, ...] = ()
    facts: tuple[CitedFact, ...] = ()
    dropped: tuple[DroppedSentence, ...] = ()
    job_id: JobId | None = None
    attempt: int | None = None
    written_by: JobId | None = None
    prompt: str | None = None
    provider: str | None = None
    model: str | None = None
    context_sha256: ContentHash | None = None
    reason: str | None = None
    asked_at: str | None = None
    written_at: str | None = None


class WriteCopy(Command[CopyView], frozen=True, kw_only=True, tag="agents.write-copy"):
    """Write this text, or write it again. While it is being written, asking again is asking once."""

    kind: CopyKind
    subject: str


class ListCopy(Command[Page[CopyView]], frozen=True, kw_only=True, tag="agents.list-copy"):
    """The texts about one subject, of one kind or of all."""

    subject: str
    kind: CopyKind | None = None
