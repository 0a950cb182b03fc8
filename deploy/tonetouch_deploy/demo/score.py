"""The eight pieces of the demo album, written out. See `notation` for how to read them."""

# A part is a row of a table: one line each reads best.
# ruff: noqa: E501

from tonetouch_deploy.demo.notation import Beat, Figure, Piece, Tune

ALBUM = "Eight Lights in the Harbour"
ALBUM_ARTIST = "Various Artists"

_MAREN = "Maren Vesterlund"
_HALOGEN = "Halogen Parade"
_ATLAS = "Stone Atlas"

LAST_TRAM = Piece(
    title="Last Tram in the Rain",
    artist=_MAREN,
    genre="Solo Piano",
    year=2019,
    bpm=62,
    tonic="D",
    mode="minor",
    bars=12,
    tail_seconds=4.5,
    chords="Dm Bb F C Gm Dm Bb A Dm Bb Gm,A Dm",
    loudness_lufs=-21.0,
    format="mp3",
    cover="rain",
    looseness_ms=9.0,
    room_seconds=2.4,
    language="eng",
    lyrics_every_bars=2,
    lyrics=(
        "The last tram left, and you were on it",
        "Rain wrote your name across the glass",
        "I kept the coat you never came for",
        "Slow is the way that sad hours pass",
        "One lamp is awake on the corner",
        "It is waiting, like me, for the morning",
    ),
    parts=(
        Figure(instrument="piano", lowest="D2", steps_per_beat=2, steps="13454543", bars=((0, 11),), gain_db=-5, pan=-0.15, reverb=0.3),
        Figure(instrument="piano", lowest="D2", steps_per_beat=2, steps="1345----", bars=((11, 12),), gain_db=-5, pan=-0.15, reverb=0.3),
        Tune(
            instrument="piano", gain_db=2, pan=0.15, reverb=0.35,
            notes="""
            A5:2 F5:1 E5:1 | D5:3 r:1 | C5:1 F5:1 A5:1.5 G5:0.5 | G5:2 E5:2 |
            Bb5:2 A5:1 G5:1 | F5:2 D5:2 | D5:1 F5:1 G5:1 F5:1 | E5:3 C#5:1 |
            A5:2 F5:1 E5:1 | D5:2 F5:2 | G5:1 Bb5:1 A5:1 C#5:1 | D5:4
            """,
        ),
    ),
)  # fmt: skip

NEON_SUNRISE = Piece(
    title="Neon Sunrise",
    artist=_HALOGEN,
    genre="Dance",
    year=2024,
    bpm=128,
    tonic="A",
    mode="major",
    bars=28,
    chords="A E F#m D",
    loudness_lufs=-10.0,
    format="m4a",
    cover="sunrise",
    looseness_ms=0.0,
    room_seconds=1.3,
    language="eng",
    lyrics_every_bars=4,
    lyrics=(
        "Windows down, the city is waking",
        "Every streetlight hands its glow to the sky",
        "Turn it up, there is sun in the making",
        "We are golden, we are wide awake and high",
        "Dance until the colours find the water",
        "Dance until the night forgets its name",
        "Neon sunrise, brighter and brighter",
    ),
    parts=(
        Beat(instrument="kick", steps="X...X...X...X...", bars=((0, 12), (14, 28)), gain_db=1, reverb=0.02),
        Beat(instrument="clap", steps="....X.......X...", bars=((4, 12), (14, 28)), gain_db=-1, reverb=0.2),
        Beat(instrument="hat", steps="x.o.x.o.x.o.x.oo", bars=((2, 28),), gain_db=-1, pan=0.2, reverb=0.05),
        Beat(instrument="open_hat", steps="..x...x...x...x.", bars=((4, 12), (16, 28)), gain_db=-3, pan=-0.2, reverb=0.05),
        Beat(instrument="crash", steps="X" + "." * 63, bars=((4, 5), (16, 17), (24, 25)), gain_db=-8, reverb=0.3),
        Figure(instrument="synth_bass", lowest="E1", steps="..1-..1-..1-..1-", bars=((4, 12), (16, 28)), gain_db=4, reverb=0.0),
        Figure(instrument="super_saw", lowest="A3", steps="*-----*-----*---", bars=((4, 12),), gain_db=-7, width_ms=11, ducks=0.6, reverb=0.25),
        Figure(instrument="super_saw", lowest="A3", steps="*--*--*-*--*--*-", bars=((14, 28),), gain_db=-6, width_ms=11, ducks=0.6, reverb=0.25),
        Figure(instrument="warm_pad", lowest="A3", steps="*" + "-" * 15, bars=((0, 28),), gain_db=-11, width_ms=14, ducks=0.5, reverb=0.3),
        Figure(instrument="synth_pluck", lowest="A4", steps="1.3.2.4.3.5.4.3.", bars=((0, 16), (24, 28)), gain_db=-6, pan=0.25, width_ms=7, reverb=0.35),
        Tune(
            instrument="lead", bars=((8, 12), (12, 16), (16, 20), (20, 24), (24, 28)), gain_db=-4, reverb=0.4,
            notes="""
            C#5:1.5 E5:1.5 A5:1 | G#5:1.5 E5:1.5 B4:1 | A4:1.5 C#5:1.5 F#5:1 | E5:1 D5:1 F#5:1 E5:1
            """,
        ),
    ),
)  # fmt: skip

