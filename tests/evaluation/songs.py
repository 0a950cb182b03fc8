"""A described catalogue that nobody has to license: songs written for this, with the facts an analysis finds.

A song's facts are what queries about mood, activity and sound are judged by; its words are what lines are taken from.
"""

import random
from collections.abc import Sequence
from typing import Final

import msgspec


class Song(msgspec.Struct, frozen=True):
    """What the tags and the analysis say of a track. `lyrics` are passages; an instrumental has none."""

    title: str
    artist: str
    album: str
    genre: str
    bpm: float
    key: str
    energy: float
    moods: tuple[str, ...]
    year: int
    language: str | None = None
    lyrics: tuple[str, ...] = ()


_TABLE: Final = """
= Maren Vesterlund | Eight Lights in the Harbour
Last Tram in the Rain | Solo Piano | 62 | D minor | 0.18 | melancholic,sad,calm | 2019 | eng
  The last tram left, and you were on it /
    rain wrote your name across the glass / and I stood counting lamps until the morning
  I kept your umbrella by the door / it never opened for anyone else
Lullaby for a Lighthouse | Folk | 70 | F major | 0.20 | calm,dreamy,romantic | 2018 | eng
  Sleep, little lighthouse, the sea is calm tonight / every boat you were waiting for is home
  Turn your lantern low and dream of whales
Harbour Bells at Five | Solo Piano | 66 | G major | 0.15 | calm,dreamy | 2018
= Halogen Parade | Glasshouse Avenue
Neon Sunrise | Dance | 128 | A major | 0.90 | party,uplifting,energetic | 2024 | eng
  Windows down, the city is waking / every rooftop shining like a coin
  Dance until the colours find the water / nobody goes home before the sun
Night Circuit | Drum and Bass | 172 | F minor | 0.88 | dark,energetic,aggressive | 2023 | eng
  Under the bridges the current is humming / faster than headlights, colder than steel
Paper Lanterns Rising | Synthpop | 112 | C major | 0.60 | happy,uplifting,romantic | 2022 | eng
  We wrote our wishes on paper lanterns / and let the summer carry them away
= Stone Atlas | Iron Weather
Hammer of the North | Metal | 138 | E minor | 0.95 | aggressive,dark,energetic | 2021 | eng
  Raise the hammer, break the winter / thunder is the only prayer we know
Ashes for Breakfast | Metal | 156 | B minor | 0.97 | aggressive,dark | 2020 | eng
  We ate ashes for breakfast and asked for more / the furnace was singing behind the door
Granite Heart | Hard Rock | 104 | E minor | 0.80 | dark,energetic | 2020 | eng
  You can carve your name in a granite heart / but it will not bleed for you
= Os Passarinhos | Quintal
Kitchen Radio Samba | Samba | 104 | G major | 0.62 | happy,party,uplifting | 2015 | por
  O rádio da cozinha canta baixinho / e a chaleira dança com a colher
  Deixa a louça pra depois, meu amor
Saudade de Domingo | Bossa Nova | 84 | A minor | 0.28 | melancholic,romantic,chill | 2014 | por
  Domingo vai embora sem pedir licença / e deixa a tua sombra na varanda
Carnaval na Chuva | Samba | 132 | C major | 0.86 | party,happy,energetic | 2016 | por
  Choveu no carnaval e ninguém correu / a rua inteira virou um rio de glitter
= Élodie Marchand | Marées
Petit Phare | Chanson | 76 | F major | 0.24 | calm,dreamy,romantic | 2012 | fra
  Dors, petit phare, la mer est calme ce soir / les bateaux rentrent un par un
Café des Adieux | Chanson | 92 | D minor | 0.35 | melancholic,sad,romantic | 2011 | fra
  Au café des adieux on ne commande rien / on regarde les tasses refroidir
Danse sous les Platanes | Swing | 148 | B flat major | 0.70 | happy,party,uplifting | 2013 | fra
  Les platanes tournent avec nous ce soir / l'accordéon a perdu la tête
= Grüner Mond | Nachtwächter
Straße ohne Namen | Krautrock | 118 | E minor | 0.58 | dark,dreamy | 1975 | deu
  Auf der Straße ohne Namen brennt noch Licht / niemand weiß mehr, wer hier wohnt
Über den Dächern | Indie Pop | 108 | D major | 0.55 | happy,uplifting,dreamy | 2017 | deu
  Über den Dächern zählen wir Schornsteine / bis der Morgen uns findet
Müde Maschinen | Ambient | 60 | C minor | 0.12 | calm,dark,dreamy | 1977
= Żółty Tramwaj | Odra
Łódka z papieru | Folk | 88 | G minor | 0.30 | melancholic,calm,dreamy | 2009 | pol
  Łódka z papieru płynie przez miasto / deszcz jest jej jedynym kapitanem
Wszystkie okna otwarte | Indie Rock | 140 | A major | 0.82 | happy,energetic,uplifting | 2010 | pol
  Wszystkie okna otwarte, niech wejdzie lato / niech usiądzie z nami przy stole
= Søren Bækgård | Fjordlys
Ænigma | Electronica | 122 | F sharp minor | 0.52 | dark,dreamy | 2021
Blå Nætter | Ambient | 58 | A flat major | 0.10 | calm,dreamy,chill | 2020
= Hrafnkell Ísdal | Vetrarljós
Þoka yfir firði | Post-Rock | 74 | D major | 0.40 | dreamy,melancholic | 2016 | isl
  Þokan kemur inn fjörðinn hljóðlát / og tekur bátana einn af öðrum
= June Calloway | Small Hours
Midnight at the Laundromat | Soul | 82 | E flat major | 0.38 | romantic,chill,melancholic | 1972 | eng
  Midnight at the laundromat, your shirt against my shirt / going round and round like we used to
Sugar on the Dashboard | Funk | 110 | E minor | 0.75 | party,happy,energetic | 1974 | eng
  Sugar on the dashboard, sunlight on the seat / baby put your boots up and listen to the beat
Sunday Shoes | Gospel | 96 | G major | 0.66 | uplifting,happy | 1971 | eng
  I polished up my Sunday shoes / and walked right out of the valley of the blues
= Red Dust Choir | Dry County
Tumbleweed Telephone | Country | 126 | A major | 0.55 | happy,chill | 1998 | eng
  I called you up on the tumbleweed telephone / it rolled across Nevada and never came home
Whiskey in a Teacup | Country | 74 | D major | 0.32 | sad,melancholic | 1999 | eng
  She kept whiskey in a teacup and a letter in the drawer / and never said what either one was for
Coal Train Coming | Bluegrass | 160 | G major | 0.78 | energetic,happy | 1996 | eng
  Coal train coming down the mountain tonight / grandpa's fiddle gonna set it alight
= The Amber Quartet | After the Last Set
Blue Hour Trio | Jazz | 92 | B flat minor | 0.34 | chill,romantic,melancholic | 1961
Smoke Rings for Odette | Jazz | 68 | G minor | 0.22 | romantic,chill,sad | 1960
Fire Escape Bebop | Bebop | 178 | F major | 0.72 | energetic,happy | 1959
= Ilse Brandt | Winter Keyboard
Sonata for an Empty Hall | Classical | 54 | C sharp minor | 0.14 | sad,melancholic,calm | 1988
Étude in Falling Snow | Classical | 72 | A minor | 0.20 | calm,dreamy,melancholic | 1988
Waltz of the Clockmakers | Classical | 150 | D major | 0.48 | happy,dreamy | 1990
= MC Halyard | Tide Tables
Concrete Garden | Hip-Hop | 90 | F minor | 0.64 | dark,energetic | 2006 | eng
  Grew a rose in the concrete garden with my bare hands / sold it to the morning for a bus fare and a plan
Corner Store Philosophy | Hip-Hop | 86 | A minor | 0.50 | chill,happy | 2007 | eng
  Two coins in my pocket and a question on my mind / the man at the corner store says leave the why behind
Paid in Thunder | Trap | 142 | C minor | 0.90 | aggressive,energetic,dark | 2018 | eng
  They pay me in thunder, I spend it like rain / every zero on the cheque is a hole in the drain
= Северный Вокзал | Перрон
Группа Тишины | Post-Punk | 134 | E minor | 0.72 | dark,melancholic | 1986 | rus
  Мы играли тишину на весь район / и соседи выключали свой огонь
Белые крыши | Singer-Songwriter | 80 | A minor | 0.26 | melancholic,calm,sad | 1988 | rus
  Белые крыши не помнят имён / только следы от ворон на снегу
Йод и соль | Rock | 120 | D minor | 0.68 | dark,energetic | 1987 | rus
  Йод и соль на разбитых губах / мы ещё споём на чужих площадях
= Ελένη Ψαρά | Αλμύρα
Το Λιμάνι | Rebetiko | 94 | D minor | 0.36 | melancholic,romantic,sad | 1994 | ell
  Στο λιμάνι σβήνουν τα φώτα ένα ένα / κι εγώ μετράω τα καράβια για σένα
Χορός του Αυγούστου | Folk | 136 | G major | 0.76 | happy,party,uplifting | 1995 | ell
  Ο Αύγουστος χορεύει ξυπόλυτος στην αυλή / και το φεγγάρι κρατάει το ντέφι
= 青木しずく | 夜の水族館
音楽の海 | City Pop | 116 | E major | 0.64 | happy,romantic,uplifting | 1983 | jpn
  音楽の海を渡って君に会いに行く / ラジオの波が二人を運ぶ
雨の図書館 | Ambient | 64 | C major | 0.14 | calm,dreamy,chill | 1985
最終電車のワルツ | Ballad | 72 | A minor | 0.25 | sad,melancholic,romantic | 1984 | jpn
  最終電車が行ってしまって / 改札に君の影だけ残った
= 서하늘 | 계절의 주소
달빛 우체국 | Ballad | 70 | F major | 0.27 | romantic,calm,dreamy | 2015 | kor
  달빛 우체국에 편지를 맡기고 / 답장은 별이 되어 돌아왔지
불꽃의 거리 | K-Pop | 128 | B minor | 0.88 | party,energetic,happy | 2019 | kor
  불꽃의 거리에서 우리는 뛰었지 / 밤이 우리를 따라올 수 없게
= نورا السالم | قمر على النيل
ليل المدينة | Arabic Pop | 98 | D minor | 0.50 | romantic,dreamy | 2008 | ara
  يا ليل المدينة خذني إلى البحر / واترك الباب مفتوحا للقمر
رقصة القمر | Dabke | 124 | G minor | 0.84 | party,happy,energetic | 2010 | ara
  ارقصي يا قمر فوق السطوح / والجيران كلهم على الشرفات
= मीरा जोशी | खिड़की
बारिश की चिट्ठी | Indian Folk | 78 | C minor | 0.28 | melancholic,romantic,calm | 2013 | hin
  बारिश की चिट्ठी आई है आज / खिड़की पर लिखा है तेरा नाम
= יעל ברק | שעון קיץ
שיר לרחוב ישן | Singer-Songwriter | 84 | E minor | 0.30 | melancholic,calm | 2004 | heb
  ברחוב הישן הדלתות עדיין ירוקות / ואף אחד לא זוכר מי צבע אותן
= Los Faroles | Barrio Alto
Corazón de Bicicleta | Cumbia | 102 | A minor | 0.70 | happy,party | 2011 | spa
  Mi corazón de bicicleta baja la calle sin frenos / y en cada esquina pregunta por ti
Niña de la Niebla | Flamenco | 88 | E minor | 0.44 | sad,romantic,dark | 2012 | spa
  Niña de la niebla, no me mires así / que el río se lleva lo que no te di
= Slow Orbit | Seventeen Moons
Meditation on Copper | Drone | 50 | D minor | 0.06 | calm,dark,chill | 2002
Seventeen Moons | Ambient | 56 | E flat major | 0.09 | dreamy,calm,chill | 2002
= Velocity Club | Personal Best
Sprint to the Horizon | Techno | 145 | A minor | 0.94 | energetic,party | 2023
Marathon Heartbeat | House | 126 | G minor | 0.85 | energetic,uplifting,party | 2022 | eng
  One more mile, one more breath, one more heartbeat / the road is only as long as the song
Cool Down | Chillout | 84 | F major | 0.26 | chill,calm,dreamy | 2022
= Lamp & Desk | Homework Tapes
Study Hall | Lo-Fi | 78 | C major | 0.30 | chill,calm,dreamy | 2021
Margins and Doodles | Lo-Fi | 82 | A minor | 0.33 | chill,melancholic | 2021
= The Porch Lights | Screen Door
Don't Wake the Dog | Indie Folk | 100 | D major | 0.40 | happy,chill | 2014 | eng
  Tiptoe through the kitchen and don't wake the dog / we've got stolen peaches and a morning full of fog
Everyone I Know Is Leaving | Indie Folk | 76 | G major | 0.24 | sad,melancholic,calm | 2015 | eng
  Everyone I know is leaving on the early bus / and somebody has to stay behind and be the one they miss
= ÷ | Signs
!!! (Three Alarms) | Punk | 184 | E major | 0.98 | aggressive,party,energetic | 1979 | eng
  One alarm for the landlord, two alarms for the law / three alarms for everybody knocking at the door
"""


