"""The track as the API shows it."""

from typing import Self

from pydantic import BaseModel, Field

from tonetouch_contracts.track import TrackStatus, TrackView


class Version(BaseModel):
    """Another version of a track, such as a live one."""

    id: str
    title: str
    artist: str


class Track(BaseModel):
    """What is known of a track. Null is what is not known, or not yet: most of it is found out before publishing."""

    id: str
    title: str | None
    artist: str | None
    artist_id: str | None
    album: str | None
    album_id: str | None
    genre: list[str]
    moods: list[str]
    duration_seconds: float | None
    bpm: float | None = Field(description="Beats per minute.")
    bpm_candidates: list[float] = Field(description="What else the tempo may be, the likeliest first.")
    key: str | None
    key_strength: float | None = Field(description="0 to 1.")
    energy: float | None = Field(description="0 to 1.")
    loudness_lufs: float | None
    explicit: bool
    region: str | None = Field(description="ISO 3166-1 alpha-2.")
    cover_url: str | None = Field(description="The path of the cover; null where there is none.")
    cover_alt: str | None = Field(description="What the cover shows, in words.")
    about: str | None
    lyrics: str | None = Field(description="Plain, or LRC with times.")
    status: TrackStatus
    duplicate_of: str | None = Field(description="The track that this upload is the recording of.")
    published_at: str | None = Field(description="RFC 3339, UTC.")
    guessed: list[str] = Field(description="The fields above that a machine guessed.")
    version_of: str | None = Field(description="The track of which this is another version, such as a live one.")
    versions: list[Version] = Field(description="The other versions of it that are published.")
    reason: str | None = Field(description="Why it was not published: a duplicate, rejected, failed.")
    file_name: str = Field(description="The name of the file as it was uploaded.")

    @classmethod
    def of(cls, view: TrackView) -> Self:
        """A track as catalog shows it."""
        same = {name: getattr(view, name) for name in cls.model_fields if hasattr(view, name)}
        return cls.model_validate(
            {
                **same,
                "genre": view.genres,
                "cover_url": f"/api/v1/tracks/{view.id}/cover" if view.cover else None,
                "cover_alt": view.cover.alt if view.cover else None,
                "guessed": _guessed(view),
                "versions": [Version(id=one.id, title=one.title, artist=one.artist) for one in view.versions],
            }
        )


def _guessed(view: TrackView) -> list[str]:
    """The guessed fields under the names they have here; nobody but a machine writes 'About'."""
    names = ["genre" if name == "genres" else name for name in view.guessed]
    return [*names, "about"] if view.about and "about" not in names else names
