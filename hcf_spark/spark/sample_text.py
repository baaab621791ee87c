"""Names and texts of the sample world: invented names, word lists per theme, sentences that tell part of the truth.

A text is put together from sentence templates. A telling sentence fills its slots with words of the company's
industry or community, of a category of products it uses, or with a product's name; a general one with words that all
companies share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np

_ROLLS_AT_ONCE = 128
_STRIDE_PRIME = 7_368_787  # shares no factor with the size of any name space below
_REPORT_WORDS = (3_200, 5_600)
_DRAWS_AGAINST_REPEATS = 6


class Dice:
    """Single draws from a numpy generator, taken from it in blocks."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rolls: list[float] = []

    def roll(self) -> float:
        """A number in [0, 1)."""
        if not self._rolls:
            self._rolls = self._rng.random(_ROLLS_AT_ONCE).tolist()
        return self._rolls.pop()

    def pick(self, options: Sequence):
        """One of the options, all equally likely."""
        return options[int(self.roll() * len(options))]

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.roll() * (high - low + 1))


# Names. Runs of consonants and runs of vowels alternate, so different choices never spell the same word.

_ONSETS = (*"bdfghjklmnprstvwz", "br", "dr", "fl", "gr", "pr", "tr", "vr")
_VOWELS = tuple("aeiou")
_CLUSTERS = (
    *("ld", "lf", "lk", "lm", "lt", "lv", "mb", "mp", "nd", "ndr", "ngl", "nt", "nv"),
    *("rb", "rd", "rl", "rm", "rn", "rst", "rv", "sp", "st", "dr", "tr"),
)
_SINGLES = tuple("bdfklmnprstv")
_CODAS = tuple("nrslmx")

_COMPANY_WORD = (_ONSETS, _VOWELS, _CLUSTERS, _VOWELS, _SINGLES, _VOWELS, _CODAS)
_PRODUCT_WORD = (_ONSETS, _VOWELS, _CLUSTERS, _VOWELS, _SINGLES, _VOWELS)
_VENDOR_WORD = (_ONSETS, _VOWELS, _CLUSTERS, _VOWELS, _CODAS)
_THEME_WORD = (_SINGLES, _VOWELS, _CLUSTERS, _VOWELS)

_COMPANY_FORMS = (
    *("Group", "Holdings", "Partners", "International", "Company"),
    *("Enterprises", "Brothers", "& Sons", "Works", "Associates"),
)
_PRODUCT_FORMS = ("Suite", "Cloud", "One", "Hub", "Studio", "Desk", "Flow", "Core", "Edge", "Prime")
_VENDOR_FORMS = ("Software", "Systems", "Labs", "Technologies")


def company_name(number: int, seed: int) -> str:
    """The name of a company; no two numbers share one."""
    return f"{_invented_word(number, _COMPANY_WORD, seed)} {_form(number, _COMPANY_FORMS)}"


def product_name(number: int, seed: int) -> str:
    """The name of a product; no two numbers share one."""
    return f"{_invented_word(number, _PRODUCT_WORD, seed)} {_form(number, _PRODUCT_FORMS)}"


def vendor_name(number: int, seed: int) -> str:
    """The name of a vendor; no two numbers share one."""
    return f"{_invented_word(number, _VENDOR_WORD, seed)} {_form(number, _VENDOR_FORMS)}"


def _form(number: int, forms: Sequence[str]) -> str:
    return forms[(number * _STRIDE_PRIME >> 8) % len(forms)]


def _invented_word(number: int, parts: Sequence[Sequence[str]], seed: int) -> str:
    size = prod(map(len, parts))
    prefix, rest = divmod(number, size)
    rest = (rest * _STRIDE_PRIME + seed) % size
    letters = []
    for choices in reversed(parts):
        rest, digit = divmod(rest, len(choices))
        letters.append(choices[digit])
    word = "".join(reversed(letters))
    if prefix:
        word = _invented_word(prefix - 1, (_SINGLES, _VOWELS), 0) + word
    return word.capitalize()


@dataclass(frozen=True)
class Theme:
    """What texts say about an industry, a community or a category: a label and the phrases that fill a slot."""

    label: str
    phrases: dict[str, tuple[str, ...]]


