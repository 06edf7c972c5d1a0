"""The documents of the sample in tables: what was offered, ordered, signed and paid, and how many days ago."""

from collections.abc import Mapping
from typing import Any, NamedTuple

TERMS = (
    "Half of the total with the order, the rest when the work is done. Prices hold until the day named above. Two "
    "years of warranty on our work, the maker's warranty on the equipment."
)

TAX_RATES = (("Maine sales tax", "5.5", True), ("Exempt", "0", False))


class Paper(NamedTuple):
    """One act on a document of a deal: how many days ago, what, on which one, and what else it takes.

    Documents are called by a letter and perhaps a number: q, q2 for quotes, j for jobs, a for agreements.
    """

    ago: int
    do: str
    key: str = "q"
    given: Mapping[str, Any] = {}


class Papers(NamedTuple):
    """What a deal is about, as the first line of its documents says it, and what was done."""

    item: str
    steps: tuple[Paper, ...]


def _offer(made: int, sent: int, key: str = "q", **given: Any) -> tuple[Paper, ...]:
    """A quote that was made, and submitted."""
    return (Paper(made, "quote", key, given), Paper(sent, "submit", key))


def _sent(made: int, sent: int, key: str = "a", **given: Any) -> tuple[Paper, ...]:
    """An agreement that was made, and submitted."""
    return (Paper(made, "agreement", key, given), Paper(sent, "send", key))


PAPERS: dict[str, Papers] = {
    # Offered: the quote is with the customer, or not yet.
    "Wash bay heaters": Papers("Infrared heater, 40 kW, stainless", (Paper(3, "quote"),)),
    "Emergency lighting, stairwells": Papers("", (Paper(2, "quote", "q", {"empty": True}),)),
    "Boiler room modernization, phase 2": Papers("Condensing boiler, 300 kW", _offer(8, 6)),
    "Heat pump conversion": Papers("Air-to-water heat pump, 14 kW", _offer(11, 10)),
    "Maintenance plan, two houses": Papers("Maintenance visit, both houses", _offer(13, 12)),
    "Dust extraction": Papers("Bag filter unit, 6,000 m³/h", _offer(16, 15, valid=1)),
    "Glycol chiller for fermentation": Papers(
        "Glycol chiller, 120 kW", (*_offer(12, 11), *_offer(12, 10, "q2", share="1.15"))
    ),
    "Ventilation for the press hall": Papers(
        "Air handling unit, 18,000 m³/h",
        (*_offer(19, 18), Paper(9, "revise", "q", {"share": "0.96"}), Paper(8, "submit")),
    ),
    "Maintenance plan, kitchens": Papers(
        "Maintenance visit, all kitchens", (*_offer(10, 9), Paper(2, "revise", "q", {"share": "0.95"}))
    ),
    "Boiler controls": Papers("Boiler controller with remote access", (*_offer(13, 12), Paper(1, "accept"))),
    "Fan coils, 48 rooms": Papers(
        "Fan coil set for 48 rooms", (*_offer(31, 30, valid=20), Paper(2, "agreement", "a", {"valid": 30}))
    ),
    "Radiant floor, sanctuary": Papers("Radiant floor manifold and controls", _offer(21, 20, valid=10)),
    "Snow-melt driveway": Papers("Snow-melt boiler and manifold", _offer(26, 25, valid=4)),
    "Kennel ventilation": Papers("Heat recovery unit, 2,400 m³/h", _offer(22, 21, valid=9)),
    # Too late, refused, or replaced: lost, some of them with an offer that is still open.
    "Roof fans, building B": Papers("Roof fan, speed controlled", _offer(31, 30, valid=-18)),
    "Server room backup power": Papers(
        "Standby generator, 60 kW",
        (
            *_offer(14, 13),
            *_offer(5, 4, "q2", share="0.92"),
            Paper(4, "void", "q", {"reason": "Replaced by another document"}),
        ),
    ),
    "Maintenance plan, 3 years": Papers(
        "Maintenance visit, whole house",
        (*_offer(13, 12), Paper(3, "decline", "q", {"note": "Our own caretaker will do it."})),
    ),
    "Cold room door heaters": Papers(
        "Door frame heater set", (*_offer(18, 17, valid=10), *_sent(9, 8, valid=10), Paper(3, "reject", "a"))
    ),
    "Sub-panels for new machines": Papers("Sub-panel, 200 A", (*_offer(24, 23, valid=8), *_sent(21, 20, valid=-4))),
    # With the customer to sign.
    "Chiller overhaul": Papers(
        "Compressor overhaul kit",
        (
            *_offer(24, 23, valid=20),
            *_offer(17, 16, "q2", share="0.97", valid=20),
            *_sent(12, 11, signers=2, valid=20),
            Paper(11, "archive", "q"),
            Paper(5, "sign", "a", {"signer": 0}),
        ),
    ),
    "Operating room air handling": Papers(
        "Hygienic air handling unit, 9,000 m³/h", _sent(16, 15, kind="proposal", signers=2, valid=40)
    ),
    "Clubhouse heating": Papers(
        "Cascade of two heat pumps",
        (*_offer(21, 20, valid=15), *_sent(15, 14, valid=10), Paper(6, "replace", "a"), Paper(5, "send", "a2")),
    ),
    # Settled, and being done.
    "Clinic ventilation": Papers(
        "Heat recovery unit, 3,200 m³/h",
        (*_offer(22, 21, valid=10), *_sent(13, 12, valid=15), Paper(2, "sign", "a", {"signer": 0})),
    ),
    "Emergency compressor swap": Papers(
        "Scroll compressor, 25 hp",
        (*_offer(10, 9, service=2), Paper(4, "accept"), Paper(3, "convert"), Paper(2, "pay", "j", {"share": "0.5"})),
    ),
    "Steam trap survey": Papers(
        "Survey visit with ultrasonic test", (Paper(2, "job", "j", {"confirmed": False, "service": 12}),)
    ),
    "Geothermal loop": Papers(
        "Ground-source heat pump, 18 kW",
        (
            *_offer(27, 26, service=9),
            Paper(15, "accept"),
            Paper(14, "convert"),
            Paper(13, "pay", "j", {"share": "0.5"}),
            Paper(3, "deliver", "j", {"share": "0.4"}),
        ),
    ),
    "Boiler swap before winter": Papers(
        "Condensing boiler, 90 kW",
        (*_offer(29, 28, service=-3), Paper(18, "convert"), Paper(17, "pay", "j", {"share": "0.3"})),
    ),
    # Done.
    "Walk-in freezer rebuild": Papers(
        "Evaporator and condensing unit",
        (
            *_offer(41, 40, service=-4),
            Paper(31, "convert"),
            Paper(29, "pay", "j", {"share": "0.5"}),
            Paper(6, "deliver", "j", {"share": "1"}),
            Paper(4, "complete", "j"),
            Paper(3, "pay", "j", {"share": "0.5"}),
        ),
    ),
    "Dental suite compressors": Papers(
        "Oil-free compressor, duplex",
        (
            Paper(20, "job", "j", {"service": -9}),
            Paper(11, "deliver", "j", {"share": "1"}),
            Paper(9, "complete", "j"),
            Paper(8, "pay", "j", {"share": "1"}),
        ),
    ),
    "Boiler room modernization, phase 1": Papers(
        "Condensing boiler, 250 kW",
        (
            *_sent(62, 61, valid=-40),
            Paper(57, "sign", "a", {"signer": 0}),
            Paper(56, "job", "j", {"service": -38}),
            Paper(55, "pay", "j", {"share": "0.5"}),
            Paper(40, "deliver", "j", {"share": "1"}),
            Paper(38, "complete", "j"),
            Paper(30, "pay", "j", {"share": "0.5"}),
        ),
    ),
    # All the money went back.
    "Condenser in the service wing": Papers(
        "Condensing unit, 5 tons",
        (
            *_offer(34, 33, service=-12),
            Paper(24, "convert"),
            Paper(23, "pay", "j", {"share": "1"}),
            Paper(13, "deliver", "j", {"share": "1"}),
            Paper(12, "complete", "j"),
            Paper(6, "refund", "j"),
        ),
    ),
    "Portable cooling for the summer fair": Papers(
        "Portable cooler, rent for three days",
        (
            Paper(80, "job", "j", {"service": -62}),
            Paper(79, "pay", "j", {"share": "0.5"}),
            Paper(66, "refund", "j"),
        ),
    ),
    # Canceled with its quote.
    "Heat pump for the pottery studio": Papers("Air-to-air heat pump, 7 kW", _offer(25, 24, valid=6)),
}
"""By the title of the deal. `valid` and `service` are days from today, `share` a part of the deal's amount or total."""

