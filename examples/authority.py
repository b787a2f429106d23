"""Systems with evidence, reviewers and an authority for compliance_reporting.yaml: not all are easily content."""

import threading
from collections import Counter
from itertools import count

from demo_server import Demo, Fields, Refusal, serve

CONTROLS = {"people": "PE", "customers": "CU", "access": "AC"}
# The access system is silent about this report; that of customers has nothing that makes sense about this one.
SILENT = {"R-02": "access"}
SENSELESS = {"R-05": "customers"}
# Reviewers send these back, the second one more often than anybody will write it.
SENT_BACK = {"R-04": ["Name the processors"], "R-06": ["Add the cash flow", "Say who signed", "Start over"]}
# Nobody reads this one.
UNREAD = {"R-07"}
# The authority's answer when it is no; and it needs two looks at everything.
NOT_ACCEPTED = {"R-08": "The form of 2027 is missing"}
LOOKS = 2
# The authority is closed for the first request about this one.
UNSTEADY = {"R-03": 1}

demo = Demo()
tries: Counter[str] = Counter()
looks: Counter[str] = Counter()
numbers = count(1)
submitted: dict[str, str] = {}
guard = threading.Lock()


@demo.route("GET /evidence/{source}")
def evidence(request: Fields) -> object:
    source, report = request["source"], request["report"]
    if SILENT.get(report) == source:
        raise Refusal(504, f"The system {source} does not answer")
    prefix = "?" if SENSELESS.get(report) == source else CONTROLS[source]
    return {"controls": [{"control": f"{prefix}-{number}", "passed": number != 2} for number in (1, 2)]}


@demo.route("POST /reviews")
def review(request: Fields) -> object:
    report, done = request["report"], request["round"]
    remarks = SENT_BACK.get(report, [])
    if report not in UNREAD:
        again = {"decision": "again", "remark": remarks[done]} if done < len(remarks) else {"decision": "good"}
        demo.click(request["link"], again, after=0.2)
    return {"sent": True}


@demo.route("POST /approvals")
def approve(request: Fields) -> object:
    demo.click(request["link"], {"by": " and ".join(request["levels"])}, after=0.2 * len(request["levels"]))
    return {"asked": request["levels"]}


@demo.route("POST /submissions")
def submit(request: Fields) -> object:
    report = request["report"]
    with guard:
        tries[report] += 1
        if tries[report] <= UNSTEADY.get(report, 0):
            raise Refusal(503, "The authority is closed")
        number = f"{request['area'][:3].upper()}-{next(numbers)}"
        submitted[number] = report
    return {"number": number}


@demo.route("GET /submissions/{number}")
def status(request: Fields) -> object:
    number = request["number"]
    with guard:
        looks[number] += 1
        if looks[number] < LOOKS:
            return {"status": "in progress", "reason": None}
    reason = NOT_ACCEPTED.get(submitted[number])
    return {"status": "rejected" if reason else "accepted", "reason": reason}


@demo.route("POST /messages")
def tell(request: Fields) -> object:
    return {"delivered": True, "to": request["to"]}


if __name__ == "__main__":
    serve(demo)
