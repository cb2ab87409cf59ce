"""The words that make a line an address: streets in some thirty languages, units, boxes, countries.

English street words follow USPS Publication 28, appendix C1; countries follow ISO 3166-1 in English use.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "AFTER", "BEFORE", "BEFORE_ALONE", "COMMON", "COUNTRIES", "DIRECTIONS", "ENDINGS", "ENDINGS_ALONE",
    "LATER", "NOT_A_STREET", "PARTICLES", "STREETS", "STREETS_ALONE",
]  # fmt: skip

STREETS: Final = frozenset(
    "street st str road rd avenue ave av boulevard blvd boul lane ln drive dr court ct courts place pl square sq"
    " terrace ter way close crescent cres crest circle cir circles parkway pkwy parkways highway hwy row walk"
    " gardens grove groves mews alley aly allee arcade bypass byp causeway cswy crossing xing crossroad cul-de-sac"
    " esplanade expressway expy freeway fwy trafficway trail trl turnpike tpke motorway overpass underpass"
    " plaza plz promenade quay ridge rdg hollow rise view views ramp route loop mall bluff bluffs boulevards"
    " driveway drives estate estates extension fields gate gateway glen glens green greens heights hts hill"
    " hills junction knoll knolls landing manor manors meadow meadows mount mountain orchard parade pike pines"
    " plains roads shoal shoals shore shores skyway spur springs squares stravenue streets stream summit"
    " throughway track tunnel valley valleys viaduct village villages vista wharf wynd yard isle island islands"
    " inlet harbor harbors haven hollow park parks pass passage path pine prairie ranch rapid rapids"
    " ports port fort forge forges fork forks ford fords forest ferry falls fall dam dale curve creek cove coves"
    " corners corner common commons cliff cliffs cape canyon camp burg burgs brooks brook bridge branch bottom"
    " bend beach bayou annex lakes lake light lights loaf lock locks lodge mill mills mission neck oval plain"
    " point points radial rest river run spring station trace union unions ville walks wall ways well wells"
    " keys key flats flat club cliff center centers course junctions gateways field land"
    " lights neck rue".split()
)
"""English street words, which follow the name."""
_WEAK: Final = frozenset(
    "view views ramp route loop mall gate field fields green greens hill hills junction landing mount mountain parade"
    " roads summit stream track tunnel union unions village villages yard island islands haven park parks pass"
    " passage path pine pines point points port ports ranch rapid rapids rest river run spring springs station"
    " trace valley valleys wall ways well wells key keys flat flats club center centers course land light"
    " lights lock locks lodge mill mills mission neck oval plain plains radial fall falls fork forks forge forges"
    " ford fords forest ferry dam dale curve creek corner corners common commons cliff cliffs cape canyon camp"
    " brook brooks bridge branch bottom bend beach lake lakes loaf estate estates extension fort gateway close"
    " rise shore shores court courts way dr st ct pl crest circle circles square squares row place manor ter".split()
)
AFTER: Final = STREETS - _WEAK
"""Those that are rarely anything else when they follow a number and a name."""
STREETS_ALONE: Final = frozenset("street road avenue boulevard lane blvd rd ave parkway turnpike".split())
"""Those that make a capitalised name a street without any number."""
BEFORE: Final = frozenset(
    # French, Catalan, Spanish, Portuguese, Galician, Italian, Romanian
    "rue avenue av bd boul boulevard place pl quai cours chemin che ch allée allee allées impasse imp route rte"
    " passage square faubourg fbg sentier ruelle voie rond-point esplanade promenade résidence lotissement"
    " carrer avinguda passeig plaça rambla ronda calle cl c avenida avda avd paseo pso camino cno carretera ctra"
    " glorieta travesía travesia trva pasaje callejón callejon callejuela cuesta urbanización urb plaza pza"
    " barrio colonia cra cr carrera transversal diagonal vereda calzada prolongación privada"
    " rua r travessa tv praça praca pça estrada est alameda al beco ladeira rodovia rod quinta bairro largo lg azinhaga"
    " rúa praza camiño via viale v.le vicolo piazza piazzale p.zza corso c.so strada contrada lungomare lungarno"
    " borgo salita traversa galleria calata riva fondamenta campo str bulevardul bd-ul șoseaua soseaua calea aleea"
    # Polish, Czech, Slovak, South Slavic, Turkish, Russian, Ukrainian, Greek, Malay, Vietnamese, Filipino
    " ul ulica aleja aleje plac os osiedle rondo ulice nám náměstí třída tř nábřeží trg bulevar"
    " улица ул проспект пр пр-т переулок пер площадь бульвар шоссе вулиця вул οδός λεωφόρος οδ λεωφ"
    " jalan jl jln lorong persiaran lebuh đường duong phố kalye".split()
)
"""Street words that precede the name."""
BEFORE_ALONE: Final = frozenset(
    "rue calle avenida carrer avinguda passeig rua travessa rúa viale vicolo piazza piazzale chemin impasse quai"
    " ul ulica ulice улица ул проспект вулиця вул οδός jalan estrada carretera rodovia paseo".split()
)
"""Those that need no number, only a capitalised name."""
LATER: Final = frozenset(
    "u út utca útja útca tér tere körút krt rkp rakpart sétány köz sor fasor dűlő tee tänav pst mnt puiestee g gatvė"
    " pr iela ulica cesta ulice trg gate gata gatan veg vei veien vegen väg vägen vej vejen allé alle plass plads"
    " torg torget katu kuja polku gade sokak sokağı sk sok cadde caddesi cad mah mahallesi bulvarı blv"
    " strasse straße weg platz ring damm ufer hof markt laan straat plein kade singel baan dreef park"
    " nagar marg rd road street st stræde näs holt braut gerði tún".split()
)
"""Street words that follow the name, with the house number after them."""
ENDINGS_ALONE: Final = (
    "straße", "strasse", "stasse", "gasse", "gatan", "vägen", "vegen", "veien", "vejen", "straat", "gränd",
    "stigen", "stræde", "brücke", "bruecke", "stieg", "katu",
)  # fmt: skip
ENDINGS: Final = (
    *ENDINGS_ALONE,
    # German and Dutch
    "str", "weg", "platz", "allee", "ufer", "damm", "ring", "graben", "markt", "steig", "berg", "hof", "wall",
    "chaussee", "garten", "gärten", "feld", "tor", "zeile", "anger", "winkel", "laan", "plein", "kade", "singel",
    "dijk", "steeg", "gracht", "pad", "dreef", "baan", "hoek", "veld", "plantsoen", "lei", "kaai", "wijk",
    # Swedish, Danish, Norwegian, Icelandic, Faroese
    "gata", "väg", "torg", "torget", "backen", "backe", "stig", "plan", "gård", "gården", "gate", "gaten", "vei",
    "veg", "vej", "gade", "plass", "plads", "lia", "stien", "sti", "svingen", "bakken", "haugen", "parken", "tunet",
    "kroken", "toppen", "åsen", "allé", "alle", "vang", "høj", "bakke", "braut", "vegur", "vegi", "stígur", "hraun",
    "hrauni", "tún", "túni", "gerði", "holt", "holti", "hlíð", "götu", "stræti", "heiði", "bygget", "ry", "gøta",
    # Finnish, Estonian, Latvian, Lithuanian
    "kuja", "polku", "tie", "kaari", "raitti", "väylä", "tori", "ranta", "rinne", "mäki", "penger", "aukio", "tänav",
    "iela", "gatvė", "puiestee",
    # Hungarian, and Slavic streets named by an adjective
    "utca", "útja", "ová", "ova", "eva", "ská", "cká", "ska", "cka", "ska", "ský", "skej", "ovej", "ická",
    "nábřeží", "náměstí",
    # Turkish, Greek
    "sokak", "caddesi",
)  # fmt: skip
"""What street names of one word end in; a house number follows."""
PARTICLES: Final = frozenset(
    "de del della delle dei degli di da do das dos du des d la las le les el los l lo al alla the of and y e i och und"
    " og van von der den het ten ter te op aan am an im in zu zum zur auf bei sur sous lès en à au aux saint"
    " upon under by på i vid nad pod na przy św ks gen płk dr".split()
)
"""Small words inside a name."""
DIRECTIONS: Final = frozenset(
    "n s e w ne nw se sw north south east west northeast northwest southeast southwest".split()
)
NOT_A_STREET: Final = frozenset(
    "am pm a.m p.m noon january february march april may june july august september october november december"
    " jan feb mar apr jun jul aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday"
    " mon tue wed thu fri sat sun usd eur gbp chf jpy krw inr aud cad kg km cm mm ml gb mb kb tb mhz ghz kwh mw"
    " kw hz percent dollars dollar euros euro pounds pence cents yen won rupees bucks million billion thousand"
    " hours hour minutes seconds days day weeks week months month years year times people users rows items"
    " points degrees celsius fahrenheit est cet utc gmt pst cst bc ad ce bce january's".split()
)
"""What follows a number that is no house number."""
COMMON: Final = frozenset(
    "a about after again all also although am an and any are as at back be because been before being between both"
    " but by call came can card come could did do does done during each either even every few first for from get"
    " give go goes going got had has have he hello help her here hers him his how however i if in into is it its"
    " just keep know last later let like live lived lives long look made make many may me meet message might mine"
    " month more most much must my name near need never next night no nor not now off office on once only or other"
    " our out over people per phone please really said same say says see send sent she should since so some soon"
    " still stop such sure take tell than thank thanks that the their them then there these they this those"
    " through till time to today told tomorrow tonight too under until up us use very visit wait want was we week"
    " well went were what when where which while who whom whose why will with within without would yesterday yet"
    " you your yours morning afternoon evening monday tuesday wednesday thursday friday saturday sunday tel fax"
    " telephone mobile cell email e-mail mail website web www http https number account order regards"
    " sincerely best cheers kind dear hi customer tel. ph name address".split()
)
"""Words that end an address, and never begin a name."""
COUNTRIES: Final = frozenset(
    name.strip()
    for name in (
        "afghanistan|albania|algeria|andorra|angola|anguilla|antigua and barbuda|argentina|armenia|aruba|australia"
        "|austria|azerbaijan|bahamas|bahrain|bangladesh|barbados|belarus|belgium|belize|benin|bermuda|bhutan|bolivia"
        "|bosnia|bosnia and herzegovina|botswana|brazil|brasil|brunei|brunei darussalam|bulgaria|burkina faso|burundi"
        "|cambodia|cameroon|canada|cape verde|cabo verde|cayman islands|central african republic|chad|chile|china"
        "|colombia|comoros|congo|cook islands|costa rica|croatia|cuba|cyprus|czechia|czech republic|denmark"
        "|deutschland|djibouti|dominica|dominican republic|ecuador|egypt|el salvador|england|equatorial guinea"
        "|eritrea|españa|estonia|eswatini|ethiopia|faroe islands|fiji|finland|france|french polynesia|gabon|gambia"
        "|georgia|germany|ghana|gibraltar|great britain|greece|greenland|grenada|guadeloupe|guam|guatemala|guernsey"
        "|guinea|guinea-bissau|guyana|haiti|honduras|hong kong|hungary|iceland|india|indonesia|iran|iraq|ireland"
        "|isle of man|israel|italia|italy|ivory coast|jamaica|japan|jersey|jordan|kazakhstan|kenya|kiribati"
        "|kuwait|kyrgyzstan|laos|latvia|lebanon|lesotho|liberia|libya|liechtenstein|lithuania|luxembourg|macao"
        "|macau|macedonia|madagascar|malawi|malaysia|maldives|mali|malta|martinique|mauritania|mauritius|mexico"
        "|méxico|micronesia|moldova|monaco|mongolia|montenegro|montserrat|morocco|mozambique|myanmar|namibia|nauru"
        "|nepal|netherlands|nederland|new caledonia|new zealand|nicaragua|niger|nigeria|niue|north korea"
        "|north macedonia|northern ireland|norway|norge|oman|österreich|pakistan|palau|palestine|panama"
        "|papua new guinea|paraguay|peru|philippines|pitcairn|poland|polska|portugal|puerto rico|qatar"
        "|republic of ireland|republic of korea|romania|russia|russian federation|rwanda|samoa|san marino"
        "|saudi arabia|schweiz|scotland|senegal|serbia|seychelles|sierra leone|singapore|slovakia|slovenia"
        "|solomon islands|somalia|south africa|south korea|south sudan|spain|sri lanka|sudan|suisse|suomi|suriname"
        "|sverige|swaziland|sweden|switzerland|syria|taiwan|tajikistan|tanzania|thailand|timor-leste|togo|tonga"
        "|trinidad and tobago|tunisia|turkey|türkiye|turkmenistan|tuvalu|uganda|uk|ukraine|united arab emirates"
        "|united kingdom|united states|united states of america|uruguay|usa|uzbekistan|vanuatu|vatican|venezuela"
        "|vietnam|viet nam|wales|western sahara|yemen|zambia|zimbabwe"
    ).split("|")
)
"""Names of countries, in lower case."""
