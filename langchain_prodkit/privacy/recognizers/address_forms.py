"""The forms that parts of an address take, each bounded, so that none can be made to read for long."""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "BLANK", "BOX", "BREAK", "COMMA_CODE", "CORNER", "CORNER_NUMBERS", "COUNTRY_WORDS", "DIGIT",
    "DISTRICT", "ENDS", "FIELD", "FOLLOWING", "FREE", "HOUSE", "IN_BRACKETS", "JOINT", "LEFT", "LIVES",
    "MARK", "MILITARY", "MORE", "NOT_POSTAL", "NUMBERS", "SENTENCE", "SOON", "STREET_AND", "STRONG_CUE",
    "SURE_UNIT", "TO_UNIT", "TWO_STREETS", "UNIT", "UNITS", "WEAK_CUE", "WHOLE_LINE", "WORD",
]  # fmt: skip

_CAP = r"[^\W\d_a-zà-öø-ÿ][\w'\u2019\-]{0,30}"
DIGIT: Final = re.compile(r"\d")
FREE: Final = frozenset(" \n\t\r(\"'[:,;>|-#*/\u00a0\u201c\u2018")
"""What may stand before a house number."""
NUMBERS: Final = re.compile(
    r"(\d{1,6}[A-Za-z]?(?:[/\-]\d{1,5}[A-Za-z]?)?(?:[ ]?(?:bis|ter|quater))?)"
    r"((?:,?[ ]\d{1,6}[A-Za-z]?(?:[/\-]\d{1,4}[A-Za-z]?)?(?=[ ,])){0,2}),?[ ]{1,2}(?=\w)"
)
"""One to three house numbers before a name."""
WORD: Final = re.compile(
    r"[^\W\d_][\w'\u2019\u00b4`\-]{0,40}\.?(?:/(?=[ ]|\w))?|\d{1,3}(?:st|nd|rd|th|º|ª|°|er)\b"
)
HOUSE: Final = re.compile(
    r",?[ ]{1,2}(?:(?:n[°ºo]?\.?|nr\.?|no\.?|\#|№|д\.?|km)[ ]?)?"
    r"\d{1,5}(?:[ ]?[A-Za-z](?:[ ]\d{1,3})?)?(?:[/\-]\d{1,5}[A-Za-z]?)?"
    r"(?<!,[ ]\d{5})\.?(?![\w@]|[.,:]\d)(?:[ ](?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?",
    re.IGNORECASE,
)
"""A house number behind the name."""
UNIT: Final = re.compile(
    r"(?:(?:apartment|apt|appartement|appt|suite|ste|unit|flat|room|building|bldg|block|tower|villa|bloco|apto"
    r"|kat)\.?[ ]?(?:no\.?|nº|n°|number|\#)?[ ]?(?:[A-Z]?-?\d{1,5}[A-Z]?(?:[/\-]\d{1,4})?|(?<=[ ])[A-Z])"
    r"|(?:rm|floor|fl|lot|trailer|dept|penthouse|ph|piso|puerta|depto|dpto|departamento|interno|int|scala|sc"
    r"|wohnung|whg|lok|lokal|m|mieszkanie|bât|bâtiment|étage|bus|level|shop|office|plot|sector|phase|house"
    r"|door|quadra|sala|daire|byt|emelet|em)"
    r"(?:\.[ ]?|[ ])(?:no\.?|nº|n°|\#)?[ ]?\d{1,5}[A-Z]?(?:[/\-]\d{1,4})?"
    r"|\#[ ]?\d{1,5}[A-Z]?|\d{1,3}(?:st|nd|rd|th)[ ]floor|(?:ground|first|second|third|top)[ ]floor|basement"
    r"|\d{1,2}(?:er|e|ème)[ ]étage|\d{1,2}[.º°ª][ ]?(?:[A-Z]|stock|og|izq|dcha|piso|emelet)"
    r")\b\.?",
    re.IGNORECASE,
)
UNITS: Final = frozenset({
    "apartment", "apt", "appartement", "appt", "suite", "ste", "unit", "flat", "room", "rm", "floor",
    "building", "bldg", "block", "lot", "trailer", "plot", "house", "door", "shop",
})  # fmt: skip
"""Words with which an address can begin."""
SURE_UNIT: Final = re.compile(r"(?:apartment|apt|suite|ste|flat)\b", re.IGNORECASE)
"""A unit that is an address on its own."""
TO_UNIT: Final = re.compile(r"[ \t]{0,3}(?:[,.;|/\u2022\u00b7]|\?{2,4})?[ \t]{0,3}\n?[ \t]{0,12}")
BOX: Final = re.compile(
    r"\b(?:(?:p\.?[ ]?o\.?|post[ ]office|postal|gpo|g\.p\.o\.|postbus|postboks|box)[ ]?(?:box|bag)?"
    r"[ ]?(?:no\.?|\#|number)?[ ]?\d{1,7}"
    r"|(?:private|locked|mail)[ ]bag[ ](?:[A-Z]?\d{1,5})|postfach[ ]\d[\d ]{1,7}\d"
    r"|(?:apartado(?:[ ]de[ ]correos)?|casilla(?:[ ]postal)?|casella[ ]postale|caixa[ ]postal"
    r"|bo[iî]te[ ]postale|skrytka[ ]pocztowa|bp|b\.p\.|c\.p\.)[ ](?:n[°º][ ]?)?\d{1,6}"
    r"|(?:psc|cmr|unit|rr|hc)[ ]?\d{1,5},?[ ]box[ ]\d{1,6}|us[a-z]{1,5}[ ][^\W\d_]{2,20}(?=\n))"
    r"(?!\w|[.,:]\d)",
    re.IGNORECASE,
)
"""A post office box, a rural route, a ship's post."""
MILITARY: Final = re.compile(
    r",?\s{0,3}\b(?:APO|FPO|DPO),?[ ](?:A[AEP]|[A-Z]{2})[ ]\d{5}(?:-\d{4})?\b", re.IGNORECASE
)
CORNER: Final = re.compile(r"\b(?:the[ ])?(?:corner|intersection|junction|crossing)[ ]of[ ]", re.IGNORECASE)
CORNER_NUMBERS: Final = re.compile(r"(?:\d{1,6}[ ]){0,2}")
JOINT: Final = re.compile(r"(?:[ ]St\.?)?[ ]{1,2}(?:and|&|und|y|et|e|i|with)[ ]")
TWO_STREETS: Final = re.compile(r"[ ]and[ ]")
STREET_AND: Final = re.compile(
    r"(?:(?:^|[\n:?!>|]|\bat|\bon|\bto|\bof|\bwith)[ \t]{0,8})"
    rf"((?:{_CAP}\.?[ ]){{1,3}}(?:\d{{1,5}}\.?[ ])?(?:and|&)[ ])$"
)
"""The first of two streets that make a corner, before the second."""
BREAK: Final = re.compile(
    r"(?:(?<=\d)\.(?=\s{0,3}[,\n]))?[ \t]{0,4}(?:,[ \t]{0,4}\n?|\n[ \t]{0,12},?|\r\n[ \t]{0,12},?)[ \t]{0,12}"
)
"""A comma or a line end between two parts."""
BLANK: Final = re.compile(r"[ \t]{1,3}(?:-[ ]|\u2013[ ]|\()?")
MARK: Final = re.compile(r"\s{0,3}(?:\?{2,4}|[|;\u2022\u00b7/\u2013\u2014]|-)\s{1,2}")
"""A bar, a bullet, a dash between two parts."""
FIELD: Final = re.compile(r"[?|;\u2022\u00b7]")
"""The marks that set fields apart; `???` is what is left of a bullet in the wrong encoding."""
ENDS: Final = re.compile(r"[ \t]*(?:$|[,.;:!?\n\r)\]\"'\u201d\u2019<|]|[\-\u2013\u2014][ ]|\d|\\)")
WHOLE_LINE: Final = re.compile(r"[ \t]*(?:$|,?\s*$|[,\n\r]|\d|[A-Z]{2,3}\b)")
DISTRICT: Final = re.compile(r"[ ]\d{1,2}(?=[ ]?[,\n])")
IN_BRACKETS: Final = re.compile(r"[ ]?\([^\W\d_]{3,20}\)")
FOLLOWING: Final = re.compile(r"[ ]{1,2}([^\W\d_]+)")
COUNTRY_WORDS: Final = re.compile(r"(?:the[ ])?((?:[^\W\d_][\w.\-]{0,20}[ ]?){1,4})", re.IGNORECASE)
COMMA_CODE: Final = re.compile(r", \d{4}$")
MORE: Final = re.compile(r"[ .\-]{0,2}[(\d]")
SOON: Final = re.compile(
    r"(?:[ ,\n\t]{1,4}[^\W\d_][\w'\u2019\-.]{0,25}){0,5}[ ,\n\t\-]{1,6}"
    r"(?:\d{4,6}(?:-\d{3,4})?|\d{3}[ ]\d{2,3}|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})(?!\w|[.,:/]\d)"
)
"""A postcode within five words."""
SENTENCE: Final = re.compile(r"\s*(?:$|\s[A-ZÀ-ÞА-Я])")
LEFT: Final = re.compile(r"(?:[^\W\d_][\w'\u2019\-]{0,30}\.?[ \-]){1,4}$")