NIGHT_CIRCUIT = Piece(
    title="Night Circuit",
    artist=_HALOGEN,
    genre="Drum and Bass",
    year=2023,
    bpm=172,
    tonic="F",
    mode="minor",
    bars=36,
    chords="Fm Fm Db Db Bbm Bbm Fm Cm",
    loudness_lufs=-12.0,
    format="opus",
    cover="circuit",
    looseness_ms=1.0,
    room_seconds=1.2,
    language="eng",
    lyrics_every_bars=6,
    lyrics=(
        "Under the bridges the current is humming",
        "Wires in the rain, a signal runs through",
        "Faster than fear, I can feel you coming",
        "Hundred and seventy beats until blue",
        "Lights in a row, and the tunnel is turning",
        "Nobody sleeps while the circuit is burning",
    ),
    parts=(
        Beat(instrument="kick", steps="X.........X.....", bars=((4, 20), (22, 36)), gain_db=1, reverb=0.02),
        Beat(instrument="snare", steps="....X.......X...", bars=((4, 20), (22, 36)), gain_db=2, reverb=0.12),
        Beat(instrument="snare", steps=".......o.o.....o", bars=((4, 20), (24, 36)), gain_db=-3, reverb=0.1),
        Beat(instrument="hat", steps="x.x.x.x.x.x.x.x.", bars=((0, 36),), gain_db=-1, pan=0.25, reverb=0.04),
        Beat(instrument="shaker", steps="oxoxoxoxoxoxoxox", bars=((8, 36),), gain_db=-2, pan=-0.3, reverb=0.04),
        Beat(instrument="crash", steps="X" + "." * 63, bars=((4, 5), (22, 23)), gain_db=-9, reverb=0.3),
        Figure(instrument="reese_bass", lowest="C2", steps="1-----1---..1-3-", bars=((4, 20), (22, 36)), gain_db=-4, reverb=0.02),
        Figure(instrument="sub_bass", lowest="C1", steps="1-----------1---", bars=((4, 36),), gain_db=-4, reverb=0.0),
        Figure(instrument="warm_pad", lowest="F3", steps="*" + "-" * 15, gain_db=-10, width_ms=15, reverb=0.5),
        Figure(instrument="electric_piano", lowest="F4", steps="1..2..3...4..3..", bars=((0, 36),), gain_db=-3, pan=0.2, width_ms=9, reverb=0.5),
        Tune(
            instrument="lead", bars=((8, 16), (24, 32)), gain_db=-5, pan=-0.1, reverb=0.5,
            notes="""
            C5:3 Ab4:1 | F4:4 | Db5:3 C5:1 | Ab4:4 | F5:2 Db5:2 | Bb4:4 | C5:2 Ab4:2 | G4:3 Eb4:1
            """,
        ),
    ),
)  # fmt: skip

