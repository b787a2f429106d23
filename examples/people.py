"""A company for employee_onboarding.yaml: personnel records, systems with accounts, courses, a slow storeroom."""

import threading
from collections import Counter

from demo_server import Demo, Fields, Refusal, serve

# Name, role and manager of everybody who begins; one record was never finished.
EMPLOYEES: dict[str, tuple[str, str, str]] = {
    "E-201": ("Amara Okafor", "engineer", "lena.brandt@firm.example"),
    "E-202": ("Jonas Lindqvist", "sales", "paul.moreau@firm.example"),
    "E-203": ("Hana Sato", "engineer", "lena.brandt@firm.example"),
    "E-204": ("Rui Tavares", "accountant", "ines.vidal@firm.example"),
    "E-205": ("Marta Nowak", "sales", ""),
    "E-206": ("Oskar Berg", "engineer", "lena.brandt@firm.example"),
    "E-207": ("Noa Levi", "accountant", "ines.vidal@firm.example"),
    "E-208": ("Theo Laurent", "sales", "paul.moreau@firm.example"),
}
# Somebody of this name is in the project system already: nobody but a person can sort that out.
NAMESAKES = {"E-206"}
# The storeroom has nothing for these in time.
OUT_OF_STOCK = {"E-203", "E-208"}
# The chat system is down for the first request for this one.
UNSTEADY = {"E-202": 1}

demo = Demo()
asked: Counter[str] = Counter()
accounts: set[tuple[str, str]] = set()
guard = threading.Lock()


@demo.route("GET /employees/{employee}")
def details(request: Fields) -> object:
    if request["employee"] not in EMPLOYEES:
        raise Refusal(404, f"Nobody is called {request['employee']}")
    name, role, manager = EMPLOYEES[request["employee"]]
    email = f"{name.lower().replace(' ', '.')}@firm.example"
    return {"name": name, "role": role, "email": email, **({"manager": manager} if manager else {})}


@demo.route("POST /accounts/{system}")
def account(request: Fields) -> object:
    system, employee = request["system"], request["employee"]
    with guard:
        asked[employee] += system == "chat"
        if system == "chat" and asked[employee] <= UNSTEADY.get(employee, 0):
            raise Refusal(503, "The chat system is restarting")
        if system == "projects" and employee in NAMESAKES:
            raise Refusal(409, "There is somebody of this name already")
        accounts.add((employee, system))
    return {"system": system, "login": request["email"]}


@demo.route("POST /accounts/{system}/removal")
def remove(request: Fields) -> object:
    with guard:
        accounts.discard((request["employee"], request["system"]))
    return {"removed": True}


@demo.route("GET /accounts")
def every_account(request: Fields) -> object:
    """Who has an account now."""
    with guard:
        return {"accounts": sorted({employee for employee, _ in accounts})}


@demo.route("POST /permissions")
def permit(request: Fields) -> object:
    return {"to": request["to"], "granted": True}


@demo.route("POST /permissions/withdrawal")
def withdraw(request: Fields) -> object:
    return {"to": request["to"], "granted": False}


@demo.route("POST /appointments")
def arrange(request: Fields) -> object:
    return {"date": request["date"], "room": "Atrium"}


@demo.route("POST /courses")
def enrol(request: Fields) -> object:
    return {"course": request["course"], "begins": "in the first week"}


@demo.route("POST /equipment")
def equip(request: Fields) -> object:
    if request["employee"] not in OUT_OF_STOCK:
        demo.click(request["link"], {"ready": True}, after=0.3)
    return {"ordered": True}


@demo.route("POST /equipment/loans")
def lend(request: Fields) -> object:
    return {"lent": "a laptop of last year"}


@demo.route("POST /messages")
def tell(request: Fields) -> object:
    return {"delivered": True, "to": request["to"]}


if __name__ == "__main__":
    serve(demo)