def _phrases(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("; "))


def _theme(label: str, **joined: str) -> Theme:
    return Theme(label, {slot: _phrases(phrases) for slot, phrases in joined.items()})


_INDUSTRIES = (
    _theme(
        "Machinery",
        offer="packaging machines; hydraulic presses; conveyor systems; machine tools; industrial pumps; gearboxes",
        customer="factory operators; plant engineers; tool shops; equipment dealers",
        work="machining metal parts; overhauling production lines; commissioning new plants; building assembly cells",
    ),
    _theme(
        "Banking",
        offer="commercial loans; savings accounts; mortgages; letters of credit; current accounts; leasing contracts",
        customer="depositors; local borrowers; home buyers; wealthy families",
        work="granting credit; taking deposits; judging the standing of borrowers; exchanging currencies",
    ),
    _theme(
        "Insurance",
        offer="motor policies; liability cover; life annuities; household insurance; reinsurance; pension plans",
        customer="policyholders; brokers; ship owners; pensioners",
        work="underwriting risks; settling claims; pricing premiums; investing reserves for later benefits",
    ),
    _theme(
        "Healthcare",
        offer="outpatient clinics; surgical wards; rehabilitation; emergency care; diagnostic imaging; nursing homes",
        customer="patients; family doctors; health funds; elderly residents",
        work="treating acute illness; caring for the chronically ill; performing surgery; staffing hospital wards",
    ),
    _theme(
        "Pharmaceuticals",
        offer="prescription medicines; vaccines; generic tablets; biosimilars; clinical trials; active ingredients",
        customer="pharmacists; physicians; drug wholesalers; research hospitals",
        work="discovering new molecules; running clinical studies; filling sterile vials; applying for drug approval",
    ),
    _theme(
        "Retail",
        offer="groceries; household goods; fresh produce; garden furniture; toys; discount supermarkets",
        customer="shoppers; families on a budget; neighbourhood residents; bargain hunters",
        work="stocking shelves; running supermarkets; buying seasonal assortments; planning weekly promotions",
    ),
    _theme(
        "Logistics",
        offer="road haulage; container shipping; parcel depots; cold storage; customs clearance; air freight",
        customer="shippers; importers; mail-order houses; port authorities",
        work="moving freight across borders; loading trucks; chartering vessels; storing pallets in warehouses",
    ),
    _theme(
        "Construction",
        offer="bridges; tunnels; office towers; concrete elements; scaffolding; residential blocks",
        customer="municipalities; property developers; road agencies; architects",
        work="pouring concrete; digging foundations; erecting steel frames; renovating old buildings",
    ),
    _theme(
        "Energy",
        offer="electricity; natural gas; wind farms; district heating; transmission lines; hydroelectric dams",
        customer="households on the grid; smelters; regional utilities; power traders",
        work="generating power; maintaining substations; drilling wells; balancing load on the grid",
    ),
    _theme(
        "Telecommunications",
        offer="mobile plans; fibre broadband; leased lines; radio masts; roaming bundles; satellite links",
        customer="subscribers; network resellers; rural communes; broadcasters",
        work="laying fibre; licensing radio spectrum; connecting callers; upgrading base stations",
    ),
    _theme(
        "Media",
        offer="newspapers; television series; podcasts; magazines; film rights; radio stations",
        customer="readers; viewers; listeners; cinema chains",
        work="reporting the news; producing dramas; printing periodicals; editing manuscripts",
    ),
    _theme(
        "Education",
        offer="degree courses; language schools; evening classes; textbooks; boarding schools; apprenticeships",
        customer="students; pupils and their parents; teachers; school districts",
        work="teaching undergraduates; preparing pupils for exams; training apprentices; awarding diplomas",
    ),
    _theme(
        "Hospitality",
        offer="hotels; beach resorts; restaurants; guided tours; cruise cabins; conference venues",
        customer="holidaymakers; overnight guests; tour operators; wedding parties",
        work="hosting guests; cooking regional dishes; cleaning rooms; arranging excursions",
    ),
    _theme(
        "Agriculture",
        offer="wheat; dairy products; seed potatoes; poultry; olive oil; animal feed",
        customer="millers; farmers; food processors; cheese makers",
        work="harvesting crops; milking herds; breeding livestock; irrigating orchards",
    ),
    _theme(
        "Chemicals",
        offer="solvents; coatings; fertilisers; industrial resins; adhesives; pigments",
        customer="paint makers; plastics processors; laboratories; tanneries",
        work="distilling feedstock; blending polymers; running reactors; handling hazardous substances",
    ),
    _theme(
        "Automotive",
        offer="brake systems; car seats; electric drivetrains; exhaust manifolds; headlamps; delivery vans",
        customer="car makers; garages; fleet buyers; driving schools",
        work="stamping body panels; welding chassis; testing vehicles on the track; recalling faulty parts",
    ),
    _theme(
        "Aerospace",
        offer="aircraft wings; jet engine blades; satellites; helicopter rotors; avionics; landing gear",
        customer="airlines; air forces; space agencies; airframe builders",
        work="riveting fuselages; testing propulsion; certifying airworthiness; repairing turbines",
    ),
    _theme(
        "Real Estate",
        offer="office leases; apartment buildings; shopping centres; property appraisals; car parks; student flats",
        customer="tenants; landlords; institutional owners; estate agents",
        work="letting apartments; valuing plots of land; collecting rent; maintaining facades and lifts",
    ),
    _theme(
        "Legal Services",
        offer="litigation; tax opinions; patent filings; arbitration; notarial deeds; estate planning",
        customer="plaintiffs; general counsels; inventors; heirs",
        work="drafting pleadings; representing defendants in court; negotiating settlements; interpreting statutes",
    ),
    _theme(
        "Textiles",
        offer="cotton yarn; sportswear; leather shoes; wool coats; curtain fabrics; workwear",
        customer="fashion boutiques; tailors; department stores; uniform buyers",
        work="weaving cloth; dyeing yarn; sewing garments; sketching seasonal collections",
    ),
)

