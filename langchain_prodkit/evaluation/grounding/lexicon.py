"""Words that turn a sentence round: negations, opposites, quantifiers, what must and what may be."""

from __future__ import annotations

from typing import Final

from langchain_prodkit.evaluation.grounding.claims import listed, stem

__all__ = [
    "ALL",
    "CAUSE",
    "MODALS",
    "NEGATORS",
    "ONLY",
    "PARTIAL",
    "are_opposites",
    "are_siblings",
    "negates",
]

NEGATORS: Final = listed(
    """not no never none nobody nothing neither nor without cannot nowhere hardly barely scarcely except
    excluding exclude excluded excludes fail fails failed failing lack lacks lacked lacking refuse
    refuses refused deny denies denied forbid forbids forbidden ban bans banned prohibit prohibits
    prohibited prevent prevents prevented avoid avoids unable impossible unlikely vain absent absence
    decline declined exempt reject rejects rejected cancel cancelled canceled unless missing"""
)
"""One of them turns the sense round, two turn it back."""

_NEGATIVE_HEADS: Final = ("un", "in", "im", "ir", "il", "dis", "non", "mis")
_NO_NEGATION: Final = listed(
    """until under unit union united unique universe university understand undergo uncle income increase
    include inside into industry inform inch individual indeed invest invite involve inspect install
    instead insure interest internal international introduce invent invoice issue important improve
    impact import impose impress image immediate district distance display discuss discover discount
    disease dish disk distribute divide dismiss mission mister mistake misery iron irish island ill
    illness illustrate none nonetheless indoor influence injury ink inn inner innocent innovate input
    inquire insect insist inspire instance instant institute instruct instrument insult intelligence
    intend intense interact interpret interview india imagine imitate immune imply impulse discipline
    disaster dispute dissolve distinct disturb"""
)

ALL: Final = listed(
    """all every each always everyone everybody everything any anyone anybody anything both entire entirely
    whole wholly completely totally"""
)
PARTIAL: Final = listed(
    """some several few many most mostly usually often sometimes partly partially part mainly largely
    generally occasionally rarely seldom nearly almost about"""
)
ONLY: Final = listed("""only solely exclusively merely just alone""")
CAUSE: Final = listed(
    """because since therefore hence thus due owing cause causes caused causing reason reasons consequently
    thanks leads led lead results resulted result why"""
)
MODALS: Final = {
    word: kind
    for kind, text in {
        "must": """must required requires require need needs needed mandatory compulsory obliged obligatory
            necessary shall essential obligation""",
        "may": """may can could might allowed permitted optional possible able free optionally option possibly
            perhaps""",
        "should": "should ought recommended advisable",
        "will": "will plans planned expects expected expect plan intends going hopes aims",
    }.items()
    for word in text.split()
}
"""What has to be, may be, should be and will be."""