STILLE_VANN = Piece(
    title="Stille vann",
    artist=_ATLAS,
    genre="Ambient",
    year=2021,
    bpm=80,
    tonic="Eb",
    mode="major",
    bars=16,
    tail_seconds=5.0,
    chords="Eb Eb Cm Bb Eb Ab Bb Eb",
    loudness_lufs=-19.0,
    format="flac",
    cover="tide",
    looseness_ms=6.0,
    room_seconds=3.6,
    language="nor",
    lyrics_every_bars=4,
    lyrics=(
        "Stille vann, du bærer himmelen",
        "Fjorden puster, og natten går forbi",
        "Øya drømmer under stjernene",
        "Bli her, bli lenge, bli helt fri",
    ),
    parts=(
        Figure(instrument="warm_pad", lowest="Bb2", steps="*" + "-" * 15, gain_db=-7, width_ms=17, reverb=0.6),
        Figure(instrument="warm_pad", lowest="Eb4", steps="*" + "-" * 15, gain_db=-11, pan=-0.3, width_ms=21, reverb=0.8),
        Figure(instrument="sub_bass", lowest="Eb2", steps="1" + "-" * 15, gain_db=-10, reverb=0.1),
        Figure(instrument="bell", lowest="Eb4", steps_per_beat=1, steps="1354", gain_db=-4, pan=0.25, reverb=0.7),
        Figure(instrument="electric_piano", lowest="Eb3", steps_per_beat=2, steps="1-3-4-3-", bars=((4, 16),), gain_db=-6, pan=-0.25, reverb=0.6),
        Tune(
            instrument="bell", bars=((8, 16),), gain_db=-2, pan=-0.1, reverb=0.8,
            notes="""
            G5:3 F5:1 | Eb5:4 | G5:2 Eb5:2 | F5:3 D5:1 | G5:3 Bb5:1 | Ab5:2 C6:2 | Bb5:3 F5:1 | Eb5:4
            """,
        ),
    ),
)  # fmt: skip

MILL = Piece(
    title="Die Mühle am Fluss",
    artist=_MAREN,
    genre="Folk",
    year=2018,
    bpm=108,
    tonic="G",
    mode="major",
    bars=32,
    beats_per_bar=3,
    tail_seconds=2.6,
    chords="G G C G G Em D D G G C G Am D G G Em Em Bm Bm C C G D G G C G Am D G G",
    loudness_lufs=-17.0,
    format="ogg",
    cover="mill",
    looseness_ms=7.0,
    room_seconds=1.1,
    language="deu",
    lyrics_every_bars=4,
    lyrics=(
        "Die Mühle am Fluss, sie dreht sich noch immer",
        "Das Wasser erzählt, was der Müller einst sang",
        "Wir tanzten im Hof bei flackerndem Schimmer",
        "Drei Schritte im Kreis, einen Sommer lang",
        "Nun wächst grünes Moos auf den alten Stufen",
        "Der Wind nimmt die Blätter und trägt sie fort",
        "Doch hör ich von fern noch die Freunde rufen",
        "Dann tanz ich mit dir an dem alten Ort",
    ),
    parts=(
        Figure(instrument="guitar", lowest="D2", steps="1---........", gain_db=-1, pan=-0.1, reverb=0.15),
        Figure(instrument="guitar", lowest="G3", steps="....*---*---", gain_db=-4, pan=-0.2, reverb=0.15),
        Figure(instrument="guitar", lowest="G3", steps="..2.....3...", bars=((16, 32),), gain_db=-1, pan=0.3, reverb=0.2),
        Beat(instrument="shaker", steps="x...o...o...", bars=((8, 32),), gain_db=2, pan=0.3, reverb=0.1),
        Tune(
            instrument="guitar", bars=((0, 16),), gain_db=4, pan=0.2, reverb=0.25,
            notes="""
            D5:1 B4:1 D5:1 | G5:2 D5:1 | E5:1 G5:1 E5:1 | D5:3 | B4:1 D5:1 B4:1 | G4:2 E4:1 | F#4:1 A4:1 D5:1 | A4:3 |
            D5:1 B4:1 D5:1 | G5:2 D5:1 | E5:1 G5:1 E5:1 | D5:2 B4:1 | C5:1 B4:1 A4:1 | F#4:1 A4:1 C5:1 | B4:2 A4:1 | G4:3
            """,
        ),
        Tune(
            instrument="accordion", bars=((16, 32),), gain_db=-6, pan=0.15, reverb=0.25,
            notes="""
            G5:2 F#5:1 | E5:3 | F#5:2 E5:1 | D5:3 | E5:1 G5:1 E5:1 | C5:2 E5:1 | D5:1 B4:1 G4:1 | A4:3 |
            D5:1 B4:1 D5:1 | G5:2 D5:1 | E5:1 G5:1 E5:1 | D5:2 B4:1 | C5:1 B4:1 A4:1 | F#4:1 A4:1 C5:1 | B4:2 A4:1 | G4:3
            """,
        ),
    ),
)  # fmt: skip

