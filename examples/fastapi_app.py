"""Profile a FastAPI application: routes, dependencies and a background task.

Try it:

    python examples/fastapi_app.py
    curl http://127.0.0.1:8000/stock/apple
    curl http://127.0.0.1:8000/stock/kiwi        (fails: error_raised=True)
"""

import asyncio
import os
from typing import Annotated

import phanos
import uvicorn
from fastapi import BackgroundTasks, Depends, FastAPI
from phanos.handlers import StreamHandler

app = FastAPI()
STOCK = {"apple": 12, "pear": 5}

# async_config takes synchronous handlers, like this one, and asynchronous ones.
phanos.profiler.async_config(job="stock", error_raised_label=True)
phanos.profiler.add_handler(StreamHandler("stdout"))


@phanos.profile
def language(accept: str = "en") -> str:
    return accept


@phanos.profile
async def count(fruit: str) -> int:
    await asyncio.sleep(0)
    return STOCK[fruit]


@phanos.profile
def note_question(fruit: str) -> None:
    STOCK[fruit] -= 1


@app.get("/stock/{fruit}")
@phanos.profile
async def stock(
    fruit: str, accept: Annotated[str, Depends(language)], tasks: BackgroundTasks
) -> dict[str, str | int]:
    tasks.add_task(note_question, fruit)
    return {"fruit": fruit, "count": await count(fruit), "language": accept}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
