"""A Flask shop, served with a thread per request and profiled by the default profiler."""

from __future__ import annotations

import time
from typing import Any

import phanos
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

app = Flask(__name__)
ORDERS = {1: [4.50, 2.00], 2: [19.90], 3: [7.25, 7.25, 1.10]}


@phanos.profile
def load_order(number: int) -> list[float]:
    """Look an order up; the sleep is the way to a database and back."""
    time.sleep(0.002)
    return ORDERS[number]


@phanos.profile
def price(order: list[float]) -> float:
    """Add tax and round."""
    time.sleep(0.001)
    return round(sum(order) * 1.21, 2)


@app.get("/orders/<int:number>")
@phanos.profile
def show_order(number: int) -> dict[str, Any]:
    """One order; a number that does not exist makes `load_order` raise."""
    return {"number": number, "price": price(load_order(number))}


@app.get("/orders")
@phanos.profile
def list_orders() -> dict[str, Any]:
    """Every order."""
    return {"prices": [price(load_order(number)) for number in ORDERS]}


class Checkout(MethodView):
    """A class-based view: its records are named after the class."""

    @phanos.profile
    def post(self) -> ResponseReturnValue:
        """Reserve, then charge."""
        order = self.reserve(int(request.get_json()["number"]))
        return jsonify(charged=price(order)), 201

    @phanos.profile
    def reserve(self, number: int) -> list[float]:
        """Take the order's goods off the shelf."""
        time.sleep(0.001)
        return load_order(number)


app.add_url_rule("/checkout", view_func=Checkout.as_view("checkout"))


@app.errorhandler(LookupError)
def not_found(error: LookupError) -> ResponseReturnValue:
    """Answer for what a view raised; the profiler has recorded it by then."""
    return jsonify(error=f"{type(error).__name__}: {error}"), 500
