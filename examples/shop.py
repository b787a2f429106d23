"""A shop for order_fulfilment.yaml: prices, stock, a credit agency, payments, a warehouse, and a patient approver."""

import threading
from collections import Counter

from demo_server import Demo, Fields, Refusal, serve

# What the shop sells: name, price in cents, pieces on the shelf.
ARTICLES = {
    "DESK-OAK": ("Oak desk, 160 cm", 64900, 40),
    "CHAIR-ERGO": ("Ergonomic chair", 38900, 60),
    "LAMP-ARC": ("Arc lamp", 12900, 120),
    "SHELF-5": ("Shelf with five boards", 17950, 80),
    "RUG-WOOL": ("Wool rug, 2 × 3 m", 29900, 0),
    "SOFA-3": ("Sofa with three seats", 129900, 3),
    "MUG-SET": ("Six stoneware mugs", 4450, 500),
    "CLOCK-WALL": ("Wall clock", 3990, 200),
}
BLACKLISTED = {"C-666"}
EMPTY_CARDS = {"C-417"}
# The price service is down for the first two requests of this order: the third attempt gets an answer.
UNSTEADY = {"W-1013": 2}
# The approver reads mail quickly, with two exceptions: one order too large to agree to, one mail never read.
REFUSED_ABOVE = 800000
MAIL_NEVER_READ = {"W-1019"}

demo = Demo()
refusals: Counter[str] = Counter()
refusing = threading.Lock()


def amount(items: list[Fields]) -> int:
    return sum(ARTICLES[item["sku"]][1] * item["quantity"] for item in items)


@demo.route("POST /prices")
def price(request: Fields) -> object:
    order = request["orderId"]
    with refusing:
        refusals[order] += 1
        down = refusals[order] <= UNSTEADY.get(order, 0)
    if down:
        raise Refusal(503, "The price service is restarting")
    lines = [
        {"sku": item["sku"], "name": ARTICLES[item["sku"]][0], "total": amount([item]) / 100}
        for item in request["items"]
    ]
    return {"lines": lines, "total": amount(request["items"]) / 100, "currency": request["currency"]}


@demo.route("POST /stock")
def stock(request: Fields) -> object:
    missing = [item["sku"] for item in request["items"] if item["quantity"] > ARTICLES[item["sku"]][2]]
    return {"available": not missing, "missing": missing}


@demo.route("GET /customers/{id}/standing")
def standing(request: Fields) -> object:
    return {"customer": request["id"], "trusted": request["id"] not in BLACKLISTED}


@demo.route("POST /approvals")
def ask_for_approval(request: Fields) -> object:
    if request["orderId"] not in MAIL_NEVER_READ:
        decision = "rejected" if request["total"] * 100 > REFUSED_ABOVE else "approved"
        answer = {"decision": decision, "by": "operations@shop.example"}
        demo.click(request["link"], answer, after=0.5)
    return {"sent": True}


@demo.route("POST /payments")
def pay(request: Fields) -> object:
    if request["customer"] in EMPTY_CARDS:
        return {"status": "declined"}
    return {"status": "captured", "payment": f"PAY-{request['orderId'][2:]}"}


@demo.route("POST /shipments")
def ship(request: Fields) -> object:
    return {"parcel": f"PCL-{request['orderId'][2:]}", "to": request["address"]["city"]}


@demo.route("POST /messages")
def tell(request: Fields) -> object:
    return {"delivered": True, "to": request["to"]}


if __name__ == "__main__":
    serve(demo)
