"""Who may do what on the bus: the users and accounts of the server's configuration, made from the manifest.

The services and the two roles of an operator share one account, each with permissions of its own: a service appends
what it owns, reads what it declares to read, pulls from its own consumers and answers on ``cmd.<its name>.>``.
Nobody, the operator included, may delete or purge a stream of truth or a message of one.

Subscribers of other teams are in an account of their own. Permissions would not be enough for them: the server sends
an answer wherever the request says, so that a user who may only read could have the log write what was read to any
subject of the account (nats-server 2.15.1, tried in `tests/deploy/test_reading.py`). Across the border between
two accounts only what is exported goes: direct gets of the streams of truth, and the announcement of each new event
under ``log.>``. So they make no consumers: a consumer, too, writes where it is told to.
"""

import json
from collections.abc import Iterable, Mapping

import msgspec

from tonetouch_contracts.manifest import CONSUMERS, LEASES, QUEUES, STREAMS, Consumer
from tonetouch_contracts.parties import ANYBODY, PARTIES, Party
from tonetouch_contracts.subjects import announced

ACCOUNT = "TONETOUCH"
"""The account that has the streams."""

PROVISIONING, OPERATOR, READER = "provisioning", "operator", "reader"
ROLES: tuple[str, ...] = (*(party.name for party in PARTIES), PROVISIONING, OPERATOR)
"""Everybody of the installation's own account."""

ANNOUNCED = announced(">")
_API = "$JS.API"
_TRUTH = tuple(stream.name for stream in STREAMS)
_EVERY_STREAM = (*_TRUTH, *(queue.name for queue in QUEUES), *(leases.name for leases in LEASES))
_ANSWERED_WITHIN = "15m"
"""For so long somebody who was asked may answer; the longest answers are those of models."""


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """The subjects a user may publish to and subscribe to, and whether it may answer what it was asked."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False

    def written(self) -> str:
        """As the server's configuration has it, in one line."""
        answers = f", allow_responses: {{ max: 1, expires: {json.dumps(_ANSWERED_WITHIN)} }}" if self.answers else ""
        publish, subscribe = json.dumps(self.publish), json.dumps(self.subscribe)
        return f"{{ publish: {{ allow: {publish} }}, subscribe: {{ allow: {subscribe} }}{answers} }}"


def permissions_of(role: str) -> Permissions:
    """What a service, or one of the two roles of an operator, may do. Raises KeyError for any other name."""
    return _PERMISSIONS[role]


def accounts(passwords: Mapping[str, str]) -> str:
    """The part of the server's configuration that says who there is; `passwords` has one for each role and the reader.

    A password is a string in quotes, and the result as secret, or the ``$NAME`` of one in the server's environment.
    """
    users = [user(role, passwords[role], permissions_of(role).written()) for role in ROLES]
    readers = [user(READER, passwords[READER], READER_PERMISSIONS.written())]
    return "accounts {\n" + account(ACCOUNT, users) + reading_account("READERS", ACCOUNT, readers) + "}\n"


def accounts_for_a_server() -> str:
    """The same for a server of one's own, with passwords from its environment: ``NATS_PASSWORD_CATALOG`` and so on."""
    return accounts({role: f"$NATS_PASSWORD_{role.upper().replace('-', '_')}" for role in (*ROLES, READER)})


def user(name: str, password: str, permissions: str) -> str:
    """A user as the configuration has it; password and permissions are written out, or the ``$NAME`` of what is."""
    return f"{{ user: {json.dumps(name)}, password: {password}, permissions: {permissions} }}"


def account(name: str, users: Iterable[str]) -> str:
    """The account that has the streams. What it exports, only an account that imports it can see."""
    return _account(name, ["jetstream: enabled", f"exports: {_EXPORTS}"], users)


def reading_account(name: str, of: str, users: Iterable[str]) -> str:
    """An account of readers, which sees of the account that has the streams what is exported there."""
    services = [f"{{ service: {{ account: {of}, subject: {json.dumps(each)} }} }}" for each in _READ]
    heard = f"{{ stream: {{ account: {of}, subject: {json.dumps(ANNOUNCED)} }} }}"
    return _account(name, [f"imports: [ {', '.join([*services, heard])} ]"], users)


def _account(name: str, lines: Iterable[str], users: Iterable[str]) -> str:
    body = "\n    ".join([*lines, "users: [", *(f"  {each}" for each in users), "]"])
    return f"  {name}: {{\n    {body}\n  }}\n"


