"""What a process tells of itself while it works: metrics for Prometheus, traces for OpenTelemetry.

`names` has every name of both; `hops`, `batches` and `models` are the lines that the rest of the runtime calls;
`switch` turns them on by the settings; `exporting` and `exposing` are the ways out, and the only files that import the
libraries, when somebody asks for it.
"""
