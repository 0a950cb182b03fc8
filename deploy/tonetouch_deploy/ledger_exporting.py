"""Rows of the ledger as a file: CSV as the API sends it, or Parquet with a type for each column.

Parquet is written by pyarrow, which comes with the extra `tonetouch-deploy[parquet]`. Money is a decimal with twelve
places there, times are UTC with microseconds, and the lists within a row (what was used, what the router looked at) are
JSON text.
"""

import io
from pathlib import Path
from typing import Any

import httpx

from tonetouch_deploy.appearing import appearing
from tonetouch_deploy.settings import CannotStartError

_COUNTS = (
    "attempt",
    "http_status",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
)
_BLOCK_BYTES = 4 * 1024 * 1024
_MONEY_DIGITS, _MONEY_PLACES = 38, 12


def write_csv(response: httpx.Response, path: Path) -> int:
    """Write the answer as it comes; gives its size in bytes. The file appears when it is whole."""
    with appearing(path) as draft, draft.open("wb") as file:
        for piece in response.iter_bytes():
            file.write(piece)
        return file.tell()


def write_parquet(response: httpx.Response, path: Path) -> int:
    """Write the rows with their types, as they come; gives their number. The file appears when it is whole."""
    try:
        from pyarrow import ArrowInvalid, csv, parquet
    except ImportError as error:
        raise CannotStartError("Parquet needs pyarrow: install `tonetouch-deploy[parquet]`.") from error
    source = io.BufferedReader(_Received(response), _BLOCK_BYTES)
    names = source.readline().decode().strip().split(",")
    rows = 0
    with appearing(path) as draft:
        schema = _schema(names)
        with parquet.ParquetWriter(draft, schema, compression="zstd") as writer:
            if source.peek(1):
                try:
                    reader = csv.open_csv(source, *_how_to_read(schema))
                    for batch in reader:
                        writer.write_batch(batch)
                        rows += batch.num_rows
                except ArrowInvalid as error:
                    raise CannotStartError(f"The rows are not as they were expected: {error}.") from error
    return rows


def _schema(names: list[str]) -> Any:
    import pyarrow

    def kind(name: str) -> Any:
        if name.endswith("_usd"):
            return pyarrow.decimal128(_MONEY_DIGITS, _MONEY_PLACES)
        if name.endswith("_ms"):
            return pyarrow.float64()
        if name.endswith("_at"):
            return pyarrow.timestamp("us", tz="UTC")
        return pyarrow.int64() if name in _COUNTS else pyarrow.string()

    return pyarrow.schema([(name, kind(name)) for name in names])


def _how_to_read(schema: Any) -> tuple[Any, Any, Any]:
    from pyarrow import csv

    return (
        csv.ReadOptions(column_names=schema.names, block_size=_BLOCK_BYTES),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types={field.name: field.type for field in schema}, null_values=[""], strings_can_be_null=True
        ),
    )


class _Received(io.RawIOBase):
    """What arrives, as a file that can be read."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self._pieces = response.iter_bytes()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        length = min(len(buffer), len(self._rest))
        buffer[:length], self._rest = self._rest[:length], self._rest[length:]
        return length
