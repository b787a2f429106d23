"""An accounting office for invoice_processing.yaml: orders, vendors, a ledger, a bank, approvers who read mail."""

import threading

from demo_server import Demo, Fields, serve

# Purchase orders: the vendor and what was ordered, in cents before tax.
ORDERS = {
    "PO-7001": ("V-10", 48000),
    "PO-7002": ("V-11", 260000),
    "PO-7003": ("V-12", 1850000),
    "PO-7004": ("V-10", 32000),
    "PO-7005": ("V-13", 410000),
    "PO-7006": ("V-12", 2400000),
    "PO-7007": ("V-11", 95000),
}
VENDORS = {
    "V-10": ("Papyrus Office Supplies", "DE89370400440532013000"),
    "V-11": ("Lumen Electric", "AT611904300234573201"),
    "V-12": ("Kestrel Machine Tools", "NL91ABNA0417164300"),
    "V-13": ("Baltic Freight", "EE382200221020145685"),
}
PAID_BEFORE = {("V-10", "2026-0311")}
# A manager on holiday never answers; the director says no to one machine.
ON_HOLIDAY = {"F-2207"}
DIRECTOR_REFUSES = {"KM-881"}

demo = Demo()
ledger: list[Fields] = []
writing = threading.Lock()


@demo.route("GET /purchase-orders/{number}")
def purchase_order(request: Fields) -> object:
    vendor, net = ORDERS.get(request["number"], (None, 0))
    return {"known": vendor is not None, "vendor": vendor, "netCents": net}


@demo.route("GET /vendors/{id}")
def vendor(request: Fields) -> object:
    name, iban = VENDORS.get(request["id"], (None, None))
    return {"known": name is not None, "name": name, "iban": iban}


@demo.route("GET /payments")
def paid_before(request: Fields) -> object:
    return {"paid": (request["vendor"], request["invoice"]) in PAID_BEFORE}


@demo.route("POST /approvals")
def ask_for_approval(request: Fields) -> object:
    invoice, role = request["invoice"], request["role"]
    if role == "manager" and invoice in ON_HOLIDAY:
        return {"sent": True}
    refuses = role == "director" and invoice in DIRECTOR_REFUSES
    answer = {"decision": "rejected" if refuses else "approved", "by": role}
    demo.click(request["link"], answer, after=0.4)
    return {"sent": True}


@demo.route("POST /payments")
def pay(request: Fields) -> object:
    return {"payment": f"SEPA-{request['vendor'][2:]}-{request['invoice']}", "cents": request["cents"]}


@demo.route("POST /ledger")
def book(request: Fields) -> object:
    with writing:
        ledger.append(request)
        return {"entry": len(ledger)}


@demo.route("POST /archive")
def archive(request: Fields) -> object:
    return {"document": f"archive/{request['vendor']}/{request['invoice']}.json"}


@demo.route("POST /messages")
def tell(request: Fields) -> object:
    return {"delivered": True, "to": request["to"]}


if __name__ == "__main__":
    serve(demo)
