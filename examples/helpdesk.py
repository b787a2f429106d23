"""A help desk for support_escalation.yaml: teams, agents who answer or do not, customers who fill in surveys."""

from zlib import crc32

from demo_server import Demo, Fields, Refusal, serve

TEAMS = {
    "security": ["Yara", "Noor"],
    "operations": ["Emil", "Sofia"],
    "billing": ["Jonas", "Ada"],
    "support": ["Maja", "Luca"],
}
# What the first agent does with a ticket, if not solve it: ask for help, or nothing at all.
NEEDS_HELP = {"T-503", "T-508"}
FORGOTTEN = {"T-505", "T-507"}
# Even the second agent does not get to this one.
NOBODY_GETS_TO = {"T-507"}

demo = Demo()


@demo.route("POST /assignments")
def assign(request: Fields) -> object:
    """The least busy agent of a team; a `senior` one when asked for."""
    if request["team"] not in TEAMS:
        raise Refusal(404, f"There is no team {request['team']}")
    junior, senior = TEAMS[request["team"]]
    return {"agent": senior if request.get("senior") else junior}


@demo.route("POST /agents/{agent}/inbox")
def give(request: Fields) -> object:
    ticket, senior = request["ticket"], bool(request.get("senior"))
    silent = NOBODY_GETS_TO if senior else FORGOTTEN
    if ticket not in silent:
        needs_help = ticket in NEEDS_HELP and not senior
        answer = {"decision": "needs help" if needs_help else "solved", "by": request["agent"]}
        demo.click(request["link"], answer, after=0.4)
    return {"delivered": True}


@demo.route("POST /on-call")
def call(request: Fields) -> object:
    return {"called": f"on-call engineer of {request['team']}"}


@demo.route("POST /messages")
def tell(request: Fields) -> object:
    return {"delivered": True, "to": request["to"]}


@demo.route("POST /reports")
def report(request: Fields) -> object:
    return {"report": f"reports/{request['ticket']}.json"}


@demo.route("POST /surveys")
def survey(request: Fields) -> object:
    return {"score": 3 + crc32(request["ticket"].encode()) % 3}


if __name__ == "__main__":
    serve(demo)
