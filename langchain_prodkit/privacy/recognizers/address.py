"""Street addresses, which Presidio knows nothing of: US, UK, European and Korean forms.

An address is a core that is hard to mistake (a number with a street word, a unit, a box) and a tail
of towns, states, postcodes and countries, taken only over commas, line ends and known forms, so that
the sentence after an address stays readable.
"""

from __future__ import annotations

from presidio_analyzer import Pattern, PatternRecognizer

__all__ = ["StreetAddressRecognizer"]

_CAP = r"[A-ZÀ-ÖØ-ÞŁŚŻŽŠČĐΑ-ΩА-Я][\w'\u2019.\-]*"
_NUMBER = r"(?<![\w.,/$€£\-])\d{1,5}[A-Za-z]?(?:[/\-]\d{1,4})?"
_TYPE = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace"
    r"|Way|Close|Crescent|Circle|Cir|Parkway|Pkwy|Highway|Hwy|Row|Walk|Gardens|Grove|Hill|Hills|Mews|Park"
    r"|Rapids|Plaza|Loop|Trail|Quay|Alley|Bypass|Turnpike|Route|Path|Green|Rise|View|Ridge|Hollow|Bluff"
    r"|Estate|Estates|Manor|Village|Mall|Crossing|Heights|Meadows|Glen|Grove|Island|Junction|Knoll|Lodge"
    r"|Mission|Motorway|Mountain|Orchard|Pass|Pike|Pine|Point|Port|Ranch|River|Run|Shore|Spring|Springs"
    r"|Stream|Summit|Track|Trafficway|Tunnel|Union|Valley|Viaduct|Vista|Ways|Well|Wells)"
)
# Languages that put the street word at the end of the name, and the house number after it.
_ENDING = (
    r"(?:stra(?:ß|ss)e|str\.?|gasse|weg|platz|allee|ufer|damm|ring|graben|gata|gatan|vägen|väg|vegen|veien"
    r"|vej|gade|straat|laan|plein|kade|singel|dijk|hof|steeg|katu|kuja|polku|tie|hrauni|stígur|utca|körút)"
)
_BEFORE = (
    r"(?:ul\.|al\.|pl\.|os\.|Rue|rue|Avenue|Av\.|Via|Viale|Piazza|Corso|Calle|C/|Carrer|Avenida|Rua|Travessa"
    r"|Praça|Largo|Rúa|rúa|Paseo|Camino|Boulevard|Place|Quai|Chemin|Allée|Impasse)"
)
_UNIT = r"(?:(?i:apartment|apt|suite|ste|unit|flat|room)\.?[ ]?\#?[ ]?\d{1,5}[A-Za-z]?\b)"
_ZIP = r"(?:\d{5}(?:-\d{4})?|\d{4}[ ]?[A-Z]{2}|\d{3}[ ]\d{2}|\d{4,6}|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2})\b"
_NAME = rf"{_CAP}(?:[ ](?:{_CAP}|de|del|da|der|den|la|le|of|and|upon|an|am)){{0,4}}"
_GAP = r"(?:[ ]?,[ ]?\n?[ ]?|[ ]?\n[ ]?,?[ ]?)"
_STOP = rf"(?=[ ]?[,.;:!?\n]|\s*$|[ ]+\d|[ ]+[A-Z]{{2}}\b|[ ]+{_ZIP})"
_TAIL = (
    rf"(?:[ ,\n]{{1,3}}{_UNIT})?"
    rf"(?:{_GAP}(?:{_ZIP}[ ]{_NAME}|{_NAME}{_STOP}|[A-Z]{{2,3}}\b|nan\b)|[ ][A-Z]{{2}}(?=[ ,]|\s*$)"
    rf"|[ ,\n]{{1,3}}{_ZIP}){{0,6}}"
)
_LOOSE = rf"(?:{_GAP}[a-z][\w ]{{2,40}}(?=[,\n]|[ ]\d)){{1,3}}[ ]{_ZIP}"
_OF = r"(?:(?:de|la|des|della|do|da)[ ])"
_KOREAN = (
    r"(?:[가-힣]{2,6}(?:특별자치도|특별자치시|특별시|광역시|도|시)\s?)?(?:[가-힣]{1,5}[시군구]\s)"
    r"(?:[가-힣]{1,5}[읍면동구]\s)?[가-힣\d]{1,12}(?:로|길|가)\s?(?:지하\s?)?\d{1,4}(?:-\d{1,4})?"
)
_FORMS = (
    # 12 Main Street, Flat 3, Springfield, IL 62701
    ("street", rf"{_NUMBER}[ ](?:[NSEW]{{1,2}}\.?[ ])?(?:{_CAP}[ ]){{1,4}}{_TYPE}\b\.?{_TAIL}", 0.7),
    # 6750 Koskikatu 25 Apt. 864, ... : a number, a name and a unit or a second number
    ("block", rf"{_NUMBER}[ ](?:\d{{1,4}}[ ])?(?:{_CAP}[ ]){{1,4}}(?:\d{{1,4}}\b|(?={_UNIT})){_TAIL}", 0.6),
    ("unit", rf"(?<![\w]){_UNIT}{_TAIL}", 0.5),
    ("loose", rf"{_NUMBER}[ ](?:[\w.\-]+[ ]){{1,5}}{_UNIT}{_LOOSE}", 0.6),
    # Nybyvägen 65, Am Stadtring 4, Kálmán Imre u. 12.
    ("ending", rf"\b(?:{_CAP}[ \-]){{0,2}}[A-ZÀ-ÖØ-Þ]\w*{_ENDING}[ ]\d{{1,4}}[A-Za-z]?\b{_TAIL}", 0.6),
    ("ending word", rf"\b(?:{_CAP}[ ]){{1,3}}(?:u\.|út|utca|tee|mnt|tér|Str\.)[ ]\d{{1,4}}\b\.?{_TAIL}", 0.6),
    # ul. Posejdona 90
    ("before", rf"(?:{_NUMBER}[ ,]+)?\b{_BEFORE}[ ]{_OF}?(?:{_CAP}[ ,]+){{1,4}}\d{{1,4}}\b{_TAIL}", 0.6),
    # 40 33 Avenue Millies Lacroix
    ("number before", rf"{_NUMBER}[ ,]+{_BEFORE}[ ]{_OF}?{_CAP}(?:[ ]{_CAP}){{0,3}}{_TAIL}", 0.6),
    ("box", rf"\b(?:PSC[ ]\d{{1,5}},?[ ]|(?i:P\.?O\.?)[ ])(?i:box)[ ]\d{{1,6}}{_TAIL}", 0.7),
    ("military", r"\b(?:Unit \d{1,5} Box \d{1,5}\n)?(?:APO|FPO|DPO) [A-Z]{2} \d{5}\b", 0.7),
    ("corner", rf"\bcorner of (?:ul\. )?{_CAP}(?: (?:{_CAP}|\d{{1,4}})){{0,4}} and {_CAP}(?: {_CAP})?", 0.5),
    ("town", rf"\b{_CAP}(?:[ ]{_CAP}){{0,2}},[ ][A-Z]{{2}}[ ]\d{{5}}(?:-\d{{4}})?\b", 0.6),
    ("postcode", r"\b(?:GIR ?0AA|[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2})\b", 0.5),
    # 서울특별시 마포구 석촌호수로 911, 대구광역시 양천구 테헤란014길 지하562
    ("korean", _KOREAN, 0.8),
)  # fmt: skip


class StreetAddressRecognizer(PatternRecognizer):
    """Finds street addresses with units, boxes, towns, postcodes and countries where they follow."""

    PATTERNS = tuple(Pattern(name, form, score) for name, form, score in _FORMS)

    def __init__(self, supported_language: str = "en", supported_entity: str = "STREET_ADDRESS") -> None:
        """Take the language and the entity that results bear."""
        super().__init__(
            supported_entity=supported_entity,
            patterns=list(self.PATTERNS),
            supported_language=supported_language,
            name="StreetAddressRecognizer",
            global_regex_flags=0,
        )
