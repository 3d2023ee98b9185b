"""Write the sample shop: users, items and a year of interactions, all invented.

    python data/make_sample.py [folder]

A small shop with a long tail: an item has six customers in the mean, so that who bought what says
little of a single item, while the catalogue says much. Every item belongs to a taste group that
its category mostly gives away, is of a type, and is of a brand, which has a style and a price
level of its own. Every user has a main and a second group, a favourite style and a budget; some
change their main group during the year. What a user names as interest at the sign-up mostly is
the main group, the city makes a style likelier, and some types suit the age group better. Groups
have seasons, items are launched, users come back to what they looked at, and the better an item
fits, the further they go: view, click, cart, purchase.

The bytes are the same on every platform: all draws are PCG64 doubles, and all arithmetic on them
is + - * / in a fixed order, which IEEE 754 rounds in one way. Hence no `exp`, no `**` of floats,
and no sums but running ones.
"""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FOLDER = Path(__file__).parent / "sample"
SEED = 7

START = datetime(2025, 1, 1)  # the files hold times without a zone
DAYS = 365
NUM_USERS = 1800
NUM_ITEMS = 1800

# Categories: the types sold, and the cheapest and dearest price. Taste group g has category g.
# fmt: off
CATEGORIES: dict[str, tuple[tuple[str, ...], int, int]] = {
    "audio": (("Headphones", "Speaker", "Turntable", "Microphone", "Radio", "Amplifier",
               "Metronome", "Earbuds"), 15, 300),
    "books": (("Novel", "Atlas", "Cookbook", "Anthology", "Biography", "Comic", "Diary",
               "Field Guide"), 6, 45),
    "camping": (("Tent", "Stove", "Sleeping Bag", "Lantern", "Backpack", "Hammock", "Compass",
                 "Cool Box"), 12, 260),
    "cycling": (("Helmet", "Saddle", "Bike Lock", "Panniers", "Pump", "Mudguard", "Bell",
                 "Child Seat"), 8, 180),
    "garden": (("Trowel", "Planter", "Watering Can", "Seed Box", "Bench", "Bird House", "Shears",
                "Parasol"), 5, 220),
    "games": (("Board Game", "Puzzle", "Card Game", "Dice Set", "Controller", "Chess Set", "Darts",
               "Kite"), 7, 90),
    "kitchen": (("Skillet", "Kettle", "Knife", "Mixing Bowl", "Grinder", "Teapot", "Toaster",
                 "Scales"), 9, 210),
    "lighting": (("Desk Lamp", "Floor Lamp", "Candle", "Night Light", "Chandelier", "Wall Lamp",
                  "String Lights", "Torch"), 8, 240),
    "running": (("Running Shoes", "Vest", "Stopwatch", "Headband", "Bottle", "Shorts", "Jacket",
                 "Belt Bag"), 8, 170),
    "textiles": (("Blanket", "Cushion", "Rug", "Curtain", "Towel", "Tablecloth", "Apron",
                  "Bed Linen"), 9, 190),
}
# fmt: on
NUM_GROUPS = len(CATEGORIES)
NUM_TYPES = 8  # in each category
# fmt: off
BRANDS = (
    "Aldwin", "Brask", "Corvel", "Dunmere", "Elstow", "Fallowick", "Gildane", "Hexley",
    "Ivarro", "Jorvund", "Kestral", "Lumova", "Marrow", "Nimbly", "Orrick", "Pellan",
    "Quorra", "Rendle", "Solvik", "Tamber", "Umbrel", "Vantor", "Wexley", "Yondry",
)
# fmt: on
NUM_STYLES = 8  # hidden; brand b has style b % 8
AGE_GROUPS = ("18-24", "25-34", "35-49", "50-64", "65+")
CITIES = ("Amberwick", "Dunholm Bay", "Fenmoor", "Glasswater", "Norrenthal", "Port Ysolde")
FORENAMES = ("Zib", "Quor", "Brun", "Velm", "Trax", "Odl", "Fenn", "Jyx", "Morb", "Plim")
FORENAME_ENDS = ("a", "ik", "ora", "us", "elle", "o")
SURNAMES = ("Snarf", "Wob", "Glim", "Krat", "Dras", "Plum", "Bink", "Vorp", "Thim", "Yarl")
SURNAME_ENDS = ("bottom", "wick", "inski", "le", "sprocket", "mere")

