"""An asyncio weather service, profiled by a profiler of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from phanos.publisher import Profiler

app = FastAPI()
profiler = Profiler()


@profiler.profile
async def measure(sensor: str, city: str) -> int:
    """Ask a sensor; the sleep is the way to it and back."""
    await asyncio.sleep(0.002)
    return len(sensor) + len(city)


@profiler.profile
async def temperature(city: str) -> int:
    """Average of two sensors that are asked at the same time."""
    north, south = await asyncio.gather(measure("north", city), measure("south", city))
    return (north + south) // 2


@profiler.profile
async def wind(city: str) -> int:
    """One sensor, which is slow."""
    await asyncio.sleep(0.003)
    return await measure("mast", city)


@app.get("/forecast/{city}")
@profiler.profile
async def forecast(city: str) -> dict[str, int]:
    """Two tasks side by side; each keeps its own place in the call tree."""
    degrees, speed = await asyncio.gather(temperature(city), wind(city))
    return {"degrees": degrees, "speed": speed}


@profiler.profile
async def diary(days: int) -> AsyncIterator[str]:
    """A streamed body: one record, from the first line to the last."""
    for day in range(days):
        yield f"day {day}: {await measure('roof', 'here')} degrees\n"


@app.get("/diary/{days}")
@profiler.profile
def read_diary(days: int) -> StreamingResponse:
    """Answer line by line; a plain function, which FastAPI runs in a thread."""
    return StreamingResponse(diary(days), media_type="text/plain")
