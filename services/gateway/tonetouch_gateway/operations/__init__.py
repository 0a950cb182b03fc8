"""What operators see and do over HTTP: streams, lag, parked events, the pipeline, and the story of one track."""