_OPPOSITES: Final = """
increase rise grow climb gain soar expand jump up more higher surge / decrease fall drop decline shrink
increase rise grow climb gain soar expand jump up more higher surge / sink lose
increase rise grow climb gain soar expand jump up more higher surge / reduce down less lower fewer plunge slip
accelerate fast quick rapid speed / slow slowly delay decelerate gradual
open / close closed shut
start begin launch open commence / end finish stop conclude cease close terminate
before earlier prior previous previously / after later following subsequent afterwards then
first early / last late final
always constant / never
all every everyone everybody everything both / none no nobody nothing neither
most majority / few minority least
many much plenty numerous / few little scarce
maximum most / minimum least
above over exceed exceeding / below under beneath
inside indoors within inner internal / outside outdoors outer external beyond
include including contain with / exclude excluding without except
allow permit let authorise legal / forbid prohibit ban prevent bar illegal
accept approve agree uphold confirm grant / reject refuse deny decline dismiss disagree oppose
support favour back propose endorse / oppose resist object against reject
buy purchase acquire / sell
lend give / borrow take receive
send / receive
pay spend / earn receive save
win beat defeat / lose
win success succeed successful / fail failure lose vain unsuccessful
pass / fail
strong powerful / weak feeble
hot warm heat heated / cold cool chill cooled
dry / wet moist damp
full / empty vacant
high tall / low short
large big huge great / small little tiny
long lengthy / short brief
old ancient elder / new young modern recent younger
easy simple / hard difficult complex complicated
cheap inexpensive / expensive costly dear
light / heavy dark
bright / dark dim
hard / soft
rich wealthy / poor
good better best excellent / bad worse worst poor terrible
safe secure harmless / dangerous unsafe risky harmful
healthy well / sick ill unhealthy
true correct right accurate / false wrong incorrect inaccurate
left / right
north northern / south southern
east eastern / west western
top upper / bottom lower
front / back rear
day daily morning / night evening
morning / evening afternoon
summer / winter
spring / autumn
male man husband father brother son boy king / female woman wife mother sister daughter girl queen
mother / father
buyer customer / seller vendor
employer / employee worker
teacher / student pupil
landlord owner / tenant
lender creditor / borrower debtor
parent / child
winner / loser
guest visitor / host resident
public / private
free / paid charged
voluntary optional / mandatory compulsory required obligatory
temporary / permanent
common frequent usual often / rare seldom unusual infrequent rarely
known famous / unknown obscure
visible / invisible hidden
positive / negative
advantage benefit / disadvantage drawback
improve better / worsen deteriorate worse
help / harm hinder hurt
protect save / destroy damage endanger
build create construct found establish / destroy demolish remove abolish
add attach insert / remove delete detach subtract erase
keep retain maintain preserve / discard abandon lose remove change
remember / forget
find / lose
appear emerge arrive / disappear vanish
arrive come enter / leave depart exit
enter / exit leave
join / leave quit
hire employ recruit / fire dismiss
lock / unlock
connect / disconnect
enable activate / disable deactivate
on / off
import / export
attack / defend
love like praise / hate dislike criticise pan condemn
friend ally / enemy foe
agree / disagree
continue / stop halt discontinue interrupt
rise / set
push / pull
raise / lower cut
lift / drop
remain stay / leave change
same identical equal / different unlike
single / double married multiple
guilty / innocent
present / absent
complete finished / incomplete unfinished partial
certain sure / uncertain doubtful unsure
likely probable / unlikely improbable
possible / impossible
natural / artificial synthetic
fresh / stale rotten
clean / dirty
sharp / blunt
smooth / rough
thick / thin
wide broad / narrow
deep / shallow
near close nearby / far distant remote
sweet / bitter sour
alive living live / dead die
born birth / dead death die
sunny / rainy cloudy
urban / rural
raw / cooked
alkaline / acid acidic
domestic national / foreign international
majority / minority
profit / loss
income revenue / expense cost expenditure
deposit / withdraw withdrawal
credit / debit
stable steady flat constant / volatile unstable
past former / future present current
active / inactive passive dormant
direct / indirect
formal / informal
online / offline
automatic / manual
wireless / wired cable
analog / digital
liquid / solid
shrink / stretch
melt thaw / freeze frozen
sink / float
solve / cause
question ask / answer reply
doubt / believe trust
hide conceal / show reveal publish disclose
attract / repel
gain / loss
optimistic / pessimistic
peace / war
victory / defeat
upgrade / downgrade
deny / admit confess
innocent / convicted
acquit / convict
victim / attacker
half halve / double
twice double / half
least / most
upstream / downstream
import / export
sooner earlier / later
latest / earliest
younger / older
shorter / longer
fewer / more
outperform / underperform
inhale / exhale
ascend / descend
horizontal / vertical
solid / hollow
odd / even
plus / minus
reward / punish penalty
arrest / release
hostile / friendly
generous / stingy
ban / lift
tighten / loosen
strengthen / weaken
widen / narrow
shorten / lengthen extend
simplify / complicate
encourage / discourage
appoint / dismiss
elect / oust
unite / divide split
gather / scatter
"""
_SIBLINGS: Final = """
north south east west northern southern eastern western northeast northwest southeast southwest
red blue green yellow orange white black brown purple pink grey violet
left right middle
spring summer autumn winter
morning noon afternoon evening night
breakfast lunch dinner
car bus train tram ferry bicycle bike plane ship truck van motorcycle scooter boat taxi
dog cat horse cow sheep goat pig bird fish
gold silver bronze copper iron
sand cement clay gravel
rain snow wind hail storm heat frost drought
beer wine water milk coffee tea juice
oxygen hydrogen nitrogen carbon helium
father mother brother sister son daughter uncle aunt cousin grandfather grandmother
director producer writer actor composer author editor
teacher doctor lawyer engineer nurse farmer baker judge
primary secondary tertiary
gas oil coal wind solar nuclear
head leg arm hand foot heart lung liver kidney brain skin bone
email phone post fax letter chat
cash card cheque
wood stone steel glass plastic concrete
english french german spanish italian dutch portuguese chinese japanese korean russian
mercury venus earth mars jupiter saturn uranus neptune
hour day week month year decade
football basketball tennis hockey volleyball baseball cricket rugby
king queen prince duke count bishop emperor
"""


def _pairs() -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for line in _OPPOSITES.strip().splitlines():
        left, right = ([stem(word) for word in side.split()] for side in line.split("/"))
        found |= {pair for one in left for two in right if one != two for pair in ((one, two), (two, one))}
    return frozenset(found)


_OPPOSED: Final = _pairs()
_FAMILY: Final[dict[str, set[int]]] = {}
for _number, _line in enumerate(_SIBLINGS.strip().splitlines()):
    for _word in _line.split():
        _FAMILY.setdefault(stem(_word), set()).add(_number)


def negates(low: str) -> bool:
    """Tell whether a word turns the sense of its sentence round."""
    return low in NEGATORS


def are_opposites(one: str, two: str) -> bool:
    """Tell whether two words (lower case, not stems) say the opposite of each other."""
    left, right = stem(one), stem(two)
    if left == right:
        return False
    return (left, right) in _OPPOSED or _is_prefixed(one, two) or _is_prefixed(two, one)


def _is_prefixed(one: str, two: str) -> bool:
    """Tell whether one word is the other with un-, in-, dis- ... before it, or -less for -ful."""
    if one.endswith("less") and two.startswith(one[:-4]) and len(one) > 6:  # noqa: PLR2004
        return True
    if one in _NO_NEGATION or len(two) < 4:  # noqa: PLR2004
        return False
    return any(one.startswith(head) and stem(one[len(head) :]) == stem(two) for head in _NEGATIVE_HEADS)


def are_siblings(one: str, two: str) -> bool:
    """Tell whether two stems name different things of one kind, like red and blue."""
    return one != two and bool(_FAMILY.get(one, set()) & _FAMILY.get(two, set()))