_LIVE = r"(?:lives?|lived|living|resides?|residing|located|situated|wohnt|habite|vive|abita)"
_HOUSES = (
    r"(?:station|stop|office|offices|store|shop|restaurant|house|home|entrance|hotel|clinic|school|church"
    r"|museum|bank)"
)
STRONG_CUE: Final = re.compile(
    rf"(?:\b(?:address(?:es)?|addr|adresse|direcci[oó]n|indirizzo|endereço|adres|anschrift|domicile|residence"
    rf"|{_LIVE}|{_HOUSES}|resided|moved|relocated|headquartered|based|deliver(?:y|ed)?|ship(?:ped|ping)?"
    r"|mail(?:ed)?|sen[dt]|apartment|property|premises|meet|meeting|visit|wohnhaft|mora|street|bus|parcel"
    r"|package|letter)\b[^.\n?!;@]{0,40}?"
    r"(?:[ ](?:at|on|in|to|is|was|as|are|with|of|from|near|into|for|following)|[:=?]|address|addr|->)"
    r"[ ]?(?:the[ ]following|now|currently|:)?\s{0,12}"
    r"|\b(?:address|one|following|below)[ ]?\?\s{0,3})$",
    re.IGNORECASE,
)
"""Words that promise an address."""
LIVES: Final = re.compile(
    rf"(?:\b(?:{_LIVE}[ ](?:now[ ])?(?:at|on|in|à|in der)|{_HOUSES}[ ]is[ ](?:now[ ])?(?:at|on|in)"
    r"|(?:enter|turn|park|exit|walk|drive)[ ](?:at|on|onto|into|down|along|off))[ ]"
    r"|\b(?:address|addr|street|adresse|direcci[oó]n|indirizzo|endereço|adres|anschrift)"
    r"(?:[ ]is|:|=)\s{1,8})$",
    re.IGNORECASE,
)
"""Words that promise an address right behind them."""
WEAK_CUE: Final = re.compile(
    r"(?:\b(?:at|on|to|in|near|from|of|is|by|opposite|behind|off|into|c/o)[ ]|[:;>|?\u2022\u00b7][ ]{0,12}"
    r"|\n[ \t]{0,12}|^\s*)$",
    re.IGNORECASE,
)
"""Words and places where an address can begin."""
NOT_POSTAL: Final = re.compile(
    r"\b(?:ip|mac|e-?mail|mail|web|wallet|memory|bitcoin|btc|ethernet|host)[ \-]address", re.IGNORECASE
)
