"""The sample business in tables: who sells, who buys, and what every deal came to. Days count back from today."""

from typing import Literal, NamedTuple

from opportunities.sample.papers import TERMS

BUSINESS = {
    "name": "Harbor Heating & Air",
    "phone": "(207) 555-0100",
    "email": "office@harborheating.example",
    "address": "18 Commercial Street\nPortland, ME 04101",
    "time_zone": "America/New_York",
    "currency": "USD",
    "first_day_of_week": 7,
    "mail_sender": "office@harborheating.example",
    "tax_number": "01-2345678",
    "quote_terms": TERMS,
}

TYPES = ("Installation", "Replacement", "Maintenance plan", "Repair", "Electrical")


class Seller(NamedTuple):
    """A colleague with a demo login."""

    username: str
    first_name: str
    last_name: str
    role: Literal["admin", "manager", "salesperson"]


SELLERS = (
    Seller("ann", "Ann", "Kowalski", "admin"),
    Seller("mark", "Mark", "Reyes", "manager"),
    Seller("sam", "Sam", "Ortiz", "salesperson"),
    Seller("jo", "Jo", "Sanders", "salesperson"),
)


class Buyer(NamedTuple):
    """A customer; contacts are (name, role). A person is their own contact."""

    name: str
    mail: str
    street: str
    contacts: tuple[tuple[str, str], ...] = ()

    @property
    def is_person(self) -> bool:
        """A private person rather than a firm."""
        return not self.contacts


BUYERS = (
    Buyer(
        "Harbor View Apartments",
        "harborview.example",
        "2 Wharf Road",
        (("Tom Keller", "Property manager"), ("Alma Diaz", "Caretaker")),
    ),
    Buyer("Northline Dental Group", "northlinedental.example", "77 Forest Avenue", (("Dr. Mina Patel", "Partner"),)),
    Buyer("Casa Lucia", "casalucia.example", "31 Exchange Street", (("Lucia Moretti", "Owner"),)),
    Buyer("Pruitt Cold Storage", "pruittcold.example", "400 Riverside Street", (("Dale Pruitt", "Managing director"),)),
    Buyer(
        "St. Brigid School District",
        "stbrigid.example",
        "5 Stevens Avenue",
        (("Karen Holm", "Facilities"), ("Luis Vega", "Purchasing")),
    ),
    Buyer("Kestrel Analytics", "kestrel.example", "120 Fore Street", (("Priya Nair", "Office manager"),)),
    Buyer("Meridian Hotel", "meridianhotel.example", "9 Congress Square", (("Sofia Lindgren", "General manager"),)),
    Buyer(
        "Bayside Medical Center",
        "baysidemedical.example",
        "210 Marginal Way",
        (("Frank Boone", "Chief engineer"), ("Dr. Ruth Adler", "Director")),
    ),
    Buyer("Lowell Family Practice", "lowellpractice.example", "64 Deering Street", (("Dr. A. Lowell", "Owner"),)),
    Buyer("Fresh & Daily Grocers", "freshdaily.example", "15 Brighton Avenue", (("Hank Miller", "Store operations"),)),
    Buyer("Casco Bay Brewing", "cascobrewing.example", "88 Industrial Way", (("Nora Finch", "Head of production"),)),
    Buyer("Eastgate Car Wash", "eastgate.example", "1200 Washington Avenue", (("Omar Haddad", "Owner"),)),
    Buyer("First Parish Church", "firstparish.example", "425 Congress Street", (("Ellen Ward", "Treasurer"),)),
    Buyer("Tidewater Yacht Club", "tidewater.example", "1 Marina Road", (("Greg Stone", "Club manager"),)),
    Buyer("Union Street Lofts", "unionlofts.example", "50 Union Street", (("Beth Carver", "Condominium board"),)),
    Buyer("Maple Ridge Senior Living", "mapleridge.example", "300 Ocean Avenue", (("Joan Petit", "Administrator"),)),
    Buyer("Portside Print Works", "portsideprint.example", "27 Anderson Street", (("Viktor Hale", "Plant manager"),)),
    Buyer("Greenleaf Garden Center", "greenleaf.example", "610 Warren Avenue", (("Amy Tran", "Owner"),)),
    Buyer("Anchor Fitness", "anchorfitness.example", "145 Marginal Way", (("Cole Bennett", "Manager"),)),
    Buyer("Blue Spruce Veterinary", "bluespruce.example", "71 Auburn Street", (("Dr. Iris Cho", "Owner"),)),
    Buyer("R. Okafor", "okafor.example", "8 Bramhall Street"),
    Buyer("M. Lindqvist", "lindqvist.example", "36 Shore Road"),
    Buyer("The Dunne Family", "dunne.example", "19 Prospect Street"),
    Buyer("Paula Whitaker", "whitaker.example", "240 Spring Street"),
    Buyer("J. and T. Abbott", "abbott.example", "3 Chebeague Lane"),
)

