"""The HTTP floor of the scorer's benchmark: the same framework, server and request, and no scoring behind it.

`POST /score` reads a `ScoreRequest` and answers a constant, `POST /score/batch` a constant for each. What our server
makes above this is the model; what it makes below is what the framework costs on these cores.
Run by `benchmarks/scorer.py` as `python benchmarks/scorer_floor.py PORT REPLY_JSON`.
"""

import sys

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response

from services.contracts import ScoreReply, ScoreRequest


def create_app(reply: ScoreReply) -> FastAPI:
    """Nothing but the route."""
    app = FastAPI()
    body = reply.model_dump_json().encode()

    @app.post("/score")
    async def score(_: ScoreRequest) -> Response:
        return Response(body, media_type="application/json")

    @app.get("/readyz")
    async def ready() -> None:
        return None

    return app


if __name__ == "__main__":
    constant = ScoreReply.model_validate_json(sys.argv[2])
    uvicorn.run(create_app(constant), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
