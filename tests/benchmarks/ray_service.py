"""`python ray_service.py MODEL_DIR PORT`: Ray Serve with two replicas of a model."""

import signal
import sys

import joblib
import ray
from ray import serve


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.5})
class Predict:
    def __init__(self, folder: str) -> None:
        self.model = joblib.load(f"{folder}/model.joblib")

    async def __call__(self, request):
        return {"predictions": self.model.predict((await request.json())["instances"]).tolist()}


ray.init(include_dashboard=False, configure_logging=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
serve.run(Predict.bind(sys.argv[1]), route_prefix="/predict")
try:
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
finally:
    serve.shutdown()
    ray.shutdown()
