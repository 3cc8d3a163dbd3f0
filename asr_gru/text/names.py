"""English names, which are written with a capital.

Names that are also common words (``mark``, ``turkey``, ``polish``, ``will``) are left out: a name
in lower case disturbs a reader less than a verb with a capital. ``march`` and ``may`` are months
only within a date.
"""

from __future__ import annotations

__all__ = ["AMBIGUOUS_MONTHS", "MONTHS", "NAMES", "PHRASES"]

AMBIGUOUS_MONTHS = frozenset({"march", "may"})
MONTHS = AMBIGUOUS_MONTHS | {
    *("january", "february", "april", "june", "july", "august"),
    *("september", "october", "november", "december"),
}
DAYS = "monday tuesday wednesday thursday friday saturday sunday christmas easter halloween"
PLACES = """
    afghanistan africa alaska albania algeria america amsterdam arabia argentina armenia asia
    athens atlantic australia austria azerbaijan baghdad bangladesh barcelona beijing belfast
    belgium belgrade berlin birmingham bolivia boston botswana brazil britain brooklyn
    brussels bucharest budapest bulgaria cairo california cambodia cambridge cameroon canada
    chicago china cleveland colombia colorado connecticut copenhagen croatia cuba cyprus
    dallas delaware delhi denmark denver detroit dublin ecuador edinburgh egypt england
    estonia ethiopia europe finland florence florida france geneva germany ghana glasgow
    greece greenland guatemala haiti hawaii helsinki honduras houston hungary iceland idaho
    illinois india indiana indonesia iowa iran iraq ireland israel istanbul italy jakarta
    jamaica japan jerusalem kansas kazakhstan kentucky kenya kosovo kuwait latvia lebanon
    leeds liberia libya lisbon lithuania liverpool london louisiana luxembourg madrid malaysia
    malta manchester manhattan maryland massachusetts melbourne mexico miami michigan milan
    minnesota mississippi missouri moldova mongolia montana montreal morocco moscow mozambique
    mumbai munich myanmar namibia naples nebraska nepal netherlands nevada nicaragua nigeria
    norway ohio oklahoma oregon oslo ottawa oxford pacific pakistan palestine panama paraguay
    paris pennsylvania peru philadelphia philippines poland portugal prague romania rome
    russia rwanda scotland seattle senegal seoul serbia shanghai singapore slovakia slovenia
    somalia spain stockholm sudan sweden switzerland sydney syria taiwan tanzania tennessee
    texas thailand tokyo toronto tunisia uganda ukraine uruguay utah uzbekistan vancouver
    venezuela venice vermont vienna vietnam virginia wales warsaw washington wisconsin wyoming
    yemen yugoslavia zambia zimbabwe zurich
"""
PEOPLES = """
    african africans american americans arab arabic arabs argentine asian asians australian
    australians austrian austrians belgian belgians brazilian brazilians britain british
    bulgarian californian canadian canadians chilean chinese christian christianity christians
    colombian cuban cubans czech danish dutch egyptian egyptians english englishman european
    europeans finnish french frenchman german germans greek greeks hebrew hindi hungarian
    icelandic indian indians indonesian iranian iraqi irish irishman islam islamic israeli
    israelis italian italians japanese jewish jews judaism korean koreans lebanese malaysian
    mexican mexicans mongolian moroccan muslim muslims nigerian norwegian norwegians pakistani
    palestinian palestinians parisian persian peruvian portuguese roman romanian romans
    russian russians scottish serbian soviet spaniard spanish swedish swiss syrian taiwanese
    texan thai tunisian turkish turks ukrainian ukrainians vietnamese welsh
"""
PEOPLE = """
    aaron abigail abraham adam agnes alan albert alexander alexandra alfred alice alison
    amanda amelia amy andrea andrew angela anna anne annie anthony arthur ashley barbara
    beatrice benjamin bernard betty brian bridget bruce caroline catherine cecilia charles
    charlotte chloe christina christine christopher claire clara claudia clive colin cynthia
    daniel danielle david deborah denise dennis derek diana donald doris dorothy douglas
    duncan edgar edith edmund edward edwin eleanor elizabeth ellen elsie emily emma eric erica
    ernest esther ethan eugene evelyn felix fiona florence frances francis frederick gabriel
    geoffrey george gerald gilbert gordon graham gregory hannah harold harriet heather helen
    henry herbert howard hugh ian isaac isabel isabella jacob james jane janet jason jennifer
    jeremy jessica joan joanna john johnny jonathan joseph joshua judith julia julian julie
    karen kate katherine kathleen kenneth kevin kimberly laura lauren lawrence leonard leslie
    linda lisa louis louise lucas lucy luke lydia malcolm margaret maria marian marie martha
    martin mary matthew maurice megan melissa michael michelle monica muriel nancy natalie
    nathan nicholas nicole nigel nora oliver olivia oscar pamela patricia patrick paul peter
    philip phoebe rachel ralph raymond rebecca richard robert roger roland ronald rosemary
    rupert russell samantha samuel sandra sarah sebastian sharon sheila simon sophia sophie
    stanley stephanie stephen steven stuart susan sylvia teresa thomas timothy tom victoria
    vincent vivian walter wendy william winston zoe
"""
PHRASES = {
    tuple(phrase.lower().split()): phrase.split()
    for phrase in (
        *("New York", "New Jersey", "New Zealand", "New Orleans", "New Mexico", "New England"),
        *("New Hampshire", "Hong Kong", "United States", "United Kingdom", "United Nations"),
        *("European Union", "Soviet Union", "Great Britain", "Northern Ireland", "Middle East"),
        *("North America", "South America", "Latin America", "North Korea", "South Korea"),
        *("South Africa", "North Carolina", "South Carolina", "North Dakota", "South Dakota"),
        *("West Virginia", "Rhode Island", "Los Angeles", "Las Vegas", "San Francisco"),
        *("San Diego", "San Antonio", "Santa Fe", "Saudi Arabia", "Sri Lanka", "Costa Rica"),
        *("Puerto Rico", "El Salvador", "Buenos Aires", "Rio de Janeiro", "Cape Town"),
        *("Tel Aviv", "Kuala Lumpur", "Abu Dhabi", "Czech Republic", "Dominican Republic"),
    )
}
NAMES = frozenset(f"{DAYS} {PLACES} {PEOPLES} {PEOPLE}".split()) | (MONTHS - AMBIGUOUS_MONTHS)
