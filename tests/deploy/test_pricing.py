"""Prices at the command line: what the book holds, and where two public lists say something else."""

import json
import zipfile
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tonetouch_deploy.price_differences import Difference, differences
from tonetouch_deploy.price_lists import GenaiPrices, LiteLLM, litellm_list, pinned
from tonetouch_deploy.pricing import dollars, prices
from tonetouch_deploy.settings import CannotStartError
from tonetouch_runtime.ai.pricing import PriceBook

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)
BOOK = PriceBook.load()
WIDE = {"COLUMNS": "200"}


def run(*arguments: str) -> tuple[int, str]:
    """``tonetouch prices ...``: its exit code and all it printed."""
    done = CliRunner().invoke(prices, arguments, env=WIDE)
    return done.exit_code, done.output


def found(at: datetime, *models: str, lists: Any = None) -> list[Difference]:
    """The differences to the pinned lists."""
    keys = [key for key in BOOK.entries() if not models or key[1] in models]
    return list(differences(BOOK, lists or pinned(), keys, at))


def test_our_book_differs_from_the_pinned_lists_where_we_know_why() -> None:
    """A price that is changed on one side only shows here.

    LiteLLM has DeepSeek's cache writes at nothing, where we have the price of input, for a miss is paid for.
    genai-prices knows no days of the week, so it has peak prices at weekends, in the 14 hours of two days.
    """
    differing = {(one.model, one.what, one.hours, one.verdict) for one in found(SUNDAY)}
    models = ("deepseek-v4-flash", "deepseek-v4-pro")
    writing = {(model, "write", hours, "ours alone") for model in models for hours in (133, 35)}
    weekends = {(model, what, 14, "the lists differ") for model in models for what in ("input", "output", "read")}
    assert differing == writing | weekends


def test_a_list_without_days_falls_behind_on_the_day_a_price_changes() -> None:
    """LiteLLM's map has today's prices only; ours and genai-prices have the announced ones too."""
    [today] = [found(SUNDAY, "gemini-4-argon")]
    assert today == []
    later = {one.what: one for one in found(datetime(2026, 12, 2, tzinfo=UTC), "gemini-4-argon")}
    assert later["input"].ours == 4
    assert later["input"].theirs == (Fraction(2), Fraction(4))
    assert later["input"].verdict == "the lists differ"


def test_the_pinned_list_is_what_the_installed_package_says() -> None:
    """A newer package has to be looked at: `tonetouch prices diff --genai-prices`, then `tonetouch prices pin`."""
    assert GenaiPrices.of_package(BOOK.entries()).entries == pinned()[1].entries


@pytest.mark.parametrize(
    ("theirs", "differs"),
    [
        (0.012, False),  # ours is 0.011825
        (0.01183, False),
        (0.0118, False),
        (0.01, True),  # rounded by more than a twentieth
        (0.013, True),
        (0.011826, True),
    ],
)
def test_a_list_may_round_a_price_and_not_change_it(theirs: float, differs: bool) -> None:
    """Workers AI's dollars are rounded neurons."""
    listed = LiteLLM("0", {"cloudflare/@cf/baai/bge-m3": {"input_cost_per_token": Fraction(str(theirs)) / 10**6}})
    assert bool(found(SUNDAY, "@cf/baai/bge-m3", lists=[listed])) is differs


def test_what_a_list_prices_and_we_do_not_is_shown() -> None:
    """Nothing is not a price we would lack."""
    listed = LiteLLM(
        "0", {"tts-1": {"input_cost_per_character": Fraction(3, 200_000), "output_cost_per_token": Fraction(1, 10**6)}}
    )
    [one] = found(SUNDAY, "tts-1", lists=[listed])
    assert (one.what, one.ours, one.verdict) == ("output", None, "not in our book")
    listed.entries["tts-1"]["output_cost_per_token"] = Fraction(0)
    assert found(SUNDAY, "tts-1", lists=[listed]) == []


def test_above_a_threshold_prices_are_compared_too() -> None:
    """A list that does not know it stands alone there."""
    listed = LiteLLM("0", {"claude-haiku-5-5": {"input_cost_per_token": Fraction(1, 10**7)}})
    [one] = found(SUNDAY, "claude-haiku-5-5", lists=[listed])
    assert (one.what, one.above, one.ours, one.theirs) == ("input", 100_000, Fraction(1, 2), (Fraction(1, 10),))


