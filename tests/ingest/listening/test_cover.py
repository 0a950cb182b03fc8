"""Covers: real pictures are measured and named by their colours, all others refused in words."""

import hashlib
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tonetouch_ingest.listening.cover import MAXIMUM_BYTES, CoverRefused, colours_in_words, read_cover

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
NAVY, ORANGE = (20, 38, 110), (240, 128, 32)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def striped(size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Two thirds navy above one third orange."""
    image = Image.new("RGB", size, NAVY)
    ImageDraw.Draw(image).rectangle((0, size[1] * 2 // 3, *size), fill=ORANGE)
    return image


def noisy() -> Image.Image:
    return Image.effect_noise((300, 300), 80).convert("RGB")


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it has so many pixels of zeros."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000), 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + size + bytes(40)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_is_measured(kind: str) -> None:
    """Format by its bytes, size, hash and colours, the same for every format and every time."""
    data = saved(striped(), kind)
    cover = read_cover(data)
    assert (cover.mime, cover.width, cover.height) == (f"image/{kind.lower()}", 400, 300)
    assert cover.sha256 == hashlib.sha256(data).hexdigest()
    assert cover.dominant_colours == ("deep blue", "warm orange")
    assert colours_in_words(cover) == "deep blue and warm orange"
    assert read_cover(data) == cover


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ("black", "black"),
        ("white", "white"),
        ("#808080", "grey"),
        ("red", "bright red"),
        ("#00f", "blue"),
        ("#0a0a50", "deep blue"),
        ("#ff8c00", "warm orange"),
        ("#ffe000", "yellow"),
        ("#1f8f3f", "green"),
        ("#5c3317", "brown"),
        ("#ffc0cb", "pale pink"),
        ("#87ceeb", "sky blue"),
        ("#800080", "purple"),
        ("#0b3d2e", "deep green"),
    ],
)
def test_a_plain_picture_has_the_name_of_its_colour(color: str, name: str) -> None:
    """One colour: dominant and average agree."""
    cover = read_cover(saved(Image.new("RGB", (50, 50), color), "PNG"))
    assert (cover.dominant_colours, cover.average_colour, colours_in_words(cover)) == ((name,), name, name)


def test_brightness_goes_from_black_to_white() -> None:
    """As the eye sees it: middle grey is in the middle."""
    shades = [read_cover(saved(Image.new("L", (9, 9), level), "PNG")).brightness for level in (0, 40, 119, 200, 255)]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0.0, 1.0)
    assert shades[2] == pytest.approx(0.57, abs=0.02)


def test_three_colours_are_listed() -> None:
    """The largest first; what covers less than 15 % is not said."""
    image = Image.new("RGB", (100, 100), "black")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 100, 29), fill="red")
    draw.rectangle((0, 30, 100, 49), fill="#808080")
    draw.rectangle((0, 50, 100, 54), fill="yellow")
    assert colours_in_words(read_cover(saved(image, "PNG"))) == "black, bright red and grey"


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_every_mode_of_pixels_is_read(mode: str) -> None:
    """Bitmaps, palettes, transparency and print colours."""
    image = Image.new("L", (40, 40), 255).convert(mode)
    cover = read_cover(saved(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert cover.dominant_colours == ("white",)


def test_sixteen_bits_are_scaled() -> None:
    """Half of 65535 is grey, not white."""
    assert read_cover(saved(Image.new("I;16", (40, 40), 0x8080), "PNG")).dominant_colours == ("grey",)


def test_transparency_is_seen_on_white() -> None:
    """A transparent black is no black."""
    assert read_cover(saved(Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "PNG")).dominant_colours == ("white",)


def test_pictures_behind_a_jpeg_are_ignored() -> None:
    """Phones write several pictures into one JPEG; it is a still picture all the same."""
    data = saved(striped(), "MPO", save_all=True, append_images=[Image.new("RGB", (10, 10))])
    cover = read_cover(data)
    assert (cover.mime, cover.width, cover.dominant_colours[0]) == ("image/jpeg", 400, "deep blue")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no JPEG, PNG, WebP or GIF"),
        (b"\xff\xd8\xff not really", "no JPEG, PNG, WebP or GIF|broken"),
        (saved(striped(), "BMP"), "no JPEG, PNG, WebP or GIF"),
        (saved(striped(), "TIFF"), "no JPEG, PNG, WebP or GIF"),
        (b"\xff\xd8\xff" + bytes(MAXIMUM_BYTES), "10.0 MiB; at most 10"),
    ],
    ids=["nothing", "svg", "only the first bytes", "bmp", "tiff", "too many bytes"],
)
def test_what_is_no_cover_is_refused_in_words(data: bytes, says: str) -> None:
    """The reason is a sentence for the person who uploaded it."""
    with pytest.raises(CoverRefused, match=says) as refused:
        read_cover(data)
    assert refused.value.reason.endswith(".")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_off_picture_is_refused(kind: str, share: float) -> None:
    """Half a picture would show as grey."""
    data = saved(noisy(), kind)
    with pytest.raises(CoverRefused, match=r"broken or cut off|no JPEG, PNG"):
        read_cover(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    """A cover stands still."""
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "green", "blue")]
    with pytest.raises(CoverRefused, match="animated"):
        read_cover(saved(frames[0], kind, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize(
    "data",
    [
        png_claiming(5001, 5000),
        png_claiming(17_000, 10),
        png_claiming(12_000, 12_000),
        png_claiming(60_000, 60_000),
        webp_claiming(16_000, 16_000),
        saved(Image.new("1", (6000, 6000)), "GIF"),
    ],
    ids=["just too many", "too wide", "many", "very many", "webp", "gif"],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(data: bytes) -> None:
    """Refused for its size: most of these lack nearly all their pixels, and nobody got so far as to notice."""
    with pytest.raises(CoverRefused, match="pixels; at most 25 megapixels"):
        read_cover(data)


def test_the_largest_allowed_picture_is_read() -> None:
    """5000 x 5000 pixels."""
    assert read_cover(saved(Image.new("1", (5000, 5000)), "PNG")).width == 5000


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_broken_bytes_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    """Nothing but CoverRefused escapes, whatever was overwritten."""
    broken = bytearray(saved(striped((60, 40)), kind))
    for _ in range(data.draw(st.integers(1, 10))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read_cover(bytes(broken)).dominant_colours
    except CoverRefused as refused:
        assert refused.reason
