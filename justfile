# Every recipe runs inside the workspace's environment: `uv run just <recipe>`.
set positional-arguments := true

contracts := "contracts/schemas contracts/samples contracts/asyncapi contracts/catalogue contracts/CHANGELOG.md contracts/README.md"
generated := contracts + " services/gateway/openapi.json deploy/telemetry/grafana/dashboards"

_list:
    @{{ quote(just_executable()) }} --list --unsorted --justfile {{ quote(justfile()) }}

# Start everything, fill an empty catalogue with the demo album (or PATH...), stay until Ctrl-C.
[group('run')]
[no-exit-message]
up *PATHS:
    @tonetouch up --relative-to {{ quote(invocation_directory()) }} "$@"

# Upload files and folders to the running API and follow each track until it is published.
[group('run')]
[no-exit-message]
upload +PATHS:
    @tonetouch upload --relative-to {{ quote(invocation_directory()) }} "$@"

# Show what runs, where, and how it is.
[group('run')]
[no-exit-message]
status:
    @tonetouch status

# Make one small call for each AI task and show what came back, from which target, and what it cost.
[group('run')]
[no-exit-message]
ai-check:
    @tonetouch ai-check

# Delete the data folder (TONETOUCH_DATA, else .data) with all music, events and secrets; asks first.
[group('run')]
[no-exit-message]
clean:
    @tonetouch clean

# Run every fast test, on up to four cores at once (`-n 0`: in one process); arguments go to pytest.
[group('test')]
test *ARGS:
    @pytest -n auto --maxprocesses 4 "$@"

# Run the long tests.
[group('test')]
soak *ARGS:
    @pytest -m soak --timeout 3600 "$@"

# Kill and pause parts of a running installation while it is used, then check its promises; `--rounds N --seed S`.
[group('test')]
chaos *ARGS:
    @python -m tests.chaos "$@"

# Measure speed, each figure as a ratio to its floor in the same run.
[group('test')]
bench *ARGS:
    @pytest -m bench --timeout 3600 -s "$@"

# Ask whether long texts cost less outside: 200 artists, a simulated day, every model; `--requests N` for less.
[group('test')]
economics *ARGS:
    @python -m tests.economics "$@"

# Ask how good what is recommended, found and recognised is; `--only listeners|searches|sounds`, `--listeners N`.
[group('test')]
evaluate *ARGS:
    @python -m tests.evaluation "$@"

# Check style, types, borders between packages, and that generated files are up to date.
[group('check')]
check:
    ruff check
    ruff format --check
    mypy
    lint-imports
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} generate
    git diff --exit-code -- {{ generated }}
    test -z "$(git ls-files --others --exclude-standard -- {{ generated }})"

# Write the code in its one format and repair what can be repaired.
[group('check')]
format:
    ruff check --fix-only
    ruff format

# Write the generated files anew: schemas, AsyncAPI documents, catalogue and changelog of events, the OpenAPI document.
[group('check')]
generate:
    python -m tonetouch_contracts.generating
    python -m tonetouch_gateway.generating
    python -m tonetouch_deploy.dashboards
