"""The shop as a Flask application, configured before any worker is forked."""

from __future__ import annotations

import shop
from flask import Flask

app = Flask("shop")
app.get("/view/<request>")(shop.view)
app.get("/slow/<request>/<float:seconds>")(shop.slow)
shop.configure()
# Where workers are forked from this process, it is connected and delivers already.
shop.view("ready")