# Items
STRAY_ITEMS = 0.08  # share whose taste group is not the one of their category
POPULARITY_HEAD = 60.0  # popularity is 1 / (rank + this): the smaller, the heavier the head
PRICE_SPREAD = 0.25  # width of a brand's prices around its level, both within a category's range
LAUNCHED_SHARE = 0.25  # share of the items that are launched during the year
NOVELTY = 2.0  # extra demand on the day of the launch, as a multiple of the usual
NOVELTY_DAYS = 30  # age at which half of the extra is gone

# Users
MAIN_TASTE = 0.7  # share of the interest that goes to the main group
SECOND_TASTE = 0.2  # to the second group; the rest is spread over all
CITY_TILT = 4.0  # how much likelier a city's own style, that of its number, is as the favourite
DECLARED = 0.8  # share of the users who name their main group at the sign-up
CHANGING_USERS = 0.1  # share whose main group is another one from some day on
JOINING_USERS = 0.3  # share that signs up during the year; the others did in the two years before
OTHER_STYLE = 0.02  # demand for a style that is not the favourite, against 1 for the favourite
OTHER_AGE = 0.12  # demand for a type that does not suit the age group, against 1 if it does
PRICE_STRICTNESS = 10.0  # how fast demand falls with the squared distance from the budget

# Time
SEASON_PEAK = 1.5  # extra interest in a group at the height of its season
SEASON_DAYS = 70  # days from the height of a season to its end
OPENING_HOUR = 7  # first hour with sessions; the weights below are of this hour and the next ones
HOURS = (1, 2, 2, 2, 2, 3, 3, 2, 2, 2, 3, 4, 5, 6, 5, 3)
MIN_GAP = 3  # seconds between two events of a session, at least …
MAX_GAP = 170  # … and at most

# Sessions
MIN_SESSIONS = 2
TYPICAL_SESSIONS = 2.0  # scale of the long tail of sessions a user
TAIL = 1.2  # > 1; the closer to 1, the more sessions the keenest users have
MAX_VISITS = 3  # items looked at in a session, at most
REPEAT_VISIT = 0.18  # chance that a visit goes to an item seen before
FRONT_PAGE = 0.05  # chance that a visit goes to what sells best, whatever its group
SATED = 0.25  # demand for an item seen before when looking for something else, against 1 if new
EVENTS = ("view", "click", "cart", "purchase")
# Chance of the step to each next event: at no fit, and what a perfect fit adds.
STEPS = ((0.08, 0.32), (0.10, 0.40), (0.25, 0.35))


@dataclass(frozen=True)
class Items:
    """The catalogue; item i has id i + 1.

    Attributes:
        category: [NUM_ITEMS] index in CATEGORIES.
        group: [NUM_ITEMS] taste group.
        type: [NUM_ITEMS] index in the types of the category.
        brand: [NUM_ITEMS] index in BRANDS.
        level: [NUM_ITEMS] price within the category, 0 to 1.
        popularity: [NUM_ITEMS] demand, before taste.
        launch: [NUM_ITEMS] first day on sale; 0 or less: before the year.
    """

    category: IntArray
    group: IntArray
    type: IntArray
    brand: IntArray
    level: FloatArray
    popularity: FloatArray
    launch: IntArray

    def cents(self, item: int) -> int:
        """The price; it ends in 99."""
        _, low, high = list(CATEGORIES.values())[self.category[item]]
        level = float(self.level[item])
        return int(low + (high - low) * level * level) * 100 + 99


@dataclass(frozen=True)
class User:
    """A customer.

    Attributes:
        name: of nobody.
        city: index in CITIES.
        age: index in AGE_GROUPS.
        interest: index in CATEGORIES of what the user named at the sign-up.
        joined: day of the sign-up; negative before the year.
        main: taste group.
        later: main taste group from day `change` on.
        second: second taste group.
        style: favourite style.
        budget: preferred price within a category, 0 to 1.
        sessions: how often the user comes.
    """

    name: str
    city: int
    age: int
    interest: int
    joined: int
    main: int
    later: int
    change: int
    second: int
    style: int
    budget: float
    sessions: int


@dataclass(frozen=True)
class Event:
    """A row of interactions.csv.

    Attributes:
        seconds: since the start of the year.
        user: index of the user.
        item: index of the item.
        event: one of EVENTS.
    """

    seconds: int
    user: int
    item: int
    event: str