def _service(party: Party) -> Permissions:
    owned = [stream for stream in STREAMS if stream.owner in (party.name, ANYBODY)]
    appends = [subject for stream in owned for subject in stream.subjects]
    queued = [subject for queue in QUEUES if queue.owner == party.name for subject in queue.subjects]
    consumers = [consumer for consumer in CONSUMERS if consumer.owner == party.name]
    return Permissions(
        publish=(
            *appends,
            *queued,
            *_LEASED,
            *_api("STREAM.INFO", _EVERY_STREAM),
            *_read_in_order(party.streams_read),
            # How long the first task of a queue has waited.
            *_api("DIRECT.GET", (queue.name for queue in QUEUES if queue.owner == party.name)),
            *(subject for consumer in consumers for subject in _pulled(consumer)),
            *(f"cmd.{name}.>" for name in party.asks),
        ),
        subscribe=(f"cmd.{party.name}.>", _inbox(party.name)),
        answers=True,
    )


def _provisioning() -> Permissions:
    consumers = [f"{consumer.stream}.{consumer.name}" for consumer in CONSUMERS]
    return Permissions(
        publish=(
            *_api("STREAM.INFO", _EVERY_STREAM),
            *_api("STREAM.CREATE", _EVERY_STREAM),
            *_api("STREAM.UPDATE", _EVERY_STREAM),
            *_api("CONSUMER.INFO", consumers),
            *_api("CONSUMER.DURABLE.CREATE", consumers),
        ),
        subscribe=(_inbox(PROVISIONING),),
    )


def _operator() -> Permissions:
    """Sees everything, asks every service, and stops and resets consumers. It appends for imports, and calls models.

    It may not change a stream: whoever sets an age limit deletes.
    """
    reads = ("STREAM.INFO", "STREAM.MSG.GET", "STREAM.SNAPSHOT", "DIRECT.GET")
    of_streams = (*reads, "CONSUMER.CREATE", "CONSUMER.LIST", "CONSUMER.NAMES")
    of_consumers = ("INFO", "MSG.NEXT", "PAUSE", "RESET", "DELETE")
    return Permissions(
        publish=(
            *(subject for stream in STREAMS for subject in stream.subjects),
            *_LEASED,
            *_api("", ("INFO", "STREAM.NAMES", "STREAM.LIST")),
            *(subject for verb in of_streams for subject in _api(verb, _EVERY_STREAM)),
            *_api("DIRECT.GET", (f"{stream}.>" for stream in _EVERY_STREAM)),
            *_api("CONSUMER.CREATE", (f"{stream}.>" for stream in _EVERY_STREAM)),
            *(f"$JS.FC.{stream}.>" for stream in _EVERY_STREAM),
            # How much of a snapshot has arrived.
            *(f"$JS.SNAPSHOT.ACK.{stream}.>" for stream in _EVERY_STREAM),
            *(f"{_API}.CONSUMER.{verb}.{stream}.*" for verb in of_consumers for stream in _EVERY_STREAM),
            "cmd.*.>",
        ),
        subscribe=(_inbox(OPERATOR), ANNOUNCED),
    )


def _api(verb: str, of: Iterable[str]) -> list[str]:
    return [".".join(filter(None, (_API, verb, each))) for each in of]


def _read_in_order(streams: Iterable[str]) -> list[str]:
    """Single messages, and consumers without a name, in order: the server removes those with their reader."""
    streams = tuple(streams)
    asked = [subject for verb in ("DIRECT.GET", "STREAM.MSG.GET", "CONSUMER.CREATE") for subject in _api(verb, streams)]
    return [*asked, *(f"$JS.FC.{stream}.>" for stream in streams)]


def _pulled(consumer: Consumer) -> list[str]:
    place = f"{consumer.stream}.{consumer.name}"
    verbs = ("INFO", "MSG.NEXT", "RESET", "PAUSE")
    # Two forms of an acknowledgement: the newer one begins with the domain and the account.
    return [*(f"{_API}.CONSUMER.{verb}.{place}" for verb in verbs), f"$JS.ACK.{place}.>", f"$JS.ACK.*.*.{place}.>"]


def _inbox(role: str) -> str:
    """Answers to one user. With the common prefix everybody could listen to the answers of all."""
    return f"_INBOX_{role}.>"


# Leases are no truth: letting go of one deletes its message, and its state is read from the leader.
_LEASED = (
    *(subject for leases in LEASES for subject in leases.subjects),
    *_api("STREAM.MSG.GET", (leases.name for leases in LEASES)),
    *_api("STREAM.MSG.DELETE", (leases.name for leases in LEASES)),
)

_READ = tuple(_api("DIRECT.GET", (subject for name in _TRUTH for subject in (name, f"{name}.>"))))

_EXPORTS = "[ {} ]".format(
    ", ".join(
        [
            *(f"{{ service: {json.dumps(subject)}, response_type: stream }}" for subject in _READ),
            f"{{ stream: {json.dumps(ANNOUNCED)} }}",
        ]
    )
)

READER_PERMISSIONS = Permissions(publish=_READ, subscribe=("_INBOX.>", ANNOUNCED))
"""Reading the streams of truth and hearing what is new, with any client as it comes."""

_PERMISSIONS = {
    **{party.name: _service(party) for party in PARTIES},
    PROVISIONING: _provisioning(),
    OPERATOR: _operator(),
}
