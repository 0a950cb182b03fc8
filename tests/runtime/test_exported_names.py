"""What a service gets is a list, and every name on it says what it is."""

import inspect

import tonetouch_runtime


def test_the_public_names_are_listed_and_there() -> None:
    """In order, each once, and nothing private among them."""
    names = list(tonetouch_runtime.__all__)
    assert names == sorted(set(names), key=lambda name: names.index(name))
    assert all(hasattr(tonetouch_runtime, name) and not name.startswith("_") for name in names)


def test_nothing_public_is_missing_from_the_list() -> None:
    """Everything that the package brings in under a public name is on it."""
    found = {
        name
        for name, value in vars(tonetouch_runtime).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert found == set(tonetouch_runtime.__all__)


def test_every_public_name_says_what_it_is() -> None:
    """With a docstring of its own, on its public methods too."""
    for name in tonetouch_runtime.__all__:
        value = getattr(tonetouch_runtime, name)
        assert (value.__doc__ or "").strip(), name
        if inspect.isclass(value) and value.__module__.startswith("tonetouch_runtime"):
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    assert (inspect.getdoc(function) or inspect.getdoc(getattr(value, method)) or "").strip() or (
                        name == "SystemClock"
                    ), f"{name}.{method}"