type Ending = Literal["", "won", "lost", "closed", "inactive", "void", "canceled"]


class Deal(NamedTuple):
    """What one opportunity came to. `steps`: how many stages it entered. `due`: days from today, None without a date.

    `owner` "" = unassigned; "jo<" = entered without a salesperson and taken by Jo later. `slipped`: days by which its
    date was put off once. `action`: the open next action and the days from today it is due. `done`: a finished one.
    """

    title: str
    buyer: str
    kind: str
    amount: str
    owner: str
    steps: int
    age: int
    due: int | None
    slipped: int = 0
    action: tuple[str, int] | None = None
    done: str = ""
    ending: Ending = ""
    reason: str = ""
    ended: int = 0
    archived: int = 0


DEALS = (
    # In the first stage.
    Deal("Rooftop unit replacement", "Harbor View Apartments", "Replacement", "18400", "ann", 1, 6, 20,
         action=("Measure the roof curb with Tom", 2)),
    Deal("Annual maintenance plan, 14 sites", "Northline Dental Group", "Maintenance plan", "42000", "mark", 1, 9, 59,
         action=("Send the list of what each visit covers", 4)),
    Deal("Kitchen exhaust upgrade", "Casa Lucia", "Installation", "7950", "jo", 1, 21, -3,
         action=("Call Lucia about the landlord's permit", -2)),
    Deal("Warehouse LED retrofit", "Pruitt Cold Storage", "Electrical", "26300", "ann", 1, 8, 23),
    Deal("Walk-in cooler evaporator", "Fresh & Daily Grocers", "Repair", "4150", "", 1, 1, 6),
    Deal("Ductless heads for the attic studio", "Paula Whitaker", "Installation", "9800", "", 1, 2, None),
    Deal("Panel upgrade to 400 amps", "Portside Print Works", "Electrical", "31200", "sam", 1, 12, 41,
         action=("Visit the plant with the utility's engineer", 1)),
    Deal("Humidity control for the greenhouse", "Greenleaf Garden Center", "Installation", "15600", "jo<", 1, 5, 33,
         action=("Ask Amy for last winter's readings", 0)),
    Deal("Furnace replacement", "J. and T. Abbott", "Replacement", "", "sam", 1, 3, 14),
    Deal("Locker room ventilation", "Anchor Fitness", "Installation", "22750", "jo", 1, 17, 3, done="First site visit"),
    Deal("Generator for the surgery", "Blue Spruce Veterinary", "Electrical", "19900", "", 1, 4, 48),
    Deal("Balancing after the refit", "Meridian Hotel", "Repair", "3600", "sam", 1, 24, -9,
         action=("Find out whether the refit is finished", -6)),
    Deal("Heat recovery for the pool hall", "Tidewater Yacht Club", "Installation", "67500", "mark", 1, 11, 90),
    # In the second.
    Deal("Boiler room modernization, phase 2", "St. Brigid School District", "Replacement", "96000", "mark", 2, 40, 8,
         action=("Walk the boiler room with Karen", 1), done="Get the phase 1 drawings"),
    Deal("Split systems for server room", "Kestrel Analytics", "Installation", "12750", "ann", 2, 15, 12,
         action=("Confirm the heat load with Priya", 0)),
    Deal("Dishwasher hood and make-up air", "Casa Lucia", "Installation", "11300", "jo", 2, 19, 27),
    Deal("Glycol chiller for fermentation", "Casco Bay Brewing", "Installation", "88400", "sam", 2, 33, 38, slipped=14,
         action=("Compare the two chiller quotes of the maker", 3), done="Pipe survey of the cellar"),
    Deal("Emergency lighting, stairwells", "Union Street Lofts", "Electrical", "13850", "jo", 2, 14, 5,
         action=("Count fixtures on floors 3 to 5", -1)),
    Deal("Maintenance plan, 3 years", "Maple Ridge Senior Living", "Maintenance plan", "54600", "mark", 2, 28, 30),
    Deal("Air quality sensors in classrooms", "St. Brigid School District", "Electrical", "28900", "sam", 2, 22, 66),
    Deal("Radiant floor, sanctuary", "First Parish Church", "Installation", "37200", "sam", 2, 45, -1,
         done="Core sample of the slab"),
    Deal("EV chargers in the car park", "Meridian Hotel", "Electrical", "46000", "", 2, 13, 52),
    Deal("Heat pump water heater", "The Dunne Family", "Replacement", "5400", "jo<", 2, 10, 16,
         action=("Check the rebate that the state pays", 5)),
    # In the third.
    Deal("Chiller overhaul", "Bayside Medical Center", "Repair", "148000", "mark", 3, 52, 26,
         action=("Present the overhaul to the board of the clinic", 2), done="Vibration analysis"),
    Deal("Heat pump conversion", "R. Okafor", "Replacement", "21900", "ann", 3, 27, 17, done="Heat loss calculation"),
    Deal("Snow-melt driveway", "M. Lindqvist", "Installation", "14200", "jo", 3, 44, -1,
         action=("Ask whether spring would suit better", -1)),
    Deal("Ventilation for the press hall", "Portside Print Works", "Installation", "73500", "sam", 3, 36, 21,
         slipped=10, action=("Send the noise figures to Viktor", 0)),
    Deal("Maintenance plan, kitchens", "Fresh & Daily Grocers", "Maintenance plan", "18600", "jo", 3, 25, 9),
    Deal("Boiler controls", "Maple Ridge Senior Living", "Repair", "16400", "sam", 3, 31, 2,
         action=("Answer Joan's question about remote access", 0)),
    Deal("Operating room air handling", "Bayside Medical Center", "Replacement", "212000", "mark", 3, 60, 75,
         done="Infection control review"),
    Deal("Wash bay heaters", "Eastgate Car Wash", "Replacement", "17850", "", 3, 20, 11),
    Deal("Server room backup power", "Kestrel Analytics", "Electrical", "33400", "ann", 3, 23, 35),
    Deal("Roof fans, building B", "Union Street Lofts", "Repair", "6900", "jo", 3, 38, -16),
    # In the fourth.
    Deal("Clubhouse heating", "Tidewater Yacht Club", "Replacement", "58300", "sam", 4, 48, 13,
         action=("Call Greg after the club's meeting", 1), done="Show a reference at the marina"),
    Deal("Dust extraction", "Portside Print Works", "Installation", "24900", "jo", 4, 41, 4, slipped=21,
         action=("Ask for the decision", 2)),
    Deal("Cold room door heaters", "Pruitt Cold Storage", "Repair", "8750", "ann", 4, 30, 6),
    Deal("Maintenance plan, two houses", "Harbor View Apartments", "Maintenance plan", "12600", "mark", 4, 34, 19),
    Deal("Kennel ventilation", "Blue Spruce Veterinary", "Installation", "29700", "jo", 4, 37, -5,
         action=("Ring Dr. Cho once more", -4), done="Odor test with smoke"),
    Deal("Fan coils, 48 rooms", "Meridian Hotel", "Replacement", "134500", "mark", 4, 66, 45, slipped=30,
         action=("Settle the order of the floors with Sofia", 6), done="Sample room"),
    Deal("Sub-panels for new machines", "Casco Bay Brewing", "Electrical", "21450", "sam", 4, 29, None),
    # In the fifth.
    Deal("Clinic ventilation", "Lowell Family Practice", "Installation", "38600", "ann", 5, 50, 0,
         action=("Call about the start date", 0), done="Drawings for the permit"),
    Deal("Emergency compressor swap", "Fresh & Daily Grocers", "Repair", "9300", "mark", 5, 12, 3,
         action=("Collect the signed order", 1)),
    Deal("Steam trap survey", "St. Brigid School District", "Maintenance plan", "7400", "sam", 5, 43, 7),
    Deal("Geothermal loop", "J. and T. Abbott", "Installation", "61800", "jo", 5, 58, 24, slipped=20,
         action=("Book the drilling crew", 4), done="Soil report"),
    Deal("Boiler swap before winter", "Union Street Lofts", "Replacement", "31800", "sam", 5, 47, 9),
    # Done, or given up after that.
    Deal("Condenser in the service wing", "Maple Ridge Senior Living", "Replacement", "14300", "jo", 4, 55, 15),
    # Made by mistake, or no longer wanted: closed for good.
    Deal("New roof unit for the main building", "Harbor View Apartments", "Replacement", "18400", "jo", 1, 5, 20,
         ending="void", reason="Duplicate", ended=2),
    Deal("Trying out the new form", "Anchor Fitness", "Repair", "1", "sam", 1, 36, 2,
         ending="void", reason="Test", ended=31, archived=31),
    Deal("Heat pump for the pottery studio", "Paula Whitaker", "Installation", "11900", "jo", 3, 41, 10,
         ending="canceled", reason="Price", ended=6),
    Deal("Second boiler for the annex", "First Parish Church", "Installation", "28200", "mark", 2, 54, 30,
         ending="canceled", reason="Postponed", ended=16, archived=16),
    # Decided by hand.
    Deal("Walk-in freezer rebuild", "Pruitt Cold Storage", "Repair", "44700", "sam", 5, 70, 5),
    Deal("Dental suite compressors", "Northline Dental Group", "Replacement", "23200", "mark", 4, 62, 12),
    Deal("Air curtains at the entrance", "Fresh & Daily Grocers", "Installation", "5850", "jo", 3, 35, -2,
         ending="won", ended=6),
    Deal("Boiler room modernization, phase 1", "St. Brigid School District", "Replacement", "81500", "mark", 5, 90, -30,
         archived=20),
    Deal("Attic fan", "The Dunne Family", "Installation", "1950", "jo", 4, 80, -40,
         ending="won", ended=51, archived=45),
    Deal("Duct cleaning, 3 floors", "Meridian Hotel", "Repair", "5400", "jo", 2, 39, 6,
         ending="lost", reason="Price", ended=7),
    Deal("Solar carport", "Eastgate Car Wash", "Electrical", "118000", "sam", 3, 64, -11,
         ending="lost", reason="Postponed", ended=14),
    Deal("Chiller lease", "Casco Bay Brewing", "Maintenance plan", "36000", "mark", 4, 73, -20,
         ending="lost", reason="Chose a competitor", ended=25),
    Deal("Thermostats, 22 units", "Union Street Lofts", "Replacement", "9900", "jo", 3, 85, -48,
         ending="lost", reason="No response", ended=40, archived=33),
    Deal("Portable cooling for the summer fair", "First Parish Church", "Installation", "2400", "sam", 1, 88, -60,
         archived=50),
    Deal("Second opinion on the chimney", "R. Okafor", "Repair", "650", "ann", 1, 46, None,
         ending="closed", reason="No longer needed", ended=30),
    Deal("Gym floor heating", "Anchor Fitness", "Installation", "49500", "sam", 2, 75, 120,
         ending="inactive", ended=22),
    # Put away, though nothing was decided.
    Deal("Paint booth exhaust", "Portside Print Works", "Installation", "27300", "sam", 1, 82, -35, archived=12),
    Deal("Lobby fireplace", "Tidewater Yacht Club", "Installation", "8200", "jo", 2, 69, None, archived=18),
    # In no stage yet: they wait in the tray.
    Deal("Question from the website: noisy condenser", "Paula Whitaker", "Repair", "", "", 0, 0, None),
    Deal("Call back about radon ventilation", "J. and T. Abbott", "Installation", "3200", "jo", 0, 3, 18),
)  # fmt: skip