_COMMUNITIES = (
    _theme(
        "cloud-native engineering",
        trait="containerised services; continuous delivery; infrastructure as code; canary releases; serverless code",
        practice="ship code many times a day; run every workload in containers; treat servers as disposable; "
        "write automated tests before features",
    ),
    _theme(
        "field mobility",
        trait="rugged tablets; mobile work orders; offline data capture; crew dispatching; vehicle tracking",
        practice="receive their jobs on a handset; sign off visits on site; plan routes on the go; "
        "send photo reports from the road",
    ),
    _theme(
        "performance marketing",
        trait="audience segments; campaign attribution; search advertising; conversion funnels; landing page tests",
        practice="test every headline; shift advertising budgets daily; buy reach by auction; "
        "follow a lead from click to contract",
    ),
    _theme(
        "audit and control",
        trait="audit trails; segregation of duties; internal controls; records retention; policy attestations",
        practice="document each decision; sign policies every year; keep evidence for inspectors; "
        "escalate breaches to the audit committee",
    ),
    _theme(
        "connected equipment",
        trait="sensor telemetry; edge gateways; predictive maintenance; digital twins; condition monitoring",
        practice="read vibration data in real time; repair equipment before it fails; wire up older devices; "
        "simulate wear on a digital twin",
    ),
    _theme(
        "remote-first work",
        trait="distributed teams; asynchronous meetings; virtual whiteboards; home-office allowances; chat channels",
        practice="work from wherever they live; meet on video instead of in offices; write decisions down in chat; "
        "share documents across time zones",
    ),
    _theme(
        "back-office automation",
        trait="software robots; invoice scanning; straight-through processing; paperless approvals; process mining",
        practice="hand repetitive clicks to bots; scan all incoming paper; count the minutes of every clerical step; "
        "approve routine cases without a human",
    ),
    _theme(
        "service excellence",
        trait="omnichannel support; first-contact resolution; self-service portals; client surveys; help articles",
        practice="answer within a minute; publish answers online; survey every closed ticket; "
        "call back unhappy clients the same day",
    ),
    _theme(
        "open-source platforms",
        trait="open-source components; upstream contributions; Linux servers; permissive licences; self-hosted tools",
        practice="publish patches upstream; host their own tools; prefer permissive licences; "
        "read the source before they adopt a library",
    ),
    _theme(
        "supply chain visibility",
        trait="control towers; demand forecasts; vendor-managed stock; supplier scorecards; barcode scanning",
        practice="trace each shipment by barcode; forecast demand weekly; rate suppliers on lead time; "
        "rebalance stock between sites overnight",
    ),
    _theme(
        "security first",
        trait="zero-trust access; threat hunting; penetration tests; phishing drills; hardware login keys",
        practice="hunt for intruders; rehearse breaches; verify every login twice; rotate encryption keys often",
    ),
    _theme(
        "applied machine learning",
        trait="machine learning models; feature stores; labelled training data; neural networks; model monitoring",
        practice="train models on history; compare experiments every week; label data by hand; "
        "watch predictions for drift",
    ),
    _theme(
        "creative studios",
        trait="brand storytelling; motion graphics; design systems; storyboards; interaction prototypes",
        practice="sketch before they build; polish typography; prototype interfaces with users; "
        "critique drafts on the studio wall",
    ),
    _theme(
        "online commerce",
        trait="web shops; click-and-collect; one-page checkout; marketplace listings; abandoned-basket reminders",
        practice="sell around the clock on the web; tune the checkout page; list articles on marketplaces; "
        "promise delivery on the same day",
    ),
    _theme(
        "shared finance services",
        trait="group consolidation; rolling forecasts; intercompany reconciliation; cash pooling; cost-centre budgets",
        practice="close the books in three days; pool cash across subsidiaries; refresh the forecast monthly; "
        "reconcile ledgers between entities",
    ),
    _theme(
        "citizen development",
        trait="low-code apps; spreadsheet replacements; drag-and-drop forms; template galleries; internal hackathons",
        practice="build their own small apps; retire old spreadsheets; share templates between departments; "
        "learn to automate without programmers",
    ),
    _theme(
        "partner ecosystems",
        trait="open interfaces; developer portals; webhooks; integration hubs; event streams",
        practice="expose each function as an interface; welcome outside developers; publish event streams; "
        "version every endpoint with care",
    ),
    _theme(
        "sustainability",
        trait="carbon accounting; circular materials; emission targets; green procurement; life-cycle assessments",
        practice="measure the footprint of each purchase; recycle what they can; report emissions by site; "
        "choose suppliers with climate targets",
    ),
    _theme(
        "legacy renewal",
        trait="mainframe migration; batch job retirement; terminal emulation; parallel running; technical debt",
        practice="move old programs off the mainframe; rewrite batch jobs; keep two generations running in parallel; "
        "document code that nobody remembers",
    ),
    _theme(
        "growth by acquisition",
        trait="bolt-on acquisitions; post-merger integration; due diligence rooms; synergy tracking; carve-outs",
        practice="screen takeover targets; merge payrolls after each deal; track synergies by name; "
        "follow a hundred-day plan",
    ),
)

