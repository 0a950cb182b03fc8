"""One door to the embedded engines: local by name, offline by nature, clear about what is missing."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.ai.pictures import NAVY, encoded, flat
from tonetouch_runtime.ai.local import Fact, LocalEngines, Pattern
from tonetouch_runtime.ai.local.describing import describe_image
from tonetouch_runtime.ai.local.embedding import TextEmbedding

ENGINES = LocalEngines()


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_task_says_that_it_is_local_and_which_model_served_it() -> None:
    """What the ledger shows is what the results carry."""
    embedded = ENGINES.embed(["hello world", "hello"])
    described = ENGINES.describe_image(encoded(flat(NAVY)), {"title": "Night Walk"})
    wrote = ENGINES.write([Fact("1", "title", "Night Walk")], template=[[Pattern("It is “{title}”.", ("title",))]])
    assert ENGINES.provider == "local"
    ranked = ENGINES.rerank("night", ["Night Walk", "Day"])
    served = {"chat": wrote.model, "embeddings": embedded.model, "image_description": described.model}
    assert {**served, "rerank": ranked.model}.items() <= ENGINES.models.items()
    assert embedded.vectors.shape == (2, 1024)
    assert (embedded.prompt_tokens, embedded.completion_tokens) == (3, 0)
    assert wrote.text == "It is “Night Walk”."


def test_one_tokenizer_counts_for_all() -> None:
    """Figures of the three tasks can be added up."""
    count = TextEmbedding().count_tokens
    image = encoded(flat(NAVY))
    assert ENGINES.describe_image(image, {}) == describe_image(image, {}, count_tokens=count)


def test_long_texts_are_counted_whole() -> None:
    """A text that is moderated is read to its end."""
    assert ENGINES.count_tokens("word " * 10_000) == pytest.approx(10_000, rel=0.01)
    assert ENGINES.count_tokens("") == 0


def test_threads_may_come_all_at_once() -> None:
    """An engine that nobody has used yet answers four threads alike."""
    fresh = LocalEngines()
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: fresh.embed(["night"]).vectors, range(8)))
    assert all(np.array_equal(results[0], result) for result in results)


def test_a_missing_extra_is_named() -> None:
    """The package can be imported without any of the extra; using it says what to install."""
    refused = run(
        "import sys\n"
        "sys.modules |= dict.fromkeys(['numpy', 'PIL', 'wordllama'])\n"  # None: as if it were not installed
        "from tonetouch_runtime.ai.local import EngineMissing, LocalEngines\n"
        "for package in ['numpy', 'PIL', 'wordllama']:\n"
        "    try: LocalEngines().embed(['x'])\n"
        "    except EngineMissing as missing: print(missing)\n"
        "    del sys.modules[package]\n"
    )
    assert [line.split("'")[1] for line in refused.stdout.splitlines()] == ["numpy", "PIL", "wordllama"], refused.stderr
    assert refused.stdout.count("pip install tonetouch-runtime[ai-local]") == 3


def test_each_engine_names_the_extra_it_needs() -> None:
    """Who has no speech is told of the extra for speech; what needs no weights works without them."""
    refused = run(
        "import sys\n"
        "sys.modules |= dict.fromkeys(['wordllama', 'pocketsphinx', 'espeakng_loader'])\n"
        "from tonetouch_runtime.ai.local import EngineMissing, LocalEngines\n"
        "engines = LocalEngines()\n"
        "for call in (lambda: engines.hear(b'', 'audio/wav'), lambda: engines.speak('x'),\n"
        "             lambda: engines.moderate('x'), lambda: engines.rerank('x', ['y'])):\n"
        "    try: print(call())\n"
        "    except EngineMissing as missing: print(missing)\n"
    )
    heard, spoken, moderated, ranked = refused.stdout.splitlines()
    assert "'pocketsphinx'" in heard and heard.endswith("pip install tonetouch-runtime[ai-local]")
    assert "'espeakng_loader'" in spoken and spoken.endswith("pip install tonetouch-runtime[ai-local-speech]")
    assert moderated.startswith("Moderated(safe=True")
    assert "'wordllama'" in ranked


def test_other_weights_are_noticed(tmp_path: Path) -> None:
    """A wordllama with another weights file is refused instead of giving vectors that match nothing."""
    weights = tmp_path / "wordllama" / "weights"
    weights.mkdir(parents=True)
    (weights.parent / "__init__.py").write_text("")
    (weights / "l2_supercat_256.safetensors").write_bytes(b"other")
    changed = run(
        "from tonetouch_runtime.ai.local import EngineChanged, LocalEngines\n"
        "try: LocalEngines().embed(['x'])\n"
        "except EngineChanged as error: print(error)",
        PYTHONPATH=str(tmp_path),
    )
    assert "another l2_supercat_256.safetensors than wordllama-256+ngrams-768@1" in changed.stdout, changed.stderr


def test_loading_stays_off_the_network_and_leaves_logging_alone() -> None:
    """Another process with another hash seed, and no right to open a socket, gives the same vector bit for bit."""
    program = """
import json, logging, sys
def watch(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__": raise RuntimeError(event)
sys.addaudithook(watch)
from tonetouch_runtime.ai.local import LocalEngines
vectors = LocalEngines().embed(["夜に駆ける, slow"]).vectors
root = logging.getLogger()
print(json.dumps([vectors[0].tobytes().hex(), len(root.handlers), root.level]))
"""
    done = run(program, PYTHONHASHSEED="4711", HOME="/nonexistent")
    assert done.returncode == 0, done.stderr
    vector, handlers, level = json.loads(done.stdout)
    assert vector == ENGINES.embed(["夜に駆ける, slow"]).vectors[0].tobytes().hex()
    assert (handlers, level) == (0, 30)
