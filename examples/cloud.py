"""A cloud for infrastructure_provisioning.yaml: regions, services that get well or do not, a budget."""

import threading
from collections import Counter
from itertools import count

from demo_server import Demo, Fields, Refusal, serve

# Teams whose lead says yes to more money; the lead of media says no to one of two, the one of shop is quick.
MOST_GRANTED = 1500
# It never answers its smoke test; this one needs three looks.
NEVER_HEALTHY = {"legacy-bridge"}
SLOW_TO_START = {"checkout": 2}
# The region refuses the first machines of this one: it has to be asked again.
UNSTEADY = {"catalogue": 1}

demo = Demo()
looks: Counter[str] = Counter()
refusals: Counter[str] = Counter()
numbers = count(1)
standing: dict[str, str] = {}
guard = threading.Lock()


@demo.route("POST /budgets")
def ask(request: Fields) -> object:
    demo.click(request["link"], {"granted": request["monthly"] <= MOST_GRANTED}, after=0.3)
    return {"asked": f"lead of {request['team']}"}


@demo.route("POST /regions/{region}/{type}")
def create(request: Fields) -> object:
    with guard:
        if request["type"] == "machines":
            refusals[request["service"]] += 1
            if refusals[request["service"]] <= UNSTEADY.get(request["service"], 0):
                raise Refusal(503, "The region has no room at the moment")
        name = f"{request['type']}-{next(numbers)}"
        standing[name] = request["service"]
    return {"id": name, "type": request["type"], "count": request["count"]}


@demo.route("POST /resources/{id}/destruction")
def destroy(request: Fields) -> object:
    with guard:
        standing.pop(request["id"], None)
    return {"destroyed": request["id"]}


@demo.route("GET /resources")
def resources(request: Fields) -> object:
    """How many resources each service has now."""
    with guard:
        return {"services": dict(Counter(standing.values()))}


@demo.route("POST /resources/{id}/configuration")
def configure(request: Fields) -> object:
    return {"applied": request["template"]}


@demo.route("POST /firewall")
def open_door(request: Fields) -> object:
    return {"rule": f"{request['port']} from {request['from']}"}


@demo.route("POST /monitors")
def watch(request: Fields) -> object:
    return {"watched": request["service"]}


@demo.route("POST /logs")
def gather(request: Fields) -> object:
    return {"gathered": request["service"]}


@demo.route("POST /directory")
def enter(request: Fields) -> object:
    return {"entered": request["service"]}


@demo.route("GET /services/{service}/health")
def health(request: Fields) -> object:
    service = request["service"]
    with guard:
        looks[service] += 1
        healthy = service not in NEVER_HEALTHY and looks[service] > SLOW_TO_START.get(service, 0)
    return {"healthy": healthy, "reason": None if healthy else "it does not answer on port 443"}


@demo.route("POST /messages")
def tell(request: Fields) -> object:
    return {"delivered": True, "to": request["to"]}


if __name__ == "__main__":
    serve(demo)
