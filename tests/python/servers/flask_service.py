"""A Flask application with every kind of view, all of them profiled; served by the tests."""

import threading
from collections.abc import Iterator

import phanos
from flask import Blueprint, Flask, Response, abort, jsonify, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask.views import MethodView, View

CROWD = 50
DEADLINE_S = 10.0

app = Flask("orchard")
juices = Blueprint("juices", "orchard", url_prefix="/juices")
# All requests that meet here are inside the profiled view at the same time.
meeting = threading.Barrier(CROWD)


@phanos.profile
def peel(count: int) -> int:
    return count * 2


@phanos.profile
def bite(count: int) -> int:
    if count == 0:
        raise ValueError("nothing to bite")
    return peel(count)


@app.get("/apples/<int:count>")
@phanos.profile
def apples(count: int) -> dict[str, int]:
    """Views find their arguments by name."""
    return {"eaten": bite(count), "peeled": peel(count)}


@app.route("/pears", methods=["GET", "PUT"], defaults={"kind": "green"})
@app.route("/pears/<kind>", methods=["GET", "PUT"])
@phanos.profile
def pears(kind: str) -> ResponseReturnValue:
    """Two rules and two methods lead to one view."""
    return jsonify(kind=kind, method=request.method), 202, {"X-Kind": kind}


@app.get("/forbidden")
@phanos.profile
def forbidden() -> ResponseReturnValue:
    abort(403, "not your tree")


@app.get("/lines/<int:count>")
@phanos.profile
def lines(count: int) -> Response:
    return Response(stream_with_context(produce(count)), mimetype="text/plain")


@phanos.profile
def produce(count: int) -> Iterator[str]:
    """The body of a streamed response, which lives longer than the view that made it."""
    for number in range(count):
        yield f"{request.path} {peel(number)}\n"


@app.get("/endless")
@phanos.profile
def endless() -> Response:
    return Response(overflow(), mimetype="text/plain")


@phanos.profile
def overflow() -> Iterator[bytes]:
    """Never ends by itself: the client goes away."""
    while True:
        yield bytes(peel(2**15))


@juices.before_request
@phanos.profile
def wash() -> None:
    peel(1)


@juices.get("/<name>")
@phanos.profile
def press(name: str) -> str:
    return f"{name}: {peel(4)}"


@juices.get("/spilt")
@phanos.profile
def spill() -> str:
    raise KeyError("spilt")


@juices.errorhandler(KeyError)
@phanos.profile
def mop(error: KeyError) -> ResponseReturnValue:
    return jsonify(mopped=str(error)), 500


def shout(view):
    """A plain decorator, as class-based views list them."""

    def loud(**arguments):
        return view(**arguments).upper()

    return loud


class Basket(MethodView):
    """A class-based view with a method for each HTTP method."""

    decorators = (shout,)
    size = 3

    def __init__(self, label: str) -> None:
        self.label = label

    @phanos.profile
    def get(self, slot: int) -> str:
        return f"{self.label} {slot} of {self.count()} {self.colour(slot)}"

    @phanos.profile
    def delete(self, slot: int) -> str:
        raise LookupError(f"slot {slot}")

    @classmethod
    @phanos.profile
    def count(cls) -> int:
        return cls.size

    @staticmethod
    @phanos.profile
    def colour(slot: int) -> str:
        return "red" if slot % 2 else "green"


class Compost(View):
    """A class-based view with one method for all."""

    methods = ("GET", "POST")

    @phanos.profile
    def dispatch_request(self) -> str:
        return request.method


@app.get("/meet/<int:guest>")
@phanos.profile
def meet(guest: int) -> dict[str, int]:
    meeting.wait(DEADLINE_S)
    return {"guest": bite(guest + 1)}


@app.get("/gather/<int:guest>")
@phanos.profile
def gather(guest: int) -> dict[str, int]:
    meeting.wait(DEADLINE_S)
    return {"guest": peel(guest + 1)}


app.register_blueprint(juices)
app.add_url_rule("/basket/<int:slot>", view_func=Basket.as_view("basket", label="slot"))
app.add_url_rule("/compost", view_func=Compost.as_view("compost"))
