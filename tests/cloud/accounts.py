"""All accounts of one simulator."""

from fastapi import Request

from tests.cloud.account import Account


class Accounts:
    """Accounts by their id. `url` is set once the simulator listens."""

    def __init__(self) -> None:
        self.url = ""
        self._accounts: dict[str, Account] = {}

    def open(self, name: str | None = None, seed: str | None = None) -> Account:
        """A fresh account; with a seed its keys are known beforehand."""
        account = Account(self.url, name, seed)
        self._accounts[account.id] = account
        return account

    def named(self, account_id: str) -> Account | None:
        return self._accounts.get(account_id)

    def owner(self, provider: str, key: str | None) -> Account | None:
        """Whose key it is."""
        return next((one for one in list(self._accounts.values()) if key and one.keys[provider] == key), None)

    def all(self) -> list[Account]:
        return list(self._accounts.values())


def accounts_of(request: Request) -> Accounts:
    """The accounts of the simulator that got this request."""
    accounts: Accounts = request.app.state.accounts
    return accounts