GLITTERBALL = Piece(
    title="Glitterball Boulevard",
    artist=_HALOGEN,
    genre="Disco",
    year=2022,
    bpm=116,
    tonic="E",
    mode="minor",
    bars=24,
    chords="Em Em Am7 Bm7 Em Em C D",
    loudness_lufs=-13.0,
    format="mp3",
    cover="glitter",
    looseness_ms=3.0,
    swing=0.12,
    room_seconds=0.9,
    language="eng",
    lyrics_every_bars=4,
    lyrics=(
        "Meet me on Glitterball Boulevard",
        "Shoes like a mirror, heart like a guitar",
        "Nobody asks you who you are",
        "Spin till the ceiling is one big star",
        "Oh, the bass is walking, walk along",
        "Everybody glitters in this song",
    ),
    parts=(
        Beat(instrument="kick", steps="X...X...X...X...", gain_db=0, reverb=0.02),
        Beat(instrument="snare", steps="....X.......X...", bars=((2, 24),), gain_db=-1, reverb=0.1),
        Beat(instrument="clap", steps="....x.......x...", bars=((8, 24),), gain_db=-3, reverb=0.15),
        Beat(instrument="hat", steps="x.oox.oox.oox.oo", gain_db=0, pan=0.25, reverb=0.04),
        Beat(instrument="open_hat", steps="..x...x...x...x.", bars=((4, 24),), gain_db=-4, pan=0.25, reverb=0.04),
        Figure(instrument="slap_bass", lowest="E1", steps="1.14..1.14.3.412", gain_db=-1, reverb=0.03),
        Figure(instrument="clavinet", lowest="G3", steps="..*..*.*..*..*..", bars=((2, 24),), gain_db=-6, pan=-0.35, reverb=0.12),
        Figure(instrument="electric_piano", lowest="B3", steps="*-----..*---....", bars=((4, 24),), gain_db=-9, pan=0.3, reverb=0.2),
        Tune(
            instrument="strings", bars=((8, 16), (16, 24)), gain_db=-3, width_ms=12, reverb=0.35,
            notes="""
            B5:3 A5:0.5 G5:0.5 | E5:4 | A5:2 G5:1 E5:1 | F#5:4 |
            B5:3 A5:0.5 G5:0.5 | E5:2 G5:2 | E6:2 D6:1 C6:1 | D6:2 A5:2
            """,
        ),
    ),
)  # fmt: skip

