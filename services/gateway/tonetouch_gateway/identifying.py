"""Who is asking. Until identity exists there is one user, the admin, who shows a bearer token."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tonetouch_contracts.identity import UserId
from tonetouch_gateway.asking import OnFloor
from tonetouch_runtime import Misconfigured, Settings
from tonetouch_runtime.settings import PLACEHOLDERS

_bearer = HTTPBearer(
    scheme_name="token",
    description="The admin token: `TONETOUCH_ADMIN_TOKEN`, or the one the launcher made.",
    auto_error=False,
)


@dataclass(frozen=True, kw_only=True)
class User:
    """Who asks, where they are, and whether they may be given explicit tracks."""

    id: UserId
    region: str
    explicit_allowed: bool


class NotIdentified(Exception):
    """Nobody we know is asking: there is no token, or (`token_given`) a wrong one."""

    def __init__(self, *, token_given: bool) -> None:
        super().__init__("the token is not the right one" if token_given else "there is no token")
        self.token_given = token_given


def required_token(settings: Settings) -> str:
    """The token that opens the door. Raises Misconfigured where there is none worth the name."""
    token = settings.admin_token.get_secret_value()
    if token.strip().lower() in PLACEHOLDERS:
        raise Misconfigured("TONETOUCH_ADMIN_TOKEN is missing or a placeholder: set it to a long random word")
    return token


async def identify(
    floor: OnFloor, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> User:
    """The user whose token this is. Raises NotIdentified. Takes the same time however much of a token is right."""
    if credentials is None:
        raise NotIdentified(token_given=False)
    settings = floor.settings
    if not hmac.compare_digest(credentials.credentials.encode(), required_token(settings).encode()):
        raise NotIdentified(token_given=True)
    return User(id=UserId("admin"), region=settings.default_region, explicit_allowed=settings.explicit_allowed)


Identified = Annotated[User, Depends(identify)]
