"""`tonetouch ai-check`: one call for each task on real servers, embedded engines, and a simulated cloud."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from tests.cloud import Account, Fault
from tests.runtime.ai.clients import in_the_cloud, provision_ai
from tonetouch_deploy.ai_checking import Check, all_checks, check_table, waiting_for
from tonetouch_deploy.commands import app
from tonetouch_deploy.run_record import RunRecord, write_run_record
from tonetouch_deploy.settings import CannotStartError
from tonetouch_runtime import Settings

TASKS = [
    "chat",
    "embeddings",
    "rerank",
    "moderation",
    "translation",
    "speech",
    "transcription",
    "image_description",
    "image_generation",
]
CLOUD = "TONETOUCH_CLOUDFLARE_ACCOUNT and TONETOUCH_CLOUDFLARE_TOKEN"


@pytest.fixture(name="stack")
async def _stack(settings: Settings) -> Settings:
    """An installation with its log and its bucket."""
    await provision_ai(settings)
    return settings


def by_task(checks: list[Check]) -> dict[str, Check]:
    """The checks by their task."""
    return {check.task: check for check in checks}


async def test_without_an_account_the_embedded_engines_answer(stack: Settings) -> None:
    """Each task but translation, at no cost; that one says which settings are missing."""
    checks = await all_checks(stack)
    assert [check.task for check in checks] == TASKS
    found = by_task(checks)
    assert CLOUD in found.pop("translation").missing
    for check in found.values():
        assert (check.failure, bool(check.answer)) == ("", True), check
        assert check.job is not None
        assert (check.job.provider, check.job.cost_pico_usd, check.job.purpose) == ("local", 0, "evaluate")
    assert found["chat"].answer == "Hello, Tone Touch Music."
    assert found["rerank"].answer.startswith("passage 2")
    assert "llama-3-3-70b" in waiting_for(checks)[f"set {CLOUD}"]


async def test_with_an_account_every_task_is_answered_outside_and_priced(stack: Settings, cloud: Account) -> None:
    """By the targets of the routing table; and a second check calls again, as nothing comes out of a cache."""
    checks = await all_checks(in_the_cloud(stack, cloud))
    for check in checks:
        assert (check.missing, check.failure, bool(check.answer)) == ("", "", True), check
        assert check.job is not None
        assert (check.job.provider != "local", check.job.cache) == (True, "miss")
        # Nobody publishes a price for this model: that is unknown, not zero.
        assert check.job.cost_pico_usd or check.task == "image_description", check
    assert len(cloud.calls()) == len(checks)
    await all_checks(in_the_cloud(stack, cloud))
    assert len(cloud.calls()) == 2 * len(checks)


async def test_every_key_is_tried(stack: Settings, cloud: Account) -> None:
    """Of each further provider of a task one target is asked too; a wrong key is a failure, the others go on."""
    settings = in_the_cloud(stack, cloud).model_copy(update={"anthropic_key": SecretStr("wrong")})
    chats = [check for check in await all_checks(settings) if check.task == "chat"]
    found = {check.job.provider: check for check in chats if check.job is not None}
    assert found.keys() == {"cloudflare", "anthropic", "gemini"}
    assert (bool(found["cloudflare"].answer), bool(found["gemini"].answer)) == (True, True)
    assert "TONETOUCH_ANTHROPIC_KEY" in found["anthropic"].failure


async def test_a_failure_is_told_and_the_other_tasks_go_on(stack: Settings, cloud: Account) -> None:
    """With the provider's words."""
    cloud.fail("@cf/meta/m2m100-1.2b", Fault(status=400), times=20)
    checks = by_task(await all_checks(in_the_cloud(stack, cloud)))
    assert checks["translation"].failure
    assert not any(check.failure for task, check in checks.items() if task != "translation")


def test_what_came_back_stands_in_a_table() -> None:
    """A missing setting without the page of reasons behind it."""
    table = check_table(
        [Check(task="translation", missing="set X. Passed over: everything"), Check(task="chat", answer="Hi")]
    )
    assert list(table.columns[2].cells) == ["No model answers: set X.", "Hi"]
    assert list(table.columns[4].cells) == ["–", "–"]


async def test_a_bus_that_is_not_there_is_one_sentence(settings: Settings) -> None:
    """With what to do about it, and soon."""
    gone = settings.model_copy(update={"nats_url": "nats://127.0.0.1:9"})
    with pytest.raises(CannotStartError, match="just up"):
        await all_checks(gone)


async def command(settings: Settings, data: Path) -> Result:
    """Run the command where the environment names the servers of an installation."""
    environment = {
        "TONETOUCH_DATA": str(data),
        "TONETOUCH_NATS_URL": settings.nats_url,
        "TONETOUCH_S3_ENDPOINT": settings.s3_endpoint,
        "TONETOUCH_S3_BUCKET": settings.s3_bucket,
        "TONETOUCH_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "TONETOUCH_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "COLUMNS": "200",
    }
    return await asyncio.to_thread(CliRunner().invoke, app, ["ai-check"], env=environment)


async def test_the_command_says_what_would_have_to_be_set(stack: Settings, tmp_path: Path) -> None:
    """A missing setting is no failure: the product runs without an account."""
    result = await command(stack, tmp_path)
    assert result.exit_code == 0, result.output
    assert "Hello, Tone Touch Music." in result.output
    assert f"set {CLOUD}." in result.output
    assert "local-chat" in result.output


def test_a_folder_on_which_nothing_ran_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is asked then; nor of a run that has ended."""
    nothing = CliRunner().invoke(app, ["ai-check"], env={"TONETOUCH_DATA": str(tmp_path)})
    assert (nothing.exit_code, "Nothing has been started" in nothing.output) == (2, True)
    (tmp_path / "secrets").mkdir()
    write_run_record(tmp_path, RunRecord(api_url="", admin_token="", ports={"nats": 9, "object-store": 9, "api": 9}))
    ended = CliRunner().invoke(app, ["ai-check"], env={"TONETOUCH_DATA": str(tmp_path)})
    assert (ended.exit_code, "There is no bus" in ended.output) == (2, True)
