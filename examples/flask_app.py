"""Profile a Flask application: its views and what they call.

Try it:

    python examples/flask_app.py
    curl http://127.0.0.1:5000/basket/anna
    curl http://127.0.0.1:5000/basket/unknown    (fails: error_raised=True)
"""

import os

import phanos
from flask import Flask
from phanos.handlers import StreamHandler

app = Flask(__name__)
BASKETS = {"anna": {"apple": 3, "pear": 1}}
PRICES = {"apple": 0.4, "pear": 0.7}

phanos.profiler.config(job="basket", response_size_profile=True, error_raised_label=True)
phanos.profiler.add_handler(StreamHandler("stdout"))


@phanos.profile
def load_basket(owner):
    return BASKETS[owner]


@phanos.profile
def total(basket):
    return sum(PRICES[fruit] * count for fruit, count in basket.items())


# The profiling decorator stands right above the function, below those of the framework.
@app.get("/basket/<owner>")
@phanos.profile
def show_basket(owner):
    basket = load_basket(owner)
    return {"basket": basket, "total": total(basket)}


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
