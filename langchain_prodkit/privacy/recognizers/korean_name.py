"""Korean names: a surname, a given name, and what morphology and the words around them say.

kiwipiepy (bab2min/kiwipiepy, model inside) tells proper nouns from the common nouns and verbs that start
with the same syllable; names that it has never seen are judged by their syllables and their neighbours.
Surnames: the Korean census of 2015 (Statistics Korea), all above about 10,000 bearers. Syllables of given
names: those that the Supreme Court's registers of popular names since 1945 show again and again.

Without kiwipiepy only names are found that stand right beside a title, a form field or an introduction.
"""

from __future__ import annotations

import re
import threading
import warnings
from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from langchain_prodkit._extras import require
from langchain_prodkit.errors import MissingExtraError
from langchain_prodkit.privacy.recognizers.korean_place import KOREAN_PARTICLES, is_korean_place
from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["KoreanNameRecognizer"]

_ONE = (
    "김이박최정강조윤장임한오서신권황안송류유홍전고문손양배백허남심노하곽성차주우구라민진지엄채원천방공현함변염여추도"
    "소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용예경봉사부가복태목형계피두감음빈동온호범좌팽승간상시갈"
)
_TWO = ("남궁", "황보", "제갈", "선우", "독고", "사공", "서문", "동방", "어금", "망절")
_USUAL = frozenset(
    "김이박최정강조윤장임한오서신권황안송류유홍전고문손양배백허남심노하곽성차주우구라민진지엄채원천방공현"
    "함변염추도"
)
_FIRST = frozenset(
    "가강건경계관광교국규근금기길나난남다단달대덕도동두라란래려로루류리린마만말명무문미민바방백범별병보복봉빈상새서석선설섭성세소솔송"
    "수숙순슬승시신아안애양언여연열영예옥온완요용우운웅원월유윤율은을의이인일자장재전점정제조종주준중지진찬창채천철청초춘충치태하학한해향"
    "허헌혁현형혜호홍화환효후훈휘흥희"
)
_LAST = frozenset(
    "강건겸경관광교구국권규균근금기길나남녀늘단담대덕도동라란람랑래량련렬례로록루률름리린림만매명모무문미민박방배백범별병복봉북분비빈빛산삼상서"
    "석선설섭성세소솔송수숙순슬승식신실심아안애양언업연열엽영예오옥온완용우욱운웅원월위유윤율은음의이익인일임자장재전정제조종주준중지진"
    "찬창채천철청초춘출충태택평표필하학한항해향헌혁현협형혜호홍화환회효후훈휘흠흥희"
)
_TITLE = (
    r"(?:본부장|부본부장|센터장|연구원|연구소장|간호사|변호사|회계사|세무사|변리사|법무사|약사|의사|한의사"
    r"|수의사|설계사|상담사|상담원|기술사|미용사|"
    r"선생|교수|박사|강사|교사|교장|교감|총장|학장|조교|과장|부장|차장|대리|사원|주임|계장|팀장|실장|국장"
    r"|처장|청장|이사장|이사|상무|전무|부사장|사장|부회장|회장|"
    r"대표|원장|소장|점장|지점장|반장|조장|단장|위원장|위원|의원|장관|차관|총리|대통령|시장|도지사|지사"
    r"|군수|구청장|판사|검사|경감|경위|경사|순경|형사|"
    r"대위|중위|소위|대령|중령|소령|병장|상병|일병|이병|하사|중사|상사|감독|코치|선수|배우|가수|작가|시인"
    r"|화가|기자|앵커|아나운서|피디|목사|신부|수녀|스님|"
    r"고객|회원|환자|학생|어르신|손님|승객|수험생|지원자|신청자|담당자|담당|매니저|파트장|그룹장|프로|책임"
    r"|선임|수석|인턴|간사|총무|사모|여사|도련|아가씨|어머니|아버지|할머니|할아버지|"
    r"이모|고모|삼촌|오빠|언니|누나|형)"
)
_HONORIFIC = rf"(?:[ ]?(?:씨|님|군|양|옹|귀하|선배|후배)|[ ]?{_TITLE}(?:님)?|[ ]외[ ]?\d{{1,3}}(?:명|인))"
_FOLLOWED = re.compile(rf"{_HONORIFIC}(?:{KOREAN_PARTICLES}){{0,2}}(?![가-힣])")
_TAIL = re.compile(rf"(?:씨|님|군|양|옹|{_TITLE}님?)?(?:{KOREAN_PARTICLES}){{0,2}}")
_FIELD = re.compile(
    r"(?:성명|이름|성함|담당자|담당|참석자|참가자|참여자|예금주|수신인?|수취인|수령인|받는[ ]?(?:사람|분"
    r"|이)|보내는[ ]?(?:사람|분|이)|발신인?|발송인|고객명|고객|환자명?|작성자"
    r"|신청인|신청자|대표자명?|대표이사|대표|보호자명?|계약자|피보험자|보험자|가입자|예약자|구매자|주문자"
    r"|입금자명?|명의자?|소유자|임차인|임대인|매수인|매도인|갑|을|피고인?|원고|증인|의뢰인"
    r"|연락처|문의|저자|지은이|감독|주연|출연|강사|교수|기자|사회자|발표자|면접자|지원자|수험생|학생|직원"
    r"|사원|회원|동료|친구|남편|아내|아들|딸|어머니|아버지|아버님|어머님|부모|형|누나|언니|오빠|동생"
    r"|저는|나는|제[ ]이름은|본인은|전[ ]|팀장|부장|과장|대리|선생님|의장|위원장|비서|매니저|관리자|책임자"
    r"|승인자|결재자?|서명|배우자|상속인|수익자|후보|선수|배우|가수|작가|씨|님|와|과|및|하고)"
    r"(?:의[ ]?(?:이름|성함|성명))?(?:은|는|이|가|을|를|인|께|에게|님은|님"
    r"|분은)?[ ]?[:\uff1a=은\-\u2013|/(\"'「『<]?[ ]?$"
)
_INTRODUCED = re.compile(
    r"(?:저는|나는|제[ ]이름은|성함은|이름은|성명은|성명:|이름:|성함:|성명[ ]|본인은|예금주[ ]?:?"
    r"|담당자[ ]?[:는]?)[ ]?$"
)
# A surname and a title, which tell nobody apart: 김위원장, 박대리.
_ADDRESSED = re.compile(rf"[가-힣]{_TITLE}")
_BEFORE_IN_LIST = re.compile(r"[ ]?[,·/、][ ]?\Z")
_BEHIND_IN_LIST = re.compile(r"[ ]?[,·/、][ ]?")
_TO_SOMEBODY = re.compile(r"(?:에게|한테|께|님)")
_WORD = re.compile("[가-힣]{2,14}")
# Words that the syllables alone would take for names; common nouns are left to morphology.
_NEVER: Final = frozenset(
    [
        "이메일",
        "배송지",
        "주소록",
        "이방인",
        "문자열",
        "서해안",
        "동해안",
        "남해안",
        "오로라",
        "마리아",
        "민주당",
        "예금주",
        "대한민국",
        "시리아",
        "이용자",
        "이번주",
        "이상한",
        "이유는",
        "전화기",
        "주민등",
        "주소지",
        "신청서",
        "신청자",
        "신규",
        "우리는",
        "이하의",
        "정말로",
        "주문자",
        "고객명",
        "고객님",
        "사용자",
        "안내문",
        "유의사",
        "이외의",
        "한국인",
        "한국어",
        "오늘은",
        "지금은",
        "전체의",
        "인공지",
        "자동차",
        "정상적",
        "조선인",
        "신문사",
        "대한민",
        "하나의",
        "한번에",
        "김치전",
        "고소인",
        "피고인",
        "원고인",
        "임차인",
        "임대인",
        "이사장",
        "전문가",
        "성인용",
        "정치인",
        "기업인",
        "방송인",
        "주인공",
        "여주인",
        "남주인",
        "지은이",
        "어린이",
        "유명인",
        "기사도",
        "여성은",
        "남성은",
        "신성한",
    ]
)
_UNKNOWN_ID: Final = 60
"""Kiwi numbers the words of its dictionary behind the tags, whose numbers unknown words bear."""
_PREFIXES: Final = frozenset({"MM", "XPN", "NR", "MAG", "NP"})
_GRAMMAR: Final = frozenset({"XSV", "XSA", "XSA-I", "MAJ"})
_SURE, _FAIR = 0.85, 0.6
_ACCEPT: Final = 2.0


