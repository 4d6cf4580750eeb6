"""A Flask-RESTX application: the profiling decorator right above the method, restx's above it."""

import threading

import phanos
from flask import Flask, g
from flask_restx import Api, Namespace, Resource, abort, fields, inputs, reqparse

CROWD = 50
DEADLINE_S = 10.0

app = Flask("market")
app.config["RESTX_MASK_SWAGGER"] = False
api = Api(app, title="Market", version="1")
stalls = Namespace("stalls", description="Where fruit is sold")
api.add_namespace(stalls)
meeting = threading.Barrier(CROWD)

fruit_model = stalls.model(
    "Fruit",
    {
        "name": fields.String(required=True, min_length=3),
        "price": fields.Float(attribute="cost", default=1.0),
    },
)
arguments = reqparse.RequestParser()
arguments.add_argument("limit", type=inputs.positive, default=2, location="args")


@phanos.profile
def fetch(number: int) -> dict:
    if number == 13:
        raise ConnectionError("the store is closed")
    return {"name": f"fruit {number}", "cost": number / 4, "secret": "not marshalled"}


def authenticated(method):
    """A decorator of the application's own, between those of restx and of phanos."""

    def with_user(*positional, **named):
        g.user = "anna"
        return method(*positional, **named)

    with_user.__name__ = method.__name__
    with_user.__doc__ = method.__doc__
    with_user.__apidoc__ = getattr(method, "__apidoc__", {})
    return with_user


@stalls.route("/<int:number>", "/<int:number>/fruit", endpoint="fruit")
@stalls.param("number", "Which stall")
class Fruit(Resource):
    """One fruit."""

    @stalls.doc("get_fruit", responses={404: "No such stall"})
    @stalls.marshal_with(fruit_model)
    @phanos.profile
    def get(self, number: int) -> dict:
        """Show a fruit."""
        if number == 404:
            abort(404, "no such stall")
        return fetch(number)

    @stalls.doc(security=None)
    @stalls.expect(fruit_model, validate=True)
    @stalls.marshal_with(fruit_model, code=201, mask=None)
    @phanos.profile
    def post(self, number: int) -> tuple[dict, int, dict[str, str]]:
        """Put a fruit on a stall."""
        return {"name": stalls.payload["name"], "cost": number}, 201, {"X-Stall": str(number)}

    @stalls.response(204, "Sold")
    @phanos.profile
    def delete(self, number: int) -> tuple[str, int]:
        """Sell a fruit.

        The second paragraph becomes the description.
        """
        fetch(number)
        return "", 204


@stalls.route("/")
class Fruits(Resource):
    """All fruit."""

    method_decorators = (authenticated,)

    @stalls.expect(arguments)
    @stalls.marshal_list_with(fruit_model, envelope="fruit")
    @phanos.profile
    def get(self) -> list[dict]:
        """List fruit."""
        return [fetch(number) for number in range(arguments.parse_args()["limit"])]

    @stalls.deprecated
    @phanos.profile
    def put(self) -> dict[str, str]:
        return {"user": g.user}


@stalls.route("/meet/<int:guest>")
class Meeting(Resource):
    """All requests that meet here are inside the profiled method at the same time."""

    @stalls.marshal_with(fruit_model)
    @phanos.profile
    def get(self, guest: int) -> dict:
        """Wait for the others."""
        meeting.wait(DEADLINE_S)
        return fetch(guest + 100)


@stalls.errorhandler(ConnectionError)
@stalls.marshal_with(stalls.model("Closed", {"message": fields.String}), code=503)
@phanos.profile
def closed(error: ConnectionError) -> tuple[dict[str, str], int]:
    """Answer while the store is closed."""
    return {"message": f"closed: {error}"}, 503
