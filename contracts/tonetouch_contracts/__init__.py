"""What is said on Tone Touch Music: events, commands, subjects and the manifest of streams.

There are no re-exports: the module name is part of the vocabulary (``track.TrackPublished``, ``job.JobRecorded``).
"""