_CATEGORIES = (
    _theme(
        "Customer Relationship Management",
        need="keep every sales conversation in one place; know the pipeline by region; remind salespeople of renewals",
    ),
    _theme(
        "Human Resources",
        need="run payroll without errors; track holidays and sick leave; fill vacancies faster",
    ),
    _theme(
        "Accounting",
        need="post invoices on the day they arrive; close the ledger on time; match bank statements with open items",
    ),
    _theme(
        "Data Warehousing",
        need="store years of history for analysis; join data from many sources; query billions of rows in seconds",
    ),
    _theme(
        "Business Intelligence",
        need="put figures on dashboards; give managers charts they can explore; replace slide decks by live reports",
    ),
    _theme(
        "Endpoint Security",
        need="stop malware on laptops; patch every workstation quickly; isolate an infected device",
    ),
    _theme(
        "Identity Management",
        need="give staff one password for everything; withdraw access when somebody leaves; prove who logged in",
    ),
    _theme(
        "Collaboration",
        need="share files between offices; edit documents together; cut the flood of internal e-mail",
    ),
    _theme(
        "Project Management",
        need="see which projects are late; assign tasks clearly; plan the capacity of teams over the quarter",
    ),
    _theme(
        "Online Shops",
        need="sell through a storefront on the web; show stock levels to buyers online; offer more ways to check out",
    ),
    _theme(
        "Marketing Automation",
        need="send newsletters that get opened; nurture leads over months; measure what each campaign brings in",
    ),
    _theme(
        "Help Desk",
        need="answer support tickets faster; route requests to the right agent; find known problems by keyword",
    ),
    _theme(
        "Software Delivery",
        need="build and test each change automatically; roll back a bad release; keep source code under review",
    ),
    _theme(
        "Cloud Hosting",
        need="rent computing power by the hour; grow capacity at peak times; move out of the server room",
    ),
    _theme(
        "Supply Planning",
        need="order material at the right moment; lower inventory without shortages; foresee bottlenecks at vendors",
    ),
    _theme(
        "Product Design",
        need="draw parts in three dimensions; manage drawing revisions; simulate stress before a prototype is made",
    ),
    _theme(
        "Document Management",
        need="find any contract in seconds; sign papers electronically; archive letters for ten years",
    ),
    _theme(
        "Network Monitoring",
        need="notice outages before users call; watch traffic on every switch; trace slow connections",
    ),
    _theme(
        "Learning Management",
        need="train newcomers online; certify staff every year; record who passed which course",
    ),
    _theme(
        "Web Conferencing",
        need="hold large video meetings; record webinars; let guests join a call from the browser",
    ),
    _theme(
        "Field Service",
        need="send the nearest technician; give technicians the full service history; schedule visits to the hour",
    ),
    _theme(
        "Process Automation",
        need="take over copy-and-paste chores; fill forms without typing; let bots work through the night",
    ),
    _theme(
        "Payments",
        need="accept cards everywhere; detect fraudulent transactions; settle in several currencies",
    ),
    _theme(
        "Backup and Recovery",
        need="restore lost files within the hour; keep copies in a second location; survive a ransomware attack",
    ),
)