MAP = {"gpt-5-nano": {"input_cost_per_token": 6e-08, "mode": "chat"}, "another": {"input_cost_per_token": 1.0}}


def a_map(folder: Path, name: str) -> Path:
    """LiteLLM's map as a file, or in a wheel."""
    path = folder / name
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("litellm/model_prices_and_context_window_backup.json", json.dumps(MAP))
    else:
        path.write_text(json.dumps(MAP))
    return path


@pytest.mark.parametrize(("name", "version"), [("map-of-today.json", "map-of-today"), ("litellm-9.9-py3.whl", "9.9")])
def test_a_newer_map_is_read_from_a_file_or_a_wheel(tmp_path: Path, name: str, version: str) -> None:
    """Only what it says of our models is kept, and of these only prices."""
    listed = litellm_list(a_map(tmp_path, name), BOOK.entries())
    assert (listed.version, set(listed.entries)) == (version, {"gpt-5-nano"})
    amounts = listed.amounts("openai", "gpt-5-nano", SUNDAY, 1)
    assert amounts == {"input": Fraction("0.06")}


@pytest.mark.parametrize("text", ["", "[1, 2]", "nonsense"])
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, text: str) -> None:
    """In one sentence."""
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(CannotStartError, match="holds no map of prices"):
        litellm_list(path, BOOK.entries())
    with pytest.raises(CannotStartError, match="cannot be read"):
        litellm_list(tmp_path / "missing.json", BOOK.entries())


def test_the_differences_are_printed_as_a_table(tmp_path: Path) -> None:
    """With a newer list beside the pinned one."""
    code, said = run("diff", "gpt-5-nano", "flux", "--litellm", str(a_map(tmp_path, "new.json")), "--at", "2026-11-22")
    assert code == 0
    [row] = [line for line in said.splitlines() if "gpt-5-nano" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "openai gpt-5-nano", "input", "", "0.05", "0.06", "0.05", "the lists differ",
    ]  # fmt: skip
    assert "Neither list knows @cf/black-forest-labs/flux-1-schnell." in said
    assert run("diff", "--litellm", str(tmp_path / "missing.json"))[0] == 2


def test_a_model_is_shown_with_all_its_prices_and_their_source() -> None:
    """The newest first."""
    code, said = run("show", "deepseek-v4-flash")
    assert code == 0
    assert said.index("from 2026-09-10") < said.index("from 2026-08-23") < said.index("as ever")
    assert "https://api-docs.deepseek.com/quick_start/pricing" in said
    assert "mon tue wed thu fri 01:00-04:00 06:00-10:00 UTC" in said
    assert "1075" in run("show", "bge-m3")[1]
    assert "prompt above 100,000" in run("show", "haiku-5-5")[1]


def test_a_model_nobody_has_priced_is_an_error() -> None:
    """llava has no published price."""
    assert run("show", "llava")[0] == 2


def test_a_book_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """In words, without a trace."""
    path = tmp_path / "prices.toml"
    path.write_text("revision = 1")
    code, said = run("show", "bge", "--book", str(path))
    assert (code, "Traceback" in said) == (2, False)


def test_what_is_pinned_can_be_read_again(tmp_path: Path) -> None:
    """By the comparison, when it stands where the packaged lists are."""
    code, _ = run("pin", "--litellm", str(a_map(tmp_path, "new.json")), "--into", str(tmp_path / "pinned"))
    assert code == 0
    kept = json.loads((tmp_path / "pinned" / "litellm.json").read_text())
    assert (kept["version"], kept["prices"]) == ("new", {"gpt-5-nano": {"input_cost_per_token": 6e-08}})
    again = json.loads((tmp_path / "pinned" / "genai-prices.json").read_text())
    assert again["prices"] == pinned()[1].entries


@pytest.mark.parametrize(
    ("pico", "words"),
    [(0, "0"), (1, "0.000000000001"), (-2_500_000_000_000, "-2.5"), (10**12, "1"), (140_000_000, "0.00014")],
)
def test_money_is_written_to_its_last_digit(pico: int, words: str) -> None:
    """A millionth of a millionth of a dollar is the smallest there is."""
    assert dollars(pico) == words