IRON_CATHEDRAL = Piece(
    title="Iron Cathedral",
    artist=_ATLAS,
    genre="Doom Metal",
    year=2016,
    bpm=74,
    tonic="C",
    mode="minor",
    bars=16,
    tail_seconds=4.0,
    chords="C5 C5 Ab5 Bb5 C5 C5 F5 G5",
    loudness_lufs=-11.0,
    format="wav",
    cover="cathedral",
    looseness_ms=4.0,
    room_seconds=2.6,
    language="eng",
    lyrics_every_bars=3,
    lyrics=(
        "Down in the nave where the furnace is king",
        "Hammers of iron are learning to sing",
        "Black is the bell, and heavy its tongue",
        "Ash is the hymn that is never quite sung",
        "Stone over stone, and the night over all",
    ),
    parts=(
        Beat(instrument="deep_kick", steps="X..x....x.x.....", gain_db=2, reverb=0.08),
        Beat(instrument="big_snare", steps="....X.......X...", bars=((2, 16),), gain_db=1, reverb=0.3),
        Beat(instrument="tom", steps="............x.xx", bars=((1, 2), (7, 8), (15, 16)), gain_db=0, pan=-0.3, reverb=0.25),
        Beat(instrument="hat", steps="x...x...x...x...", bars=((2, 16),), gain_db=-2, pan=0.3, reverb=0.1),
        Beat(instrument="crash", steps="X" + "." * 63, bars=((0, 1), (4, 5), (8, 9), (12, 13)), gain_db=-3, reverb=0.3),
        Figure(instrument="heavy_guitar", lowest="C2", steps="*-----*-*---*-*-", gain_db=-6, pan=-0.7, drive=5, reverb=0.12),
        Figure(instrument="heavy_guitar", lowest="C2", steps="*-----*-*---*-*-", gain_db=-6, pan=0.7, drive=5, reverb=0.12),
        Figure(instrument="synth_bass", lowest="C1", steps="1-----1-1---1-1-", gain_db=-3, drive=1.5, reverb=0.02),
        Tune(
            instrument="strings", bars=((0, 8), (8, 16)), gain_db=-1, width_ms=13, reverb=0.5,
            notes="""
            C5:2 Eb5:2 | G5:3 Eb5:1 | Eb5:2 C5:2 | D5:4 | C5:2 Eb5:2 | G5:3 Ab5:1 | Ab5:2 F5:2 | G5:2 D5:2
            """,
        ),
        Tune(
            instrument="bell", bars=((0, 8), (8, 16)), gain_db=-2, pan=0.1, reverb=0.6,
            notes="""
            C4:4 | G4:4 | C4:4 | Bb3:4 | C4:4 | Eb4:4 | F4:4 | G4:4
            """,
        ),
    ),
)  # fmt: skip

LULLABY = Piece(
    title="Søvnens båd",
    artist=_MAREN,
    genre="Lullaby",
    year=2020,
    bpm=90,
    tonic="Bb",
    mode="major",
    bars=16,
    tail_seconds=4.5,
    chords="Bb F Gm Eb Bb F Eb,F Bb",
    loudness_lufs=-24.0,
    format="aiff",
    cover="boat",
    looseness_ms=5.0,
    room_seconds=1.8,
    language="dan",
    lyrics_every_bars=2,
    lyrics=(
        "Søvnens båd er lille og blå",
        "Månen har tændt sin lygte på",
        "Bølgen vugger dig frem og tilbage",
        "Gemmer til dig de gode dage",
        "Luk nu dit øje, hør hvor det suser",
        "Fjernt under stjernerne havet bruser",
        "Årerne hviler, og natten er lun",
        "Drøm om en ø af fjer og dun",
    ),
    parts=(
        Figure(instrument="music_box", lowest="F4", steps_per_beat=2, steps="13243423", gain_db=-6, pan=-0.2, reverb=0.3),
        Figure(instrument="music_box", lowest="Bb3", steps_per_beat=1, steps="1-1-", gain_db=-5, pan=-0.1, reverb=0.3),
        Figure(instrument="warm_pad", lowest="F3", steps="*-------" * 2, bars=((8, 16),), gain_db=-14, width_ms=15, reverb=0.4),
        Tune(
            instrument="music_box", bars=((0, 8), (8, 16)), gain_db=0, pan=0.15, reverb=0.35,
            notes="""
            D6:1.5 Eb6:0.5 F6:2 | C6:1.5 D6:0.5 C6:2 | Bb5:1.5 C6:0.5 D6:2 | G5:1 Bb5:1 Eb6:2 |
            D6:1.5 Eb6:0.5 F6:2 | A5:1 C6:1 F6:2 | Eb6:1 D6:1 C6:1 A5:1 | Bb5:4
            """,
        ),
    ),
)  # fmt: skip

PIECES: tuple[Piece, ...] = (
    NEON_SUNRISE,
    LAST_TRAM,
    GLITTERBALL,
    MILL,
    NIGHT_CIRCUIT,
    STILLE_VANN,
    IRON_CATHEDRAL,
    LULLABY,
)