@cache
def industry_theme(index: int) -> Theme:
    """Words of an industry; past the last list the lists begin again, marked with an invented word."""
    return _numbered_theme(_INDUSTRIES, index)


@cache
def community_theme(index: int) -> Theme:
    """Words of a community; past the last list the lists begin again, marked with an invented word."""
    return _numbered_theme(_COMMUNITIES, index)


@cache
def category_theme(index: int) -> Theme:
    """Words of a product category; past the last list the lists begin again, marked with an invented word."""
    return _numbered_theme(_CATEGORIES, index)


def _numbered_theme(themes: Sequence[Theme], index: int) -> Theme:
    turn, within = divmod(index, len(themes))
    theme = themes[within]
    if turn == 0:
        return theme
    mark = _invented_word(index, _THEME_WORD, 0)
    marked = {slot: tuple(f"{phrase} the {mark} way" for phrase in phrases) for slot, phrases in theme.phrases.items()}
    return Theme(f"{theme.label} {mark}", marked)


_INDUSTRY_SENTENCES = (
    "{subject} is known for {offer} and {offer}, which it supplies to {customer} at home and abroad.",
    "Most of its revenue comes from {offer}, followed by {offer} and a smaller line of {offer}.",
    "Its daily business is {work}, and its oldest contracts are with {customer} in the region.",
    "With long experience in {work}, {subject} has become a trusted partner of {customer}.",
    "{subject} earns its living by {work} and {work}, mostly on behalf of {customer}.",
    "Demand for {offer} has grown, so {subject} has added capacity for {work} as well.",
    "{customer} and {customer} value its {offer}, and many of them have been loyal for more than a decade.",
    "The core activity is {work}; {offer} and {offer} complete the range.",
)
_COMMUNITY_SENTENCES = (
    "{subject} has made {trait} part of everyday work and is now extending the approach to {trait}.",
    "Its teams {practice}, and new colleagues are taught to {practice} from their first week.",
    "Over the past three years {subject} has invested heavily in {trait}, {trait} and {trait}.",
    "People who join from elsewhere are often surprised how consistently its teams {practice} and {practice}.",
    "Management regards {trait} and {trait} as the surest way to stay ahead of its rivals in the years to come.",
    "Visitors are shown with some pride how its employees {practice} and {practice}.",
    "A central group promotes {trait}, while each department decides for itself about {trait}.",
    "At {name}, teams {practice}; this has shaped the organisation more than any reorganisation did.",
)
_NEED_SENTENCES = (
    "A recurring wish of its managers is to {need} and to {need}.",
    "Among the plans for the coming year, the most urgent one is to {need}, and the next one is to {need}.",
    "{subject} wants to {need}, and has set aside a budget so that it can {need}.",
    "Staff surveys show that employees expect {subject} to {need} and, before long, to {need}.",
    "One lesson of recent growth was how much it matters to {need}; another was that it pays to {need}.",
    "In its own words, {subject} is looking for better ways to {need}, and has asked several vendors for proposals.",
)
_PRODUCT_SENTENCES = (
    "{subject} introduced {product} some time ago and reports that it is now used in most departments.",
    "Job advertisements of {subject} regularly ask for experience with {product} or with {product}.",
    "A case study describes how {subject} rolled out {product} in less than half a year and trained all of its staff.",
)
# How often a telling sentence is of each kind, out of all telling sentences.
_INDUSTRY_UP_TO, _COMMUNITY_UP_TO, _NEED_UP_TO = 0.3, 0.65, 0.93