def _song(album: str, head: str, lyrics: tuple[str, ...]) -> Song:
    artist, _, name = album.removeprefix("= ").partition(" | ")
    title, genre, bpm, key, energy, moods, year, *language = head.split(" | ")
    return Song(
        title=title,
        artist=artist,
        album=name,
        genre=genre,
        bpm=float(bpm),
        key=key,
        energy=float(energy),
        moods=tuple(moods.split(",")),
        year=int(year),
        language=language[0] if language else None,
        lyrics=lyrics,
    )


def _read(table: str) -> tuple[Song, ...]:
    """An album stands behind ``=``; under a song its passages are indented, their lines parted by a stroke."""
    songs, album, head, lyrics = list[Song](), "", "", list[str]()
    for line in [*table.strip().splitlines(), "="]:
        if line.startswith("    "):
            lyrics[-1] += f" {line.strip()}"
        elif line.startswith("  "):
            lyrics.append(line.strip())
        else:
            if head:
                songs.append(_song(album, head, tuple(passage.replace(" / ", "\n") for passage in lyrics)))
            album, head = (line, "") if line.startswith("=") else (album, line)
            lyrics = []
    return tuple(songs)


SONGS: Final = _read(_TABLE)


def strangers(count: int, seed: int = 1) -> tuple[Song, ...]:
    """Made-up songs of the same words, lines and facts in other combinations: what a question must tell apart.

    The same seed makes the same songs. No title is one of those above, nor is an artist.
    """
    chosen = random.Random(seed)
    titles, artists = _words("title"), _words("artist")
    taken = {song.title for song in SONGS} | {song.artist for song in SONGS}
    found = dict[str, Song]()
    while len(found) < count:
        like, title, artist = chosen.choice(SONGS), _mixed(chosen, titles), _mixed(chosen, artists)
        if title in found or {title, artist} & taken:
            continue
        found[title] = msgspec.structs.replace(
            like,
            title=title,
            artist=artist,
            album=_mixed(chosen, titles),
            bpm=round(like.bpm * chosen.uniform(0.95, 1.05)),
            year=chosen.randint(1960, 2024),
            lyrics=tuple(_sung_otherwise(chosen, passage) for passage in like.lyrics),
        )
    return tuple(found.values())


def _words(field: str) -> list[str]:
    return [word for song in SONGS for word in getattr(song, field).split()]


def _mixed(chosen: random.Random, words: Sequence[str]) -> str:
    return " ".join(chosen.sample(words, chosen.randint(2, 3)))


def _sung_otherwise(chosen: random.Random, passage: str) -> str:
    """The words of the passage and of another one, in another order."""
    words = passage.split() + chosen.choice([song for song in SONGS if song.lyrics]).lyrics[0].split()
    return " ".join(chosen.sample(words, min(len(words), len(passage.split()))))