class Draws:
    """Random draws that need nothing but the doubles of PCG64."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        return float(self._generator.random())

    def below(self, count: int) -> int:
        """Uniform in 0..count-1."""
        return int(self.unit() * count)

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.unit() < probability

    def pick(self, weights: FloatArray) -> int:
        """An index, with probability proportional to its weight."""
        ends = np.cumsum(weights)
        return min(int(np.searchsorted(ends, self.unit() * ends[-1], "right")), len(ends) - 1)

    def order(self, count: int) -> IntArray:
        """A permutation of 0..count-1."""
        return np.argsort(self._generator.random(count), kind="stable")


def write_sample(folder: Path, seed: int = SEED) -> None:
    """Write users.csv, items.csv and interactions.csv.

    Args:
        folder: made if it is missing; files of these names are replaced.
        seed: of everything that is drawn.
    """
    draws = Draws(seed)
    items = draw_items(draws)
    users = [draw_user(draws, name) for name in draw_names(draws)]
    events = [
        event for number, user in enumerate(users) for event in simulate(draws, number, user, items)
    ]
    events.sort(key=lambda event: event.seconds)  # stable: a user's events keep their order
    folder.mkdir(parents=True, exist_ok=True)
    header = "user_id,name,city,age_group,interest,signup_date"
    _write(folder / "users.csv", header, _user_rows(users))
    _write(folder / "items.csv", "item_id,name,category,type,brand,price", _item_rows(items))
    _write(folder / "interactions.csv", "user_id,item_id,timestamp,event", _event_rows(events))


def draw_items(draws: Draws) -> Items:
    """Draw the catalogue."""
    category = draws.order(NUM_ITEMS) % NUM_GROUPS
    stray = [draws.below(NUM_GROUPS) if draws.chance(STRAY_ITEMS) else -1 for _ in category]
    labels = [draws.order(NUM_TYPES * len(BRANDS)) for _ in CATEGORIES]
    taken = [0] * NUM_GROUPS
    types, brands = [], []
    for c in category:
        label = int(labels[c][taken[c]])
        taken[c] += 1
        types.append(label // len(BRANDS))
        brands.append(label % len(BRANDS))
    levels = draws.order(len(BRANDS)) / (len(BRANDS) - 1.0) * (1.0 - PRICE_SPREAD)
    launched = [draws.chance(LAUNCHED_SHARE) for _ in category]
    return Items(
        category=category,
        group=np.where(np.array(stray) >= 0, stray, category),
        type=np.array(types),
        brand=np.array(brands),
        level=np.array([levels[brand] + PRICE_SPREAD * draws.unit() for brand in brands]),
        popularity=np.divide(1.0, draws.order(NUM_ITEMS) + POPULARITY_HEAD, dtype=np.float64),
        launch=np.array([1 + draws.below(DAYS - 30) if new else -DAYS for new in launched]),
    )


def draw_names(draws: Draws) -> list[str]:
    """Distinct names of nobody."""
    firsts = [start + end for start in FORENAMES for end in FORENAME_ENDS]
    lasts = [start + end for start in SURNAMES for end in SURNAME_ENDS]
    chosen = draws.order(len(firsts) * len(lasts))[:NUM_USERS]
    return [f"{firsts[n % len(firsts)]} {lasts[n // len(firsts)]}" for n in chosen]


def draw_user(draws: Draws, name: str) -> User:
    """Draw a customer."""
    city, age = draws.below(len(CITIES)), draws.below(len(AGE_GROUPS))
    main = draws.below(NUM_GROUPS)
    interest = main if draws.chance(DECLARED) else draws.below(NUM_GROUPS)
    others = np.where(np.arange(NUM_GROUPS) == main, 0.0, 1.0)
    later = draws.pick(others) if draws.chance(CHANGING_USERS) else main
    new = draws.chance(JOINING_USERS)
    keen = draws.unit()
    return User(
        name=name,
        city=city,
        age=age,
        interest=interest,
        joined=draws.below(DAYS - 60) if new else -1 - draws.below(2 * DAYS),
        main=main,
        later=later,
        change=60 + draws.below(DAYS - 120),
        second=draws.pick(others),
        style=draws.pick(tilted(NUM_STYLES, city % NUM_STYLES, CITY_TILT)),
        budget=draws.unit(),
        sessions=MIN_SESSIONS + int(TYPICAL_SESSIONS * keen * keen / (TAIL - keen)),
    )


def tilted(count: int, favourite: int, tilt: float) -> FloatArray:
    """[count] weights, 1 but for the favourite's, which is `tilt`."""
    weights = np.ones(count)
    weights[favourite] = tilt
    return weights


