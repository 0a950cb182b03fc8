"""What people might type, and what answers it: judged by the facts of the songs, or by naming the songs outright."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tests.evaluation.songs import SONGS, Song

Judge = Callable[[Song], bool]


class Question(msgspec.Struct, frozen=True):
    """A query of a family, and the titles that answer it."""

    family: str
    query: str
    answers: frozenset[str]


def _songs(
    *,
    mood: str = "",
    genre: str = "",
    bpm: tuple[float, float] = (0, 999),
    energy: tuple[float, float] = (0, 1),
    year: tuple[int, int] = (0, 9999),
    language: str = "",
    sung: bool | None = None,
    key: str = "",
) -> Judge:
    def judge(song: Song) -> bool:
        return (
            set(filter(None, mood.split(","))) <= set(song.moods)
            and (not genre or song.genre in genre.split(","))
            and bpm[0] <= song.bpm < bpm[1]
            and energy[0] <= song.energy <= energy[1]
            and year[0] <= song.year <= year[1]
            and (not language or song.language == language)
            and (sung is None or bool(song.lyrics) == sung)
            and (not key or song.key == key)
        )

    return judge


_CALM, _SLOW, _FAST, _WILD, _QUIET = "calm", (0.0, 76.0), (124.0, 999.0), (0.8, 1.0), (0.0, 0.3)
_ELECTRONIC: Final = "Dance,Drum and Bass,Techno,House,Electronica,Synthpop"

BY_FACTS: Final[tuple[tuple[str, str, Judge], ...]] = (
    ("mood", "sad and slow", _songs(mood="sad", bpm=_SLOW)),
    ("mood", "melancholic piano music", _songs(mood="melancholic", genre="Solo Piano,Classical")),
    ("mood", "happy and uplifting", _songs(mood="happy,uplifting")),
    ("mood", "dark and aggressive", _songs(mood="dark,aggressive")),
    ("mood", "romantic songs in french", _songs(mood="romantic", language="fra")),
    ("mood", "dreamy ambient", _songs(mood="dreamy", genre="Ambient")),
    ("mood", "angry loud metal", _songs(genre="Metal")),
    ("mood", "romantic jazz", _songs(mood="romantic", genre="Jazz")),
    ("mood", "chill lo-fi", _songs(genre="Lo-Fi")),
    ("mood", "sad country song", _songs(mood="sad", genre="Country")),
    ("mood", "gloomy post-punk", _songs(genre="Post-Punk")),
    ("mood", "happy country", _songs(mood="happy", genre="Country,Bluegrass")),
    ("mood", "melancholic hip hop beats", _songs(genre="Hip-Hop,Trap")),
    ("mood", "joyful samba", _songs(mood="happy", genre="Samba")),
    ("mood", "dreamy and calm, no singing", _songs(mood="dreamy,calm", sung=False)),
    ("mood", "sad ballad", _songs(mood="sad", genre="Ballad")),
    ("activity", "music for a workout", _songs(energy=(0.65, 1), mood="energetic")),
    ("activity", "something to fall asleep to", _songs(energy=(0, 0.2499), mood=_CALM)),
    ("activity", "music to study", _songs(energy=(0.25, 0.4499), mood="chill")),
    ("activity", "songs for a party", _songs(mood="party", energy=_WILD)),
    ("activity", "for dancing all night", _songs(genre=_ELECTRONIC, energy=(0.65, 1))),
    ("activity", "relax after a long day", _songs(energy=(0, 0.2499))),
    ("activity", "techno for a workout", _songs(genre="Techno,House", energy=(0.65, 1))),
    ("activity", "laid-back music to unwind", _songs(energy=(0.25, 0.4499))),
    ("activity", "fast music for dancing, energetic", _songs(bpm=_FAST, mood="energetic", energy=(0.65, 1))),
    ("activity", "quiet classical piano to relax", _songs(genre="Classical,Solo Piano", energy=(0, 0.2499))),
    ("sound", "slow quiet ambient drone", _songs(genre="Ambient,Drone")),
    ("sound", "very fast drum and bass", _songs(genre="Drum and Bass")),
    ("sound", "bebop, very fast", _songs(genre="Bebop")),
    ("sound", "solo piano in D minor", _songs(genre="Solo Piano", key="D minor")),
    ("sound", "seventies funk and soul", _songs(genre="Funk,Soul,Gospel", year=(1970, 1979))),
    ("sound", "classical piano", _songs(genre="Classical,Solo Piano")),
    ("sound", "instrumental jazz", _songs(genre="Jazz,Bebop", sung=False)),
    ("sound", "flamenco", _songs(genre="Flamenco")),
    ("sound", "synthpop", _songs(genre="Synthpop")),
    ("sound", "house music 126 bpm", _songs(genre="House")),
    ("sound", "bossa nova sung in portuguese", _songs(genre="Bossa Nova")),
    ("sound", "k-pop", _songs(genre="K-Pop")),
    ("sound", "trap", _songs(genre="Trap")),
    ("sound", "punk 1979", _songs(genre="Punk")),
    ("sound", "indie folk with lyrics", _songs(genre="Indie Folk")),
    ("sound", "japanese city pop", _songs(genre="City Pop")),
    ("sound", "gospel", _songs(genre="Gospel")),
    ("sound", "krautrock from the seventies", _songs(genre="Krautrock,Ambient", year=(1970, 1979))),
    ("sound", "swing", _songs(genre="Swing")),
)

_BY_TITLE: Final = """
[lines]
rain wrote your name across the glass = Last Tram in the Rain
the last tram left and you were on it = Last Tram in the Rain
i kept your umbrella by the door = Last Tram in the Rain
turn your lantern low and dream of whales = Lullaby for a Lighthouse
every boat you were waiting for is home = Lullaby for a Lighthouse
nobody goes home before the sun = Neon Sunrise
dance until the colors find the water = Neon Sunrise
faster than headlights colder than steel = Night Circuit
we wrote our wishes on paper = Paper Lanterns Rising
thunder is the only prayer = Hammer of the North
the furnace was singing behind the door = Ashes for Breakfast
carve your name in a heart of granite = Granite Heart
chaleira dança com a colher = Kitchen Radio Samba
deixa a louca pra depois = Kitchen Radio Samba
a rua inteira virou um rio = Carnaval na Chuva
les bateaux rentrent un par un = Petit Phare
on regarde les tasses refroidir = Café des Adieux
l'accordeon a perdu la tete = Danse sous les Platanes
niemand weiss mehr wer hier wohnt = Straße ohne Namen
bis der morgen uns findet = Über den Dächern
deszcz jest jej jedynym kapitanem = Łódka z papieru
your shirt against my shirt going round and round = Midnight at the Laundromat
put your boots up and listen to the beat = Sugar on the Dashboard
valley of the blues = Sunday Shoes
it rolled across nevada = Tumbleweed Telephone
a letter in the drawer = Whiskey in a Teacup
grandpas fiddle = Coal Train Coming
sold it to the morning for a bus fare = Concrete Garden
the man at the corner store says = Corner Store Philosophy
every zero on the cheque is a hole = Paid in Thunder
stolen peaches and a morning full of fog = Don't Wake the Dog
somebody has to stay behind = Everyone I Know Is Leaving
the road is only as long as the song = Marathon Heartbeat
three alarms for everybody = !!! (Three Alarms)
pregunta por ti en cada esquina = Corazón de Bicicleta
[typos]
last tran in the rain = Last Tram in the Rain
lulaby for a lighthouse = Lullaby for a Lighthouse
lullaby lighthose = Lullaby for a Lighthouse
neon sunrize = Neon Sunrise
nigth circuit = Night Circuit
nightcircuit = Night Circuit
hamer of the north = Hammer of the North
ashes for brekfast = Ashes for Breakfast
granit hart = Granite Heart
tumbleweed telefone = Tumbleweed Telephone
wiskey in a teacup = Whiskey in a Teacup
cole train coming = Coal Train Coming
corner store phylosophy = Corner Store Philosophy
midnight at the laundramat = Midnight at the Laundromat
sugar on the dashbord = Sugar on the Dashboard
marathon hartbeat = Marathon Heartbeat
sprint to the horison = Sprint to the Horizon
sevanteen moons = Seventeen Moons
meditaton on coper = Meditation on Copper
fire escape bepop = Fire Escape Bebop
smok rings for odette = Smoke Rings for Odette
waltz of the clokmakers = Waltz of the Clockmakers
sonata for an emty hall = Sonata for an Empty Hall
dont wake the dog = Don't Wake the Dog
everyone i no is leaving = Everyone I Know Is Leaving
harbor bells at five = Harbour Bells at Five
paper lantern risng = Paper Lanterns Rising
maren vesterlunt = @Maren Vesterlund
marenvesterlund = @Maren Vesterlund
halogn parade = @Halogen Parade
stone atlus = @Stone Atlas
june caloway = @June Calloway
red dust quire = @Red Dust Choir
the ambar quartet = @The Amber Quartet
velosity club = @Velocity Club
hrafnkel isdal = @Hrafnkell Ísdal
[folded]
strasse ohne namen = Straße ohne Namen
STRASSE = Straße ohne Namen
uber den dachern = Über den Dächern
muede maschinen = Müde Maschinen
mude maschinen = Müde Maschinen
gruner mond = @Grüner Mond
lodka z papieru = Łódka z papieru
zolty tramwaj = @Żółty Tramwaj
aenigma = Ænigma
enigma = Ænigma
bla naetter = Blå Nætter
soren baekgard = @Søren Bækgård
thoka yfir firdi = Þoka yfir firði
isdal = @Hrafnkell Ísdal
elodie marchand = @Élodie Marchand
etude in falling snow = Étude in Falling Snow
cafe des adieux = Café des Adieux
corazon de bicicleta = Corazón de Bicicleta
nina de la niebla = Niña de la Niebla
saudade de domingo = Saudade de Domingo
!!! = !!! (Three Alarms)
÷ = @÷
lamp and desk = @Lamp & Desk
mc halyard = @MC Halyard
[scripts]
группа тишины = Группа Тишины
северный вокзал = @Северный Вокзал
белые крышы = Белые крыши
иод и соль = Йод и соль
только следы от ворон на снегу = Белые крыши
соседи выключали свой огонь = Группа Тишины
το λιμανι = Το Λιμάνι
ελενη ψαρα = @Ελένη Ψαρά
χορος του αυγουστου = Χορός του Αυγούστου
το φεγγαρι κραταει το ντεφι = Χορός του Αυγούστου
音楽の海 = 音楽の海
音楽 = 音楽の海
図書館 = 雨の図書館
青木しずく = @青木しずく
ラジオの波が二人を運ぶ = 音楽の海
最終電車 = 最終電車のワルツ
改札に君の影 = 最終電車のワルツ
달빛 우체국 = 달빛 우체국
서하늘 = @서하늘
불꽃의 거리에서 우리는 뛰었지 = 불꽃의 거리
ليل المدينه = ليل المدينة
نورا السالم = @نورا السالم
واترك الباب مفتوحا للقمر = ليل المدينة
बारिश की चिट्ठी = बारिश की चिट्ठी
मीरा जोशी = @मीरा जोशी
खिड़की पर लिखा है तेरा नाम = बारिश की चिट्ठी
שיר לרחוב ישן = שיר לרחוב ישן
יעל ברק = @יעל ברק
ואף אחד לא זוכר = שיר לרחוב ישן
[mixed]
lullaby by maren vesterlund = Lullaby for a Lighthouse
halogen parade drum and bass = Night Circuit
the granite one by stone atlas = Granite Heart
amber quartet bebop = Fire Escape Bebop
ilse brandt waltz = Waltz of the Clockmakers
eight lights in the harbour = #Eight Lights in the Harbour
glasshouse avenue = #Glasshouse Avenue
winter keyboard = #Winter Keyboard
june calloway funk = Sugar on the Dashboard
velocity club slow chillout = Cool Down
mc halyard trap = Paid in Thunder
that song about a papper lantern = Paper Lanterns Rising
los faroles flamenco = Niña de la Niebla
red dust choir sad = Whiskey in a Teacup
slow orbit drone = Meditation on Copper
os passarinhos carnaval = Carnaval na Chuva
"""


def _named() -> list[Question]:
    family, found = "", list[Question]()
    for line in _BY_TITLE.strip().splitlines():
        if line.startswith("["):
            family = line.strip("[]")
            continue
        query, _, answer = (part.strip() for part in line.rpartition(" = "))
        field, wanted = {"@": ("artist", answer[1:]), "#": ("album", answer[1:])}.get(answer[0], ("title", answer))
        titles = frozenset(song.title for song in SONGS if getattr(song, field) == wanted)
        found.append(Question(family, query, titles))
    return found


def questions(songs: Sequence[Song]) -> list[Question]:
    """Those about moods, activities and sounds, judged by the facts of these songs, and those that name one song."""
    judged = [
        Question(family, query, frozenset(song.title for song in songs if judge(song)))
        for family, query, judge in BY_FACTS
    ]
    return judged + _named()