NOTES = (
    (
        "They found us through {firm}'s neighbor. Budget is there, the decision is made in-house.",
        "Talked for half an hour. The unit is 19 years old and fails twice a winter.",
        "Wants to know what it saves a year before anything else.",
        "Access only before 8 or after 18; parking in the yard.",
        "The insurer asks for this, so it will be done this year by somebody.",
    ),
    (
        "Walked through everything with {person}. Photos are in the shared folder.",
        "Two ways to do it; the cheaper one needs a second shutdown. {person} leans to the better one.",
        "Electric service is large enough, no upgrade needed.",
        "They would like it in two payments.",
        "Lead time of the maker is six weeks at the moment.",
    ),
    (
        "Presented the proposal to {person}; questions about noise and about the warranty.",
        "They have one other bid, about 6 % below ours, without the controls.",
        "Took the crane out of the price; they have their own.",
        "{person} shows it to the board on the second Tuesday.",
        "Sent the references that {person} asked for.",
    ),
    (
        "All questions are answered. {person} needs the signature of the owner.",
        "Called: still on the table, no objection, next week.",
        "They asked whether the price holds until the end of next month. It does.",
        "The other bidder is out.",
    ),
    (
        "{person} said yes on the phone. The paper follows.",
        "Start is wanted in the week after the holiday.",
        "Crew of three for four days; told dispatch to keep it free.",
    ),
)
"""What was noted in each stage; `{person}` is who we talk to, `{firm}` the customer."""