class _Judged(NamedTuple):
    """What morphology says of one word's first syllables."""

    is_whole: bool
    """One proper noun or one unknown word covers the name, no more and no less."""
    is_unknown: bool
    """No word of the dictionary starts here that is longer than a syllable."""
    is_common: bool
    """One noun of the dictionary covers the name, or reaches beyond it."""
    is_derived: bool
    """A noun of the dictionary and a suffix make up the name, or its last noun reaches beyond it."""
    is_inflected: bool
    """A verb, a particle or an ending lies inside the name."""


class KoreanNameRecognizer(ScanRecognizer):
    """Finds Korean names with titles and particles behind them; the span is the name alone.

    Args of the constructor as for every `ScanRecognizer`. For `supported_language="ko"` kiwipiepy is
    required; for other languages a Korean sentence without it warns once and is searched by its
    form only.

    Raises (on the first Korean text):
        MissingExtraError: The language is `ko` and kiwipiepy is not installed.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("PERSON",)

    def load(self) -> None:
        """Leave the morphology (330 MB, some seconds) to the first text that may hold a name."""
        self._is_missing = False

    def hits(self, text: str) -> Iterator[Hit]:
        """Judge every word that starts with a surname."""
        candidates = list(_candidates(text))
        if not candidates:
            return
        tokens = self._tokens(text)
        starts = [token.start for token in tokens]
        judged = [
            (
                start,
                *max((_weight(text, start, end, _judged(tokens, starts, start, end)), end) for end in ends),
            )
            for start, ends in candidates
        ]
        names = {place for start, weight, end in judged if weight >= _ACCEPT for place in (start, end)}
        for start, weight, end in judged:
            sure = weight + (weight < _ACCEPT and _is_listed(text, start, end, names))
            if sure >= _ACCEPT:
                yield Hit(start, end, "PERSON", _SURE if sure >= _ACCEPT + 1 else _FAIR)

    def _tokens(self, text: str) -> Sequence[Any]:
        shared = None if self._is_missing else self._loaded()
        if shared is None:
            return ()
        kiwi, lock = shared
        with lock:  # kiwipiepy says nothing of threads
            return kiwi.tokenize(text)  # type: ignore[no-any-return]

    def _loaded(self) -> tuple[Any, threading.Lock] | None:
        try:
            kiwipiepy = require("kiwipiepy", extra="privacy-ko")
        except MissingExtraError as error:
            if self.supported_language == "ko":
                raise
            self._is_missing = True
            warnings.warn(
                f"Korean text, and kiwipiepy is not installed: only names beside a title or a form field are "
                f"found. {error.command}",
                stacklevel=2,
            )
            return None
        with _loading:
            return _shared(kiwipiepy)


_loading: Final = threading.Lock()


@lru_cache(maxsize=1)
def _shared(kiwipiepy: Any) -> tuple[Any, threading.Lock]:
    """Load the morphology once a process: it is read only, and 330 MB."""
    return kiwipiepy.Kiwi(num_workers=1, load_multi_dict=False), threading.Lock()


def _candidates(text: str) -> Iterator[tuple[int, list[int]]]:
    for match in _WORD.finditer(text):
        start, word = match.start(), match.group()
        if word[0] not in _ONE or (start and text[start - 1].isalnum()) or _ADDRESSED.match(word):
            continue
        ends = [
            start + length
            for length in ((4, 3) if word[:2] in _TWO else (3, 2))
            if len(word) >= length and _TAIL.fullmatch(word, length) and word[:length] not in _NEVER
        ]
        if ends:
            yield start, ends


def _judged(tokens: Sequence[Any], starts: Sequence[int], start: int, end: int) -> _Judged | None:
    if not tokens:
        return None
    at = bisect_left(starts, start)
    inside = [token for token in tokens[at : at + 8] if token.start < end]
    if not inside or inside[0].start != start:
        return _Judged(is_whole=False, is_unknown=False, is_common=False, is_derived=False, is_inflected=True)
    first, last = inside[0], inside[-1]
    reach = first.start + first.len
    is_known = first.id > _UNKNOWN_ID
    is_cut = last.start + last.len > end
    # A noun cannot follow a particle within one word, so that reading is a guess at an unknown name.
    is_guess = last.tag[0] in "NM" and not is_cut and any(token.tag[0] in "VEJ" for token in inside)
    is_begun = first.tag == "NNP" and reach == end - 1 and last.tag in {"NNG", "NNP", "NNB"}
    return _Judged(
        is_whole=reach == end and (first.tag == "NNP" or not is_known),
        is_unknown=not is_known or (first.len == 1 and first.tag not in _PREFIXES) or is_guess or is_begun,
        is_common=is_known and ((first.tag != "NNP" and reach >= end) or reach > end),
        is_derived=(is_known and 1 < first.len < end - start and last.tag == "XSN")
        or (is_cut and is_known and len(inside) > 1),
        is_inflected=not is_guess
        and any(token.tag[0] in "VEJ" or token.tag in _GRAMMAR for token in inside if token.len),
    )


def _weight(text: str, start: int, end: int, judged: _Judged | None) -> float:
    name = text[start:end]
    if is_korean_place(name):
        return 0.0
    weight = 0.5 if name[0] in _USUAL or name[:2] in _TWO else 0.25
    weight += max(_fitness(name[1:]), _fitness(name[2:]) if name[:2] in _TWO else -2.0)
    before = text[max(0, start - 16) : start]
    followed = _FOLLOWED.match(text, end) is not None
    introduced = _INTRODUCED.search(before) is not None
    weight += 1.0 if followed else 0.75 if _TO_SOMEBODY.match(text, end) else 0.0
    weight += 1.0 if introduced or _FIELD.search(before) else 0.0
    if judged is not None:
        return weight + _morphology(judged, len(name))
    return weight + 0.25 if followed or introduced else 0.0


def _morphology(judged: _Judged, length: int) -> float:
    """Say what the reading of a word adds to it, or takes away."""
    weight = 1.0 if judged.is_unknown else 0.0
    if judged.is_whole:
        weight = 1.5 if length > 2 or judged.is_unknown else 0.5  # noqa: PLR2004
    if judged.is_common:
        weight -= 1.5
    elif judged.is_derived:
        weight -= 1.25
    if judged.is_inflected and not judged.is_whole:
        weight -= 1.5
    return weight


def _is_listed(text: str, start: int, end: int, names: set[int]) -> bool:
    """Say whether a name stands right before or behind, with a comma between."""
    left = max(0, start - 3)
    before, behind = _BEFORE_IN_LIST.search(text[left:start]), _BEHIND_IN_LIST.match(text, end)
    return (before is not None and left + before.start() in names) or (
        behind is not None and behind.end() in names
    )


def _fitness(given: str) -> float:
    """Say how much a given name looks like one; 2.0 between the likely and the impossible."""
    if len(given) == 1:
        return -0.75 if given in _FIRST or given in _LAST else -1.75
    return 0.75 if len(given) == 2 and given[0] in _FIRST and given[1] in _LAST else -0.75  # noqa: PLR2004
