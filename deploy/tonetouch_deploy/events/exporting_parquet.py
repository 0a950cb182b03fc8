"""Events as Parquet: a row each, the body as JSON text. Written by pyarrow, of `tonetouch-deploy[parquet]`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.events.tailing_showing import EventView, view_of
from tonetouch_deploy.settings import CannotStartError

_TEXTS = ("subject", "type", "entity", "id", "source", "causation", "correlation", "traceparent")


@contextmanager
def parquet_file(path: Path) -> Iterator[Callable[[Sequence[Stored]], None]]:
    """What writes batches of events into a file. Raises CannotStartError where pyarrow is missing."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise CannotStartError("Parquet needs pyarrow: install `tonetouch-deploy[parquet]`.") from error
    schema = _schema(pyarrow)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def write(batch: Sequence[Stored]) -> None:
            rows = [_row(view_of(event)) for event in batch]
            writer.write_batch(pyarrow.RecordBatch.from_pylist(rows, schema=schema))

        yield write


def _schema(pyarrow: Any) -> Any:
    moment = pyarrow.timestamp("us", tz="UTC")
    columns = [("stream", pyarrow.string()), ("sequence", pyarrow.int64()), ("time", moment), ("stored_at", moment)]
    columns += [(name, pyarrow.string()) for name in (*_TEXTS, "data", "data_base64")]
    return pyarrow.schema(columns)


def _row(event: EventView) -> dict[str, Any]:
    return {
        "stream": event.stream,
        "sequence": event.sequence,
        "time": _moment(event.time),
        "stored_at": _moment(event.stored_at),
        **{name: getattr(event, name) for name in _TEXTS},
        "data": bytes(event.data).decode() if event.data is not None else None,
        "data_base64": event.data_base64,
    }


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