_OPENINGS = (
    "{name} is a {quality} company from {country} that was founded in {founded} and has been growing ever since.",
    "Founded in {founded}, {name} is based in {country} and is today run by the {generation} generation of its owners.",
    "{name}, headquartered in {country}, has been in business since {founded} and describes itself as {quality}.",
    "From modest beginnings in {country} in {founded}, {name} has grown into a {quality} firm with {count} locations.",
    "{name} was established in {founded} in {country}, where it still keeps its head office and its largest site.",
)
_GENERAL_SENTENCES = (
    "{subject} aims for {goal} and reviews its progress together with its {group} every {period}.",
    "Its management believes that {goal} and {goal} matter more in the long run than the results of any {period}.",
    "Over the last {count} years {subject} has seen {trend}, although conditions were not always favourable.",
    "{subject} employs people from more than {count} nations and puts great value on a {quality} culture.",
    "The {group} of {subject} meet once every {period} to discuss strategy, budgets and appointments.",
    "In {year} {subject} moved to a new structure with fewer layers, clear duties and a {quality} leadership.",
    "After {trend} in the previous {period}, the outlook for the next one is cautiously positive, say its {group}.",
    "{subject} competes with several {quality} firms and sees its reputation as its main advantage.",
    "A {quality} approach to business, together with {goal}, is what {group} say they appreciate most.",
    "{subject} publishes a yearly letter in which it explains its plans to {group} and the wider public.",
    "Its {group} have supported the present course, which was set in {year} and confirmed in {count} meetings.",
    "Local initiatives receive support as well: each {period} {subject} gives time and money to {count} charities.",
    "{subject} has no intention of changing its {quality} ways, yet it keeps an open mind about new opportunities.",
    "There is still room for improvement, and {subject} has named {goal} as a priority for the year ahead.",
    "Besides the head office, {subject} has smaller branches in {place} and in {place}, opened in {year}.",
    "Recent expansion into {place} has been slower than planned but should contribute within {count} years.",
    "Senior positions are mostly filled from within, and the average length of service exceeds {count} years.",
    "{subject} has won several awards for its {quality} leadership, most recently at a ceremony in {place}.",
    "Like many of its peers, {subject} faced {trend} and responded with patience rather than haste.",
    "The owners have stated that {subject} will remain independent and that profits will be reinvested with care.",
)
_RISK_SENTENCES = (
    "If general economic conditions worsen, our results could be affected by {trend} and by a lack of {quality} staff.",
    "We depend on a limited number of {group}, and the loss of any of them could harm our business for {count} years.",
    "Our efforts towards {goal} may take longer or cost more than we expect, and there is no assurance of success.",
    "Changes in law or taxation in {place} or elsewhere could increase our costs or limit what we are able to do.",
    "We may be unable to attract, motivate and retain {quality} people in sufficient numbers in every {period}.",
    "Natural disasters, strikes or political unrest in {place} could interrupt our operations without much warning.",
    "Our insurance may not cover all losses, and disputes with {group} could be costly whatever their outcome.",
    "Fluctuations from one {period} to the next make our results hard to predict, and {trend} may follow.",
    "Our reputation for {goal} took {count} years to build and could be damaged by a single incident.",
    "Exchange rates, interest rates and inflation are outside our control and may reduce the value of our earnings.",
)
_PROPERTY_SENTENCES = (
    "Our head office in {country} is held under a long agreement that expires in {count} years.",
    "We also occupy space in {place} and in {place}, part of which is sublet to others.",
    "We believe that our premises are in good condition and sufficient for the needs of the next {period}.",
    "The site in {place} was extended in {year} and offers room for a {quality} team.",
)
_LEGAL_SENTENCES = (
    "From time to time we are party to proceedings that arise in the ordinary course of business in {place}.",
    "In the opinion of our {group}, no pending matter is likely to have a material effect on our results.",
    "A dispute that began in {year} was settled in the last {period} without admission of fault.",
    "We have set aside amounts that we consider adequate for {count} open matters of minor importance.",
)
_DISCUSSION_SENTENCES = (
    "Revenue for the {period} rose by {count} percent, after {trend} in the comparable period of the year before.",
    "Operating expenses rose by {count} percent, mainly because of higher salaries and travel to {place}.",
    "Cash flow remained {quality}, and we expect our liquidity to be sufficient for at least {count} months.",
    "We have chosen {goal} as a measure of performance because our {group} find it useful.",
    "Compared with {year}, the result reflects {trend} as well as one-off effects in {place}.",
    "We spent {count} percent of revenue on {goal}, which is in line with our plan for the {period}.",
    "Our estimates rest on assumptions that we consider reasonable, but actual results may differ from them.",
)

