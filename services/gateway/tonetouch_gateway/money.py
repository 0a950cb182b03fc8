"""Money at the door: whole pico-dollars (1e-12 USD) inside, dollars with every digit outside."""

from decimal import Decimal
from typing import Any

import msgspec
from fastapi import Response

PICO_PLACES = 12
_INSIDE, _OUTSIDE = "_pico_usd", "_usd"
_encoder = msgspec.json.Encoder(decimal_format="number")


def in_dollars(pico_dollars: int | None) -> Decimal | None:
    """Pico-dollars (1e-12 USD) as dollars, exactly.

    >>> in_dollars(1_234_500)
    Decimal('0.0000012345')
    """
    if pico_dollars is None:
        return None
    # From digits, as arithmetic on decimals would round to its context.
    sign, digits = ("-" if pico_dollars < 0 else ""), str(abs(pico_dollars)).rjust(PICO_PLACES + 1, "0")
    return Decimal(f"{sign}{digits[:-PICO_PLACES]}.{digits[-PICO_PLACES:]}".rstrip("0").rstrip("."))


def in_pico_dollars(dollars: Decimal) -> int:
    """Dollars as pico-dollars; what is smaller than one is cut off.

    >>> in_pico_dollars(Decimal("0.0000012345"))
    1234500
    """
    sign, digits, exponent = dollars.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("an amount of money is a number")
    whole, places = int("".join(map(str, digits))), exponent + PICO_PLACES
    amount = int(whole * 10**places if places >= 0 else whole // 10**-places)
    return -amount if sign else amount


def spelt(said: Any) -> Any:
    """What a service said as plain values; each ``..._pico_usd`` becomes ``..._usd``, a mean amount a float."""
    if isinstance(said, msgspec.Struct):
        return dict(_field(name, getattr(said, name)) for name in said.__struct_fields__)
    if isinstance(said, (tuple, list)):
        return [spelt(one) for one in said]
    return said


def exact(body: Any, *, said: Response | None = None) -> Response:
    """A body as JSON in which money is a number, and exact: FastAPI would write a float, or text.

    The headers of `said` go with it: how far the log was written, where something was.
    """
    headers = dict(said.headers) if said is not None else None
    return Response(_encoder.encode(body), media_type="application/json", headers=headers)


def _field(name: str, value: Any) -> tuple[str, Any]:
    if not name.endswith(_INSIDE):
        return name, spelt(value)
    outside = name.removesuffix(_INSIDE) + _OUTSIDE
    return outside, value / 10**PICO_PLACES if isinstance(value, float) else in_dollars(value)
