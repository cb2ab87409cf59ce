"""Korean addresses, by road and by lot, and the names of Korea's provinces, cities and districts.

Names of the administrative divisions as the Ministry of the Interior and Safety lists them; forms of an
address after the Road Name Address Act (province, city, district, town, road, building number, unit).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["KOREAN_PARTICLES", "KoreanPlaceRecognizer", "is_korean_place"]

KOREAN_PARTICLES: Final = (
    r"(?:에서의|에서는|에서도|에서만|에게서|에서|에게는|에게도|에게|에는|에도|에만|에|께서는|께서|께"
    r"|한테서|한테|으로부터|로부터|으로의|으로는|으로도"
    r"|으로서|로서|으로|로는|로|까지|부터|이라고|라고|이라는|라는|이란|이며|며|이고|고|이나|나|이랑|랑"
    r"|와의|과의|와는|과는|와|과|하고|처럼|보다|마다|밖에|조차"
    r"|만이|만을|만|도|은|는|이가|이는|이를|이의|이와|이도|이|가|을|를|의|아|야|시여"
    r"|입니다만|입니다|입니까|이었습니다|였습니다|이였습니다|이에요|예요|이예요|에요|이네요|네요|이죠|죠"
    r"|이야|이다|다|인데요|인데|인가요|인지|인|임|이신지|이신|이십니다"
    r"|이시고|이시며|이시|이라서|라서|이라|라|이니|니|이면|면|일|였다|이었다|이요|요|네|님)"
)
_GATE = re.compile("[가-힣]")
_PROVINCE = (
    r"(?:서울(?:특별시|시)?|(?:부산|대구|인천|광주|대전|울산)(?:광역시|시)?|세종(?:특별자치시|시)?|경기도?"
    r"|강원(?:특별자치도|도)?"
    r"|충청?[남북]도|충[남북]|전라?[남북]도|전[남북]|전북특별자치도|경상?[남북]도|경[남북]"
    r"|제주(?:특별자치도|도)?)"
)
_CITY = r"[가-힣]{1,4}[시군]"
_DISTRICT = r"[가-힣]{1,4}[구]"
_TOWN = r"[가-힣]{1,5}\d{0,2}(?:읍|면)"
_ROAD = (
    r"[가-힣][가-힣\d·.]{0,14}?(?:대로|로|길|거리|가)(?:[ ]?(?:\d{1,4}(?:번|번안)?|[가-하]"
    r"|안)?길)?(?=[ ]?(?:지하[ ]?)?\d)"
)
_NUMBER = r"[ ]?(?:지하[ ]?)?\d{1,4}(?:-\d{1,4})?(?!\d|-\d|[년월일시분초개명원만억천%]|번째|층)"
_LOT = (
    r"(?:[가-힣]{1,5}\d{0,2}(?:동|리|가)[ ]){1,2}(?:산[ ]?)?\d{1,4}(?:-\d{1,4})?(?:번지)?(?!\d"
    r"|[년월일시분초개명원%])"
)
_UNIT = (
    r"(?:,?[ ]?(?:[가-힣A-Za-z\d]{1,12}(?:아파트|빌딩|타워|빌라|오피스텔|주택|맨션|캐슬|자이|래미안"
    r"|푸르지오|힐스테이트|더샵)[ ]?)?"
    r"(?:,?[ ]?(?:제?\d{1,4}|[A-Za-z가나다라마바사])동(?![가-힣])(?:[ ]?(?:제?[B\uff22b]?\d{1,3}층"
    r"|제?[B\uff22b]?\d{1,4}호))?"
    r"|,?[ ]?(?:지하[ ]?)?[Bb]?\d{1,3}층(?:[ ]?\d{1,4}호)?|,?[ ]?\d{1,4}호))?"
)
_EXTRA = r"(?:[ ]?\([가-힣\d][가-힣A-Za-z\d ,.]{1,30}\))?(?:,?[ ]\d{5}(?!\d|-))?"
_ZIP = r"(?:[\[(]?(?:우[)]?[ ]?)?\d{5}[\])]?,?[ ])?"
_ADDRESS = re.compile(
    rf"(?<![가-힣\w]){_ZIP}(?:대한민국[ ])?"
    rf"(?:{_PROVINCE}[ ](?:{_CITY}[ ])?(?:{_DISTRICT}[ ])?|{_CITY}[ ](?:{_DISTRICT}[ ])?|{_DISTRICT}[ ])"
    rf"(?:{_TOWN}[ ])?(?:(?:[가-힣]{{1,5}}\d{{0,2}}[동리][ ])?{_ROAD}{_NUMBER}|{_LOT}){_UNIT}{_EXTRA}"
)
# Without a city: only what can hardly be anything else.
_ROAD_ALONE = re.compile(
    rf"(?<![가-힣\w])[가-힣]{{2,8}}\d{{0,4}}(?:번)?(?:대로|로|길)(?:[ ]?\d{{1,4}}(?:번"
    rf"|번안)?길)?[ ]\d{{1,4}}(?:-\d{{1,4}})?"
    rf"(?=[ ]?,?[ ]?(?:\d{{1,4}}[동호층]|[(]))(?!\d){_UNIT}{_EXTRA}"
)
_POSTCODE = re.compile(r"(?<=우편번호)(?:은|는|:)?[ ]?(?P<zip>\d{5})(?!\d|-)")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CERTAIN_NAMES = _words(
    "서울 부산 대구 인천 울산 대전 광주 제주 수원 성남 의정부 안양 부천 광명 평택 동두천 안산 "
    "고양 과천 구리 남양주 시흥 군포 의왕 하남 용인 파주 김포 양주 여주 연천 가평 양평 춘천 원주 "
    "강릉 태백 속초 삼척 홍천 횡성 영월 평창 정선 철원 화천 양구 인제 양양 청주 충주 제천 옥천 "
    "증평 진천 괴산 음성 단양 천안 보령 아산 서산 논산 계룡 당진 금산 부여 서천 청양 예산 태안 "
    "전주 군산 익산 정읍 남원 김제 완주 진안 무주 장수 임실 순창 고창 부안 목포 여수 순천 나주 "
    "광양 담양 곡성 구례 고흥 보성 화순 장흥 강진 해남 영암 무안 함평 영광 장성 완도 진도 신안 "
    "포항 경주 김천 안동 구미 영주 영천 상주 문경 경산 의성 청송 영양 영덕 청도 고령 성주 칠곡 "
    "예천 봉화 울진 울릉 창원 진주 통영 사천 김해 밀양 거제 양산 의령 함안 창녕 고성 남해 하동 "
    "산청 함양 거창 합천 서귀포 이천 안성 오산 화성 공주 동해 포천 영동 보은 홍성 군위 세종"
)
# Words of their own as well: taken with 시, 군 or 도 behind them, or where a place is being told.
_AMBIGUOUS = _words(
    "구리 양주 인제 음성 부여 예산 전주 장수 나주 보성 영광 장성 진도 안동 구미 영주 상주 의성 "
    "영양 고령 사천 양산 함양 남해 하동 이천 안성 오산 화성 공주 동해 포천 영동 보은 홍성 세종 "
    "고성 경기 강원 진주 양구 고양 과천 시흥 김제 정선 강진 성주 청도 당진 남원 논산 여주 안산 "
    "신안 무안 함안 양양 진안 청양 봉화 완주"
)
_DISTRICTS = _words(
    "강남 강동 강북 강서 관악 광진 구로 금천 노원 도봉 동대문 동작 마포 서대문 서초 성동 성북 "
    "송파 양천 영등포 용산 은평 종로 중랑 해운대 수영 사상 사하 연제 금정 동래 부산진 영도 기장 "
    "수성 달서 달성 미추홀 연수 남동 부평 계양 강화 옹진 광산 유성 대덕 울주 장안 권선 팔달 영통 "
    "분당 수정 중원 만안 동안 상록 단원 덕양 일산동 일산서 처인 기흥 수지 상당 서원 흥덕 청원 "
    "동남 서북 완산 덕진 의창 성산 마산합포 마산회원 진해 원미 소사 오정 일산"
)
_AREAS = _words(
    "강남 마포 송파 종로 영등포 해운대 분당 일산 판교 홍대 여의도 잠실 명동 이태원 동탄 광교 송도"
)
_LOCAL = r"(?:에서는|에서|에는|에도|에|으로|로|까지|부터|출신|지역|지점|시내|근처|행)"
_TOLD = re.compile(
    r"(?:장소|거주지|출생지|고향|주소지?|지역|도시|사는 곳|근무지|출장지|여행지|목적지|출발지|도착지|본사"
    r"|지점|소재지|배송지|위치)(?:은|는|이|가|:|\uff1a|로는)?[ ]?$"
)
_FULL_NAMES = (
    r"서울특별시|(?:부산|대구|인천|광주|대전|울산)광역시|세종특별자치시|(?:강원|제주|전북)특별자치도"
    r"|(?:경기|강원|제주|충청[남북]|전라[남북]|경상[남북])도|(?:충[남북]|전[남북]|경[남북])(?=[ ])"
)


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_PLACE = re.compile(
    rf"(?<![가-힣A-Za-z\d])(?:(?P<full>{_FULL_NAMES})"
    rf"|(?P<name>{_any({*_CERTAIN_NAMES, *_AREAS, '경기', '강원'})})(?P<kind>시|군|구)?"
    rf"|(?P<gu>{_any(_DISTRICTS)})구)"
    rf"(?=(?P<tail>{KOREAN_PARTICLES}(?:{KOREAN_PARTICLES})?|출신|지역|지점|시내|근처|행"
    rf"|{_LOCAL}[가-힣]?)?(?![가-힣A-Za-z\d]))"
)
_IS_LOCAL = re.compile(_LOCAL)
_SPOT = re.compile(r"[ ](?:지점|지사|지역|본사|출신|시내|공장|사무소|사무실|출장|여행|시민|군민|터미널)")
# Not the city: the world war, two lowland rivers, ...
_NOT_BEFORE = re.compile(r"(?:세계|남북|토너먼트|[0-9]차|미니)[ ]?$")


def is_korean_place(word: str) -> bool:
    """Say whether a word is the name of a province, a city or a district, with or without its kind."""
    bare = word[:-1] if word[-1:] in ("시", "군", "구", "도") else word
    return not _PLACES.isdisjoint((word, bare)) or _FULL.fullmatch(word) is not None


_PLACES = _CERTAIN_NAMES | _DISTRICTS | _AREAS
_FULL = re.compile(_PROVINCE)


class KoreanPlaceRecognizer(ScanRecognizer):
    """Finds Korean street addresses with postcode, unit and building, and names of Korean places."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("STREET_ADDRESS", "LOCATION")

    def hits(self, text: str) -> Iterator[Hit]:
        """Find addresses first; a place inside one is part of it."""
        if _GATE.search(text) is None:
            return
        ends: list[tuple[int, int]] = []
        for form, score in ((_ADDRESS, 0.9), (_ROAD_ALONE, 0.6)):
            for match in form.finditer(text):
                end = match.start() + len(match.group().rstrip(" ,"))
                ends.append((match.start(), end))
                yield Hit(match.start(), end, "STREET_ADDRESS", score)
        for match in _POSTCODE.finditer(text):
            yield Hit(match.start("zip"), match.end("zip"), "STREET_ADDRESS", 0.6)
        for match in _PLACE.finditer(text):
            start, end = match.span()
            if any(first <= start < last for first, last in ends):
                continue
            if _is_place(text, match):
                yield Hit(start, end, "LOCATION", 0.7)


def _is_place(text: str, match: re.Match[str]) -> bool:
    start = match.start()
    before = text[max(0, start - 12) : start]
    if _NOT_BEFORE.search(before):
        return False
    if match["full"] or match["gu"] or match["kind"]:
        return True
    if match["name"] in _AMBIGUOUS:
        tail = match["tail"] or ""
        return (
            _TOLD.search(before) is not None
            or (bool(tail) and _IS_LOCAL.match(tail) is not None)
            or _SPOT.match(text, match.end()) is not None
        )
    return True
