"""What a provider's refusal means: status, headers and body of an answer that is none become one of our errors.

The same status has several meanings. Workers AI says 429 for its limit per minute, for an allowance of the day that is
gone (3036) and for a model that is busy (3040); the code in the body decides. Codes are Cloudflare's published list
of Workers AI errors, the words are those of Anthropic's, OpenAI's and Google's error objects.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite

import msgspec

from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, Failure, ProviderFailed

LONGEST_DETAIL = 300

_BY_CODE: dict[int, Failure] = {
    3007: "timeout",
    3008: "timeout",
    3036: "daily_quota",
    3040: "out_of_capacity",
    7009: "overloaded",
}
_NOT_ALLOWED = frozenset({10000, 2009, 2040, 3023, 3041, 5016, 5018, 5035})
_NOT_PAID = frozenset({2021})
_NO_SUCH_MODEL = frozenset({3039, 3042, 5007, 7003})
_INPUT = frozenset({3003, 3006, 5004, 5005, 5012, 8006})
_WORDS: dict[str, Failure] = {
    "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited",
    "resource_exhausted": "rate_limited",
    "overloaded_error": "overloaded",
    "api_error": "overloaded",
    "server_error": "overloaded",
    "unavailable": "overloaded",
    "internal": "overloaded",
    "timeout_error": "timeout",
    "deadline_exceeded": "timeout",
}
_NOT_ALLOWED_WORDS = frozenset({"authentication_error", "permission_error", "invalid_api_key", "api_key_invalid"})
_NOT_PAID_WORDS = frozenset({"insufficient_quota", "billing_error", "billing_not_active"})
_NO_MODEL_WORDS = frozenset({"not_found_error", "model_not_found"})
_INPUT_WORDS = frozenset({"invalid_request_error", "request_too_large", "invalid_argument"})
_CODE_IN_TEXT = re.compile(r"(?:^|Error: )(\d{4,5}):")


@dataclass(frozen=True, kw_only=True)
class Door:
    """A provider as errors speak of it. `secrets` never leave it: they are struck out of everything that is said."""

    provider: str
    setting: str
    secrets: tuple[str, ...] = ()

    def quiet(self, text: str) -> str:
        """A provider's words on one line, short, without our keys."""
        for secret in self.secrets:
            if secret:
                text = text.replace(secret, "***")
        return " ".join(text.split())[:LONGEST_DETAIL]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an error body says, whatever its shape. `words` are lower-case types, states and reasons."""

    codes: tuple[int, ...] = ()
    words: frozenset[str] = frozenset()
    message: str = ""
    retry_seconds: float | None = None


def failed(
    door: Door, *, status: int | None, headers: Mapping[str, str], body: bytes, now: datetime | None = None
) -> AIUnavailable | AIInputRefused | ProviderFailed:
    """The error that an answer with this status and body stands for; `status` is null inside a stream."""
    said, now = said_in(body), now or datetime.now(UTC)
    waits = retry_after(headers, now=now)
    error = failed_with(
        door,
        said,
        status=status,
        waits=waits if waits is not None else said.retry_seconds,
        html=_is_html(headers, body),
        request_id=headers.get("cf-ai-req-id") or headers.get("request-id") or headers.get("x-request-id"),
    )
    if isinstance(error, ProviderFailed) and error.failure == "daily_quota" and error.retry_after_seconds is None:
        error.retry_after_seconds = seconds_to_midnight(now)
    return error


def failed_with(
    door: Door,
    said: Said,
    *,
    status: int | None,
    waits: float | None = None,
    html: bool = False,
    request_id: str | None = None,
) -> AIUnavailable | AIInputRefused | ProviderFailed:
    """The same from what was said already."""
    told = door.quiet(said.message) or "no reason was given"
    where = f"{door.provider} {status}" if status is not None else door.provider
    codes, message = frozenset(said.codes), said.message.lower()
    if codes & _NOT_PAID or said.words & _NOT_PAID_WORDS or status == 402 or "credit balance" in message:
        return AIUnavailable(f"the account of {door.setting} has no credit ({where}: {told})")
    # Google answers 400 to a key it does not know.
    if codes & _NOT_ALLOWED or said.words & _NOT_ALLOWED_WORDS or status in (401, 403) or "api key not" in message:
        return AIUnavailable(f"{door.setting} is not accepted ({where}: {told})")
    if codes & _NO_SUCH_MODEL or said.words & _NO_MODEL_WORDS or status == 404:
        return AIUnavailable(f"TONETOUCH_AI_ROUTES names a model or address that is not there ({where}: {told})")
    failure = _failure(said, status=status, html=html)
    if failure is None:
        return AIInputRefused(f"{where}: {told}")
    return ProviderFailed(
        failure, f"{where}: {told}", http_status=status, retry_after_seconds=waits, request_id=request_id
    )


def said_in(body: bytes) -> Said:
    """Read an error body: Cloudflare's envelope, a gateway's, an error object, or plain words."""
    try:
        document: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return _from_text(body[:4096].decode(errors="replace"))
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return _from_text(str(document))
    found = document.get("errors") or document.get("error") or document
    if isinstance(found, str):
        return _from_text(found)
    each = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]
    if not each:
        return Said()
    return _joined([_from_object(one) for one in each])


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """How many seconds a provider asks us to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date.

    A date is counted from the answer's own ``date``, as the clocks of two machines differ. Null where it does not say.
    """
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after", "").strip()
    seconds = _seconds(asked)
    if seconds is not None or not asked:
        return seconds
    until = _date(asked)
    return max(0.0, (until - (_date(headers.get("date", "")) or now)).total_seconds()) if until else None


def seconds_to_midnight(now: datetime) -> float:
    """How long it is until the next UTC day, when an allowance of the day is there again."""
    tomorrow = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - now).total_seconds()


def _failure(said: Said, *, status: int | None, html: bool) -> Failure | None:
    """Null: the input is to blame."""
    for code in said.codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    if "json mode" in said.message.lower():
        return "nonsense"  # the model missed the schema this time; the question was right
    if "per_day" in said.words:
        return "daily_quota"
    if set(said.codes) & _INPUT:
        return None
    if status is None:
        named = next((_WORDS[word] for word in sorted(said.words) if word in _WORDS), None)
        return named or (None if said.words & _INPUT_WORDS else "overloaded")
    return _by_status(status, html=html)


def _by_status(status: int, *, html: bool) -> Failure | None:
    if status == 429:
        return "rate_limited"
    if status in (408, 504):
        return "timeout"
    if status in (409, 425) or status >= 500:
        return "overloaded"
    if status < 400 or (html and status != 413):
        return "nonsense"
    return None


def _from_object(error: dict[str, object]) -> Said:
    codes, words, retry = [], set(), None
    for key in ("code", "internalCode", "type", "status", "error_type"):
        value = error.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            codes.append(value)
        elif isinstance(value, str):
            codes.extend([int(value)] if value.isdigit() and len(value) < 7 else [])
            words.add(value.lower())
    details = error.get("details")
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            words |= _google_words(detail)
            retry = _seconds(str(detail.get("retryDelay", "")).removesuffix("s")) if "retryDelay" in detail else retry
    message = error.get("message")
    read = _from_text(message if isinstance(message, str) else "")
    return Said(codes=(*codes, *read.codes), words=frozenset(words), message=read.message, retry_seconds=retry)


def _google_words(detail: dict[str, object]) -> set[str]:
    reason = detail.get("reason")
    words = {reason.lower()} if isinstance(reason, str) else set()
    violations = detail.get("violations")
    for violation in violations if isinstance(violations, list) else []:
        if isinstance(violation, dict) and "perday" in str(violation.get("quotaId", "")).lower():
            words.add("per_day")
    return words


def _from_text(text: str) -> Said:
    return Said(codes=tuple(int(code) for code in _CODE_IN_TEXT.findall(text)), message=text)


def _joined(each: list[Said]) -> Said:
    return Said(
        codes=tuple(code for one in each for code in one.codes),
        words=frozenset().union(*(one.words for one in each)),
        message="; ".join(one.message for one in each if one.message),
        retry_seconds=next((one.retry_seconds for one in each if one.retry_seconds is not None), None),
    )


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return max(0.0, seconds) if isfinite(seconds) else None


def _date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    return "html" in headers.get("content-type", "").lower() or body[:64].lstrip().lower().startswith((b"<!", b"<html"))