LOOSE = (
    ("Tidewater Yacht Club", "Dehumidifier for the boat shed", "Installation", "Dehumidifier, 80 l a day", "6400", 7),
    ("Casa Lucia", "Emergency call, ice machine", "Repair", "Water valve and float switch", "480", 3),
)
"""What lies on no card: customer, title, kind, item, amount, days ago. The first is a quote, the second a job."""

MATERIALS = {
    "Installation": ("Ducts, line sets and hangers", "24.50"),
    "Replacement": ("Pipe, fittings and insulation", "18.50"),
    "Maintenance plan": ("Filters and belts", "12.00"),
    "Repair": ("Refrigerant, seals and gaskets", "31.00"),
    "Electrical": ("Cable and conduit", "9.80"),
}
"""What goes into the work, by kind of deal, and what a unit of it costs."""

LABOR = {
    "Installation": ("Installation, two technicians", "92.00"),
    "Replacement": ("Removal of the old unit and installation", "92.00"),
    "Maintenance plan": ("Technician", "78.00"),
    "Repair": ("Technician", "95.00"),
    "Electrical": ("Licensed electrician", "98.00"),
}

AGREEMENT_TEXT = (
    "Harbor Heating & Air does the work named below for the price named below. Changes are agreed in writing.\n\n"
    "Half of the total is due with the signatures, the rest when the work is done and shown to you. We clear the site "
    "every evening and take the old equipment with us. Two years of warranty on our work, the maker's warranty on the "
    "equipment."
)
