"""`python plain_app.py MODEL_DIR PORT`: the least that serves a model, in the process of the server itself."""

import sys

import joblib
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

model = joblib.load(f"{sys.argv[1]}/model.joblib")


async def predict(request: Request) -> JSONResponse:
    instances = (await request.json())["instances"]
    return JSONResponse({"predictions": model.predict(instances).tolist()})


path = "/v1/projects/{project}/models/{model}/versions/{version}:predict"
app = Starlette(routes=[Route(path, predict, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
