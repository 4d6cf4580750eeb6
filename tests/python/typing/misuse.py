"""Code that a strict type check must refuse, at exactly the lines marked `# error`."""

from __future__ import annotations

import phanos
from phanos import metrics
from phanos.handlers import AsyncImpProfHandler, ImpProfHandler, StreamHandler, SyncBaseHandler
from phanos.messaging import BlockingPublisher


@phanos.profile
def plain(a: int, b: str = "b", *, c: bool) -> list[int]:
    return [a] if c else [len(b)]


@phanos.profile
async def later(a: int) -> str:
    return str(a)


class Service:
    @phanos.profile
    def fetch(self, key: str, *, default: int = 0) -> int:
        return default + len(key)

    @staticmethod
    @phanos.profile
    def static(key: str) -> str:
        return key


class Unfinished(SyncBaseHandler):
    pass


async def wrong() -> None:
    plain(1, c=True)
    plain("1", c=True)  # error
    plain(1)  # error
    plain(1, "b", True)  # error
    plain(1, c=True, d=1)  # error
    text: str = plain(1, c=True)  # error
    await plain(1, c=True)  # error
    await later("1")  # error
    await later(1, 2)  # error
    length: int = await later(1)  # error
    later(1).upper()  # error
    service = Service()
    service.fetch("key")
    service.fetch(1)  # error
    service.fetch()  # error
    service.fetch("key", 1)  # error
    service.fetch("key", default="1")  # error
    Service.static(1)  # error
    phanos.profile(3)  # error
    phanos.profiler.profile("plain")  # error
    phanos.profiler.before_func = 3  # error
    phanos.profiler.add_handler("handler")  # error
    phanos.profiler.add_handler(StreamHandler)  # error
    phanos.profiler.handlers["out"].output  # error
    phanos.profiler.get_handler("out", StreamHandler).level  # error
    phanos.profiler.get_handler(StreamHandler)  # error
    phanos.profiler.add_metric(plain)  # error
    phanos.profiler.config(job=5)  # error
    phanos.profiler.config(jbo="shop")  # error
    phanos.profiler.config(sample_rate="all")  # error
    phanos.profile(name=3)  # error
    phanos.profile()  # error
    phanos.profile(name="named")(plain)("1", c=True)  # error
    phanos.profiler.config(time_profile="yes")  # error
    phanos.profiler.dict_config(["job"])  # error
    phanos.profiler.no_such_method()  # error
    metrics.Counter("counter", "JOB")  # error
    metrics.Counter("counter", "JOB", "units").inc("1")  # error
    metrics.Info("info", "JOB").info_("version")  # error
    metrics.Enum("enum", "JOB")  # error
    Unfinished("handler")  # error
    StreamHandler()  # error
    StreamHandler("handler", ouput=None)  # error
    ImpProfHandler()  # error
    ImpProfHandler("handler", port="5672")  # error
    ImpProfHandler("handler", virtual_host=1)  # error
    ImpProfHandler("handler", connect="never")  # error
    StreamHandler("handler", format="xml")  # error
    ImpProfHandler("handler", no_such_argument=1)  # error
    await AsyncImpProfHandler.create("handler", port="5672")  # error
    BlockingPublisher(handler_name="handler")  # error
    print(text, length)
