"""One of the demo's processes: serves both applications, with the same handlers as the others."""

from __future__ import annotations

import json
import logging
import os
import sys

import phanos
from phanos.handlers import PrometheusHandler, StreamHandler

from demo import shop, weather
from demo.serving import serve_asgi, serve_wsgi


def main() -> None:
    """Serve until the standard input ends; each line of it asks for the records to be counted."""
    port, runtime_directory, answers = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    prometheus = PrometheusHandler(
        "prometheus", port, runtime_directory=runtime_directory, zero_first_s=0
    )
    phanos.profiler.config(job="shop", response_size_profile=True, error_raised_label=True)
    weather.profiler.async_config(job="weather", error_raised_label=True)
    for profiler in (phanos.profiler, weather.profiler):
        profiler.add_handler(StreamHandler("stdout"))
        profiler.add_handler(prometheus)
    with (
        os.fdopen(answers, "w") as told,
        serve_wsgi(shop.app) as shop_address,
        serve_asgi(weather.app) as weather_address,
    ):
        print(json.dumps([shop_address, weather_address]), file=told, flush=True)
        for _ in sys.stdin:
            print(json.dumps(prometheus.flush()), file=told, flush=True)


if __name__ == "__main__":
    main()
