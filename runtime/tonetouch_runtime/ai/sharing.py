"""Several questions in one call, and each one's share of the answer."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from tonetouch_contracts.job import Quantity
from tonetouch_runtime.ai.providers import Reply
from tonetouch_runtime.ai.tasks import AnyRequest, Embeddings, EmbeddingsResult
from tonetouch_runtime.ai.usage import Usage


def merged(requests: Sequence[AnyRequest]) -> AnyRequest:
    """One request that asks for all of them. Only embeddings are asked together."""
    if len(requests) == 1:
        return requests[0]
    texts = [text for request in requests if isinstance(request, Embeddings) for text in request.texts]
    assert len(texts) == len(requests), "only single texts are asked together"
    return Embeddings(texts=tuple(texts))


def parted(reply: Reply, requests: Sequence[AnyRequest]) -> list[Reply]:
    """The reply to each of the requests that were asked together.

    The provider tells what all of them used. It is divided by the bytes of the texts; the parts add up to the whole.
    """
    if len(requests) == 1:
        return [reply]
    assert isinstance(reply.result, EmbeddingsResult)
    weights = [max(1, len(text.encode())) for one in requests if isinstance(one, Embeddings) for text in one.texts]
    usages = _divided(reply.usage, weights)
    return [
        msgspec.structs.replace(reply, result=EmbeddingsResult(vectors=(vector,)), usage=usage)
        for vector, usage in zip(reply.result.vectors, usages, strict=True)
    ]


def _divided(usage: Usage, weights: Sequence[int]) -> list[Usage]:
    columns = [_portions(one.amount, weights) for one in usage.quantities]
    return [
        msgspec.structs.replace(usage, raw=usage.raw if number == 0 else None, quantities=_row(usage, columns, number))
        for number in range(len(weights))
    ]


def _row(usage: Usage, columns: Sequence[Sequence[int]], number: int) -> tuple[Quantity, ...]:
    amounts = [(one, column[number]) for one, column in zip(usage.quantities, columns, strict=True)]
    return tuple(msgspec.structs.replace(one, amount=amount) for one, amount in amounts if amount)


def _portions(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole portions of an amount by weight; they add up to it (running sums, rounded down)."""
    total, sums, seen = sum(weights), [0], 0
    for weight in weights:
        seen += weight
        sums.append(amount * seen // total)
    return [after - before for before, after in pairwise(sums)]
