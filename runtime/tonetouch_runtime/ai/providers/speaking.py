"""Speech as bytes without an envelope, whole or piece by piece."""

from collections.abc import AsyncGenerator

from tonetouch_runtime.ai.errors import ProviderFailed
from tonetouch_runtime.ai.providers.provider import Audio, Ended, Piece, Reply
from tonetouch_runtime.ai.providers.usage import saved_by_gateway, spoken
from tonetouch_runtime.ai.providers.wire import Answered, Asked, Headed, Wire
from tonetouch_runtime.ai.tasks import Speech, SpeechResult


def recording(answered: Answered, request: Speech) -> Reply:
    """The reply that a body of sound is. Raises ProviderFailed for any other body."""
    _refuse_silence(answered)
    return _reply(answered, answered.body, request)


async def stream_speech(wire: Wire, asked: Asked, request: Speech, *, seconds: float) -> AsyncGenerator[Piece, None]:
    """The recording as it comes. A recording that breaks off raises ProviderFailed with what the text costs."""
    parts: list[bytes] = []
    try:
        async with wire.opened(asked, seconds=seconds) as opened:
            _refuse_silence(opened.headed)
            async for chunk in opened.chunks():
                parts.append(chunk)
                yield Audio(chunk)
            yield Ended(_reply(opened.headed, b"".join(parts), request))
    except ProviderFailed as failed:
        if parts:
            failed.usage = failed.usage or spoken(request.text)
        raise


def _refuse_silence(headed: Headed) -> None:
    if not headed.media_type.startswith("audio/") and headed.media_type != "application/octet-stream":
        raise headed.nonsense(f"a recording was expected and {headed.media_type[:80] or 'something unnamed'} came")


def _reply(headed: Headed, audio: bytes, request: Speech) -> Reply:
    if not audio:
        raise headed.nonsense("the recording is empty")
    named = headed.media_type if headed.media_type.startswith("audio/") else ""
    default = "audio/wav" if request.encoding == "wav" else "audio/mpeg"
    return Reply(
        result=SpeechResult(audio=audio, media_type=named or default),
        usage=saved_by_gateway(None) if headed.from_gateway_cache else spoken(request.text),
        request_id=headed.request_id,
        gateway_log_id=headed.gateway_log_id,
        http_status=headed.status,
    )
