"""A FastAPI application: routes, dependencies and models, all profiled; served by the tests."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Annotated

import phanos
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

CROWD = 50
DEADLINE_S = 10.0
# Starlette's thread pool runs 40 plain functions at a time, so 50 cannot wait for one another.
TABLE = 10


@asynccontextmanager
@phanos.profile
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Runs from the server's start to its end."""
    app.state.meeting = Meeting()
    yield


app = FastAPI(title="Kitchen", lifespan=lifespan)
router = APIRouter(prefix="/shelf", tags=["shelf"])
table = threading.Barrier(TABLE)


class Meeting:
    """All requests that arrive wait for the last one, on the event loop."""

    def __init__(self) -> None:
        self.missing = CROWD
        self.complete = asyncio.Event()

    async def wait(self) -> None:
        self.missing -= 1
        if self.missing == 0:
            self.complete.set()
        await asyncio.wait_for(self.complete.wait(), DEADLINE_S)


class Heat(str, Enum):
    """A path parameter with two values."""

    low = "low"
    high = "high"


class Dish(BaseModel):
    """Body and response."""

    name: str = Field(min_length=3, examples=["soup"])
    salt: float = 0.5


class Served(BaseModel):
    """A response without the cook's secrets."""

    name: str
    heat: Heat | None = None


class Burnt(Exception):
    """What went wrong in the kitchen."""


@phanos.profile
def chop(count: int) -> int:
    if count < 0:
        raise ValueError("cannot chop fewer than none")
    return count * 2


@phanos.profile
async def simmer(count: int) -> int:
    await asyncio.sleep(0)
    return chop(count)


# --- routes ---------------------------------------------------------------------------------


@app.get("/chop/{count}", summary="Chop", operation_id="chop_route")
@phanos.profile
def chop_some(count: int, note: str | None = None) -> dict[str, int | str | None]:
    """A plain function: FastAPI runs it in a thread."""
    return {"chopped": chop(count), "note": note}


@app.get("/simmer/{count}")
@phanos.profile
async def simmer_some(
    count: int, heat: Heat = Heat.low, times: Annotated[list[int], Query(max_length=3)] = []
) -> dict[str, object]:
    """A coroutine function: FastAPI awaits it."""
    return {"simmered": [await simmer(count * time) for time in times], "heat": heat}


@app.get("/both/{count}")
@phanos.profile
async def simmer_both(count: int) -> int:
    """Two tasks under one route."""
    return sum(await asyncio.gather(simmer(count), simmer(count + 1)))


@router.post("/{place}", response_model=Served, status_code=201, response_model_exclude_unset=True)
@phanos.profile
async def put_away(place: int, dish: Dish, response: Response, request: Request) -> dict:
    """A body, a response model that drops a field, and the request itself."""
    response.headers["Location"] = f"{request.url.path}/{place}"
    return {"name": dish.name, "salt": dish.salt, "secret": "pepper"}


@app.get("/fire/{count}", responses={418: {"description": "Burnt"}})
@phanos.profile
async def fire(count: int) -> int:
    """Fails in three ways, two of which have handlers."""
    if count == 1:
        raise HTTPException(409, "on fire already")
    if count == 2:
        raise Burnt("toast")
    return await simmer(-count)


@app.exception_handler(Burnt)
@phanos.profile
async def apologise(request: Request, error: Burnt) -> JSONResponse:
    return JSONResponse({"burnt": str(error)}, 418)


# --- dependencies ---------------------------------------------------------------------------


@phanos.profile
def cook(x_cook: Annotated[str, Header()] = "anna") -> str:
    return x_cook


@phanos.profile
async def helper(name: Annotated[str, Depends(cook)], shift: int = 1) -> str:
    return f"{name}'s helper {shift}"


class Menu:
    """A dependency that is called: the decorator stands above its method."""

    @phanos.profile
    def __call__(self, course: int = 1) -> str:
        return f"course {course}"


@phanos.profile
def stove(place: int = 0) -> Iterator[str]:
    """Opened and closed in threads that need not be the same."""
    chop(place)
    try:
        yield f"stove {place}"
    finally:
        chop(0)


@phanos.profile
async def pantry() -> AsyncIterator[str]:
    """Opened before the route and closed after it."""
    await simmer(1)
    try:
        yield "pantry"
    finally:
        await simmer(0)


@app.get("/served")
@phanos.profile
async def serve_dish(
    who: Annotated[str, Depends(helper)], what: Annotated[str, Depends(Menu())]
) -> list[str]:
    return [who, what]


@app.get("/opened/{count}")
@phanos.profile
def open_kitchen(
    count: int,
    place: Annotated[str, Depends(stove)],
    store: Annotated[str, Depends(pantry)],
) -> dict[str, int | str]:
    return {"place": place, "store": store, "chopped": chop(count)}


# --- meetings -------------------------------------------------------------------------------


@app.get("/meet/{guest}")
@phanos.profile
async def meet(guest: int, request: Request) -> int:
    await request.app.state.meeting.wait()
    return await simmer(guest)


@app.get("/gather/{guest}")
@phanos.profile
async def gather(guest: int, request: Request) -> int:
    await request.app.state.meeting.wait()
    return chop(guest)


@app.get("/sit/{guest}")
@phanos.profile
def sit(guest: int) -> int:
    table.wait(DEADLINE_S)
    return chop(guest)


app.include_router(router)