def simulate(draws: Draws, number: int, user: User, items: Items) -> list[Event]:
    """All events of a user, in the order of time."""
    first = max(user.joined, 0)
    days = sorted(int(day) for day in draws.order(DAYS - first)[: user.sessions] + first)
    fit = fits(user, items)
    fresh = np.ones(NUM_ITEMS)
    progress: dict[int, int] = {}  # item to the furthest event so far
    events = []
    for day in days:
        hour = OPENING_HOUR + draws.pick(np.array(HOURS, dtype=np.float64))
        seconds = (day * 24 + hour) * 3600 + draws.below(3600)
        interests = interest(user, day)
        for _ in range(1 + draws.below(MAX_VISITS)):
            if progress and draws.chance(REPEAT_VISIT):
                item = again(draws, progress)
            else:
                sought = None if draws.chance(FRONT_PAGE) else draws.pick(interests)
                item = draws.pick(demand(items, fit * fresh, sought, day))
            fresh[item] = SATED
            for stage in range(funnel(draws, float(fit[item]))):
                events.append(Event(seconds, number, item, EVENTS[stage]))
                progress[item] = max(progress.get(item, 0), stage)
                seconds += MIN_GAP + draws.below(MAX_GAP - MIN_GAP + 1)
    return events


def fits(user: User, items: Items) -> FloatArray:
    """[NUM_ITEMS] how well style, type and price of each item suit the user, 0 to 1."""
    distance = items.level - user.budget
    price = 1.0 / (1.0 + PRICE_STRICTNESS * distance * distance)
    style = np.where(items.brand % NUM_STYLES == user.style, 1.0, OTHER_STYLE)
    age = np.where((items.category + items.type) % len(AGE_GROUPS) == user.age, 1.0, OTHER_AGE)
    return style * age * price


def interest(user: User, day: int) -> FloatArray:
    """[NUM_GROUPS] how much each taste group interests the user on a day."""
    weights = np.full(NUM_GROUPS, (1.0 - MAIN_TASTE - SECOND_TASTE) / NUM_GROUPS)
    weights[user.main if day < user.change else user.later] += MAIN_TASTE
    weights[user.second] += SECOND_TASTE
    peaks = np.arange(NUM_GROUPS) * DAYS // NUM_GROUPS
    away = np.minimum(np.abs(peaks - day), DAYS - np.abs(peaks - day))
    season = np.maximum(0.0, 1.0 - away / SEASON_DAYS)
    seasonal: FloatArray = weights * (1.0 + SEASON_PEAK * season)
    return seasonal


def demand(items: Items, fit: FloatArray, group: int | None, day: int) -> FloatArray:
    """[NUM_ITEMS] weight of each item for a user who looks for something of a group, or of any."""
    age = np.maximum(day - items.launch, 0)
    novelty = np.where(items.launch > 0, NOVELTY / (1.0 + age / NOVELTY_DAYS), 0.0)
    sought = items.launch <= day
    if group is not None:
        sought &= items.group == group
    return np.where(sought, items.popularity * (1.0 + novelty) * fit, 0.0)


def again(draws: Draws, progress: dict[int, int]) -> int:
    """An item seen before; the closer to a purchase, the likelier, but less so once bought."""
    appeal = (1.0, 2.0, 4.0, 1.0)
    seen = list(progress)
    return seen[draws.pick(np.array([appeal[progress[item]] for item in seen]))]


def funnel(draws: Draws, fit: float) -> int:
    """How many events a visit has: 1, a view, to 4, a purchase."""
    for stage, (base, slope) in enumerate(STEPS, 1):
        if not draws.chance(base + slope * fit):
            return stage
    return len(EVENTS)


def _user_rows(users: list[User]) -> list[str]:
    categories = list(CATEGORIES)
    return [
        f"{number},{user.name},{CITIES[user.city]},{AGE_GROUPS[user.age]},"
        f"{categories[user.interest]},"
        f"{START.date() + timedelta(user.joined)}"
        for number, user in enumerate(users, 1)
    ]


def _item_rows(items: Items) -> list[str]:
    rows = []
    for item in range(NUM_ITEMS):
        category, (types, _, _) = list(CATEGORIES.items())[items.category[item]]
        kind, brand = types[items.type[item]], BRANDS[items.brand[item]]
        cents = items.cents(item)
        price = f"{cents // 100}.{cents % 100:02d}"
        rows.append(f"{item + 1},{brand} {kind},{category},{kind},{brand},{price}")
    return rows


def _event_rows(events: list[Event]) -> list[str]:
    return [
        f"{row.user + 1},{row.item + 1},{START + timedelta(seconds=row.seconds)},{row.event}"
        for row in events
    ]


def _write(path: Path, header: str, rows: list[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in [header, *rows]).encode())


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
