"""A FastAPI application's other layers: middleware, streamed bodies, background tasks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import phanos
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

app = FastAPI()
# Behind a middleware function, and behind a middleware class.
watched = FastAPI()
gated = FastAPI()


@phanos.profile
def step(number: int) -> bytes:
    return f"{number}\n".encode()


# --- streams --------------------------------------------------------------------------------


@phanos.profile
async def flow(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        await asyncio.sleep(0)
        yield step(number)


@phanos.profile
def drip(count: int) -> Iterator[bytes]:
    """Starlette resumes a plain generator in a thread, not always the same one."""
    for number in range(count):
        yield step(number)


@phanos.profile
async def breaking(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield step(number)
    raise ConnectionError("the source ran dry")


@phanos.profile
async def overflow() -> AsyncIterator[bytes]:
    """Never ends by itself: the client goes away."""
    while True:
        await asyncio.sleep(0)
        yield step(1) * 2**14


@watched.get("/flow/{count}")
@app.get("/flow/{count}")
@phanos.profile
async def stream_flow(count: int) -> StreamingResponse:
    return StreamingResponse(flow(count), media_type="text/plain")


@app.get("/drip/{count}")
@phanos.profile
def stream_drip(count: int) -> StreamingResponse:
    return StreamingResponse(drip(count), media_type="text/plain")


@app.get("/breaking/{count}")
@phanos.profile
async def stream_breaking(count: int) -> StreamingResponse:
    return StreamingResponse(breaking(count), media_type="text/plain")


@app.get("/overflow")
@phanos.profile
async def stream_overflow() -> StreamingResponse:
    return StreamingResponse(overflow(), media_type="text/plain")


# --- background tasks -----------------------------------------------------------------------


@phanos.profile
async def send_letter(number: int) -> None:
    await asyncio.sleep(0)
    step(number)


@phanos.profile
def count_letter(number: int) -> None:
    step(number)


@phanos.profile
def lose_letter(number: int) -> None:
    raise OSError(f"letter {number} is lost")


@watched.get("/letters/{number}")
@app.get("/letters/{number}")
@phanos.profile
async def write_letter(number: int, tasks: BackgroundTasks, lose: bool = False) -> int:
    tasks.add_task(send_letter, number)
    tasks.add_task(count_letter, number=number)
    if lose:
        tasks.add_task(lose_letter, number)
    return number


# --- middleware -----------------------------------------------------------------------------


@watched.middleware("http")
@phanos.profile
async def watch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Starlette runs what lies below in a task of its own."""
    step(0)
    response = await call_next(request)
    response.headers["X-Watched"] = "yes"
    return response


class Gate:
    """Middleware without a framework: an application around an application."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner

    @phanos.profile
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        step(0)
        await self.inner(scope, receive, send)


@gated.get("/passed/{number}")
@watched.get("/passed/{number}")
@phanos.profile
def passed(number: int) -> int:
    """Runs in a thread, below the middleware."""
    if number < 0:
        raise ValueError("not this way")
    return len(step(number))


app.mount("/watched", watched)
app.mount("/gated", Gate(gated))
