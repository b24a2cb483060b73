"""Names as they are compared: accents folded, short forms taken for the whole, and how they sound."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

#: What decomposition does not fold.
_FOLDED: Final = str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"})
_LETTERS: Final = re.compile(r"[^\W_]+")

#: Short forms, by the first name that stands for all of a line.
_SHORT_FORMS: Final = """
alexander alex alec sandy xander
andrew andy drew
anthony tony
benjamin ben benny
catherine katherine kathryn cathy kathy kate katie cat
charles charlie chuck
christopher chris kit topher
daniel dan danny
david dave davy
deborah deb debbie debra
donald don donnie
dorothy dot dottie
edward ed eddie ted teddy
elizabeth liz lizzie beth betty eliza lisa
francis frank frankie
frederick fred freddie
gerald gerry jerry
gregory greg
jacob jake
james jim jimmy jamie
jennifer jen jenny
jessica jess jessie
john jon jonathan johnny jack
joseph joe joey
joshua josh
kenneth ken kenny
lawrence larry
leonard leo lenny
margaret maggie meg peggy
matthew matt
michael mike mickey mick
nicholas nick nicky
pamela pam
patricia pat patty trish
patrick paddy
peter pete
philip phil
rebecca becky becca
richard rick ricky dick rich
robert bob bobby rob robbie
ronald ron ronnie
samantha sam sammy
samuel
stephen steven steve
susan sue susie suzanne
theodore theo
thomas tom tommy
timothy tim
victoria vicky tori
william bill billy will willy liam
"""
_WHOLE: Final = {form: line.split()[0] for line in _SHORT_FORMS.strip().splitlines() for form in line.split()}

#: Letters that are written one for the other.
_SOUNDS: Final = (("ph", "f"), ("ck", "k"), ("sch", "s"), ("sh", "s"), ("ch", "k"), ("th", "t"), ("dt", "t"))
_ALIKE: Final = str.maketrans({"c": "k", "q": "k", "z": "s", "v": "f", "w": "f"})


@lru_cache(maxsize=8192)  # of names, which have no end
def folded(text: str) -> str:
    """Return a text in lower case, without accents, its words parted by one blank."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_FOLDED))
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(_LETTERS.findall(plain))


def whole(first_name: str) -> str:
    """Return a folded first name with its short form made whole: bob is robert."""
    head, _, rest = first_name.partition(" ")
    return f"{_WHOLE.get(head, head)} {rest}".strip()


def sound(name: str) -> str:
    """Return the consonants of a folded name: smith, smyth and schmidt sound alike."""
    for written, heard in _SOUNDS:
        name = name.replace(written, heard)
    name = name.translate(_ALIKE)
    kept = name[:1] + re.sub(r"[aeiouyh\W]", "", name[1:])
    return re.sub(r"(.)\1+", r"\1", kept)