_GENERAL_PHRASES = {
    "quality": _phrases(
        "reliable; bold; family-run; forward-looking; steady; modest; careful; self-reliant; respected; "
        "well-managed; determined; pragmatic; disciplined; friendly; professional"
    ),
    "goal": _phrases(
        "lasting relationships; sound finances; steady growth; high standards; fair treatment of everyone; "
        "operational discipline; long-term thinking; good governance; lower costs; quicker decisions; "
        "mutual respect; simple structures"
    ),
    "group": _phrases(
        "shareholders; directors; partners; advisers; founders; stakeholders; senior managers; committee members"
    ),
    "period": ("quarter", "season", "half-year", "financial year"),
    "trend": _phrases(
        "rising costs; stable earnings; modest growth; strong competition; a brief slowdown; record results; "
        "higher wages; uneven demand; a sharp recovery; lower margins"
    ),
    "place": _phrases(
        "the north of the country; the capital; a neighbouring country; the south; a coastal town; the western "
        "districts; two university cities; the border area; a former mill town; the eastern provinces"
    ),
    "generation": ("second", "third", "fourth"),
    "founded": tuple(map(str, range(1901, 1990))),
    "year": tuple(map(str, range(1990, 2022))),
    "count": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
}


@dataclass(frozen=True)
class CompanyFacts:
    """What there is to tell about a company: industry, community and categories by number, names of products in use."""

    name: str
    country: str
    industry: int
    community: int
    categories: Sequence[int]
    products: Sequence[str]


@dataclass(frozen=True)
class _Section:
    heading: str
    share: float
    sentences: tuple[str, ...]
    telling: bool


_SECTIONS = (
    _Section("Item 1. Business", 0.4, _GENERAL_SENTENCES, True),
    _Section("Item 1A. Risk Factors", 0.3, _RISK_SENTENCES, True),
    _Section("Item 2. Properties", 0.05, _PROPERTY_SENTENCES, False),
    _Section("Item 3. Legal Proceedings", 0.05, _LEGAL_SENTENCES, False),
    _Section("Item 7. Management's Discussion and Analysis", 0.2, _DISCUSSION_SENTENCES, True),
)


def compose_description(facts: CompanyFacts, informativeness: float, dice: Dice) -> str:
    """A description of 3 to 8 sentences.

    Args:
        facts: what there is to tell.
        informativeness: probability that a sentence tells some of it, in [0, 1]; at 0 the text depends on name and
            country alone.
        dice: the source of every choice.
    """
    writer = _Writer(facts, informativeness, dice)
    sentences = [writer.sentence(_OPENINGS)]
    more = max(dice.between(2, 7), dice.between(2, 7))
    return " ".join(sentences + [writer.sentence(_GENERAL_SENTENCES) for _ in range(more)])


def compose_report(facts: CompanyFacts, informativeness: float, dice: Dice) -> str:
    """A document of 3,000 to 6,000 words under the headings of an annual report; see ``compose_description``."""
    writer = _Writer(facts, informativeness, dice)
    words = dice.between(*_REPORT_WORDS)
    blocks = [f"ANNUAL REPORT\n\n{facts.name}\n\n{writer.sentence(_OPENINGS)}"]
    for section in _SECTIONS:
        blocks += [section.heading, *writer.paragraphs(section, int(words * section.share))]
    return "\n\n".join(blocks)


class _Writer:
    """Writes sentences about one company and avoids repeating itself."""

    def __init__(self, facts: CompanyFacts, informativeness: float, dice: Dice) -> None:
        self._informativeness = informativeness
        self._categories = facts.categories
        self._dice = dice
        self._dealt: set[str] = set()
        self._written: set[str] = set()
        self._phrases = {
            **_GENERAL_PHRASES,
            **industry_theme(facts.industry).phrases,
            **community_theme(facts.community).phrases,
            "name": (facts.name,),
            "country": (facts.country,),
            "subject": ("the company", "the firm", "the business", "the organisation", facts.name),
            "product": tuple(facts.products),
        }

    def sentence(self, general: Sequence[str], telling: bool = True) -> str:
        """A sentence not written before, where that is possible: a telling one, or one from the general templates."""
        templates = general
        if self._dice.roll() < self._informativeness and telling:
            templates = self._telling_templates()
        template = self._deal(templates)
        for _ in range(_DRAWS_AGAINST_REPEATS):
            text = self._fill(template)
            if text not in self._written:
                break
        self._written.add(text)
        return text

    def paragraphs(self, section: _Section, words: int) -> list[str]:
        """Paragraphs of 4 to 8 sentences, about so many words in all."""
        paragraphs = []
        written = 0
        while written < words:
            sentences = [self.sentence(section.sentences, section.telling) for _ in range(self._dice.between(4, 8))]
            paragraphs.append(" ".join(sentences))
            written += paragraphs[-1].count(" ") + 1
        return paragraphs

    def _deal(self, templates: Sequence[str]) -> str:
        """A template at random, none twice before each was taken once."""
        fresh = [template for template in templates if template not in self._dealt]
        if not fresh:
            self._dealt.difference_update(templates)
            fresh = templates
        template = self._dice.pick(fresh)
        self._dealt.add(template)
        return template

    def _telling_templates(self) -> Sequence[str]:
        kind = self._dice.roll()
        if kind < _INDUSTRY_UP_TO:
            return _INDUSTRY_SENTENCES
        if kind < _COMMUNITY_UP_TO:
            return _COMMUNITY_SENTENCES
        if kind < _NEED_UP_TO:
            self._phrases["need"] = category_theme(self._dice.pick(self._categories)).phrases["need"]
            return _NEED_SENTENCES
        return _PRODUCT_SENTENCES

    def _fill(self, template: str) -> str:
        text = template.format_map(_Slots(self._phrases, self._dice))
        return text[0].upper() + text[1:]


class _Slots(dict):
    """Gives each slot of one sentence a phrase, a different one each time as long as there are any."""

    def __init__(self, phrases: dict[str, tuple[str, ...]], dice: Dice) -> None:
        super().__init__()
        self._phrases = phrases
        self._dice = dice
        self._used: set[str] = set()

    def __missing__(self, slot: str) -> str:
        unused = [phrase for phrase in self._phrases[slot] if phrase not in self._used]
        phrase = self._dice.pick(unused or self._phrases[slot])
        self._used.add(phrase)
        return phrase
