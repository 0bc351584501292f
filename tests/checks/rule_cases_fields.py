"""Cases of rules about the fields of a version: what triggers each, and its nearest innocent neighbour."""

REGIONAL = {"region": "us-central1"}
N1 = {**REGIONAL, "machineType": "n1-standard-2"}
IMAGE = "us-central1-docker.pkg.dev/p/r/i:1"


def container(d, image=IMAGE, **fields):
    return d(container={"image": image}, **{**N1, **fields})


def scaled(d, *metrics, **fields):
    return d(autoScaling={"minNodes": 1, "metrics": list(metrics)}, **fields)


def logged(d, table, share):
    return d(requestLoggingConfig={"bigqueryTableName": table, "samplingPercentage": share})


CPU, GPU = {"name": "CPU_USAGE", "target": 60}, {"name": "GPU_DUTY_CYCLE", "target": 60}
T4 = {"type": "NVIDIA_TESLA_T4", "count": 1}
CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    ("S18", "error", "runtimeVersion", lambda d: container(d, runtimeVersion="2.11"), container),
    ("S18", "error", "framework", lambda d: container(d, framework="TENSORFLOW"), lambda d: d(framework="TENSORFLOW")),
    ("S19", "error", "us-central1-docker.pkg.dev", lambda d: container(d, "gcr.io/p/i"), container),
    (
        "S19",
        "error",
        f"docker push {IMAGE}",
        lambda d: container(d, IMAGE.replace("central1", "east1")),
        lambda d: container(d, IMAGE.replace("central1", "east1"), region="us-east1"),
    ),
    ("S19", "error", "image: ", lambda d: container(d, ""), lambda d: d()),
    ("K01", "error", "--region", lambda d: container(d, region=None), container),
    ("K01", "error", "n1-standard-2", lambda d: container(d, machineType=None), container),
    (
        "K02",
        "error",
        "routes",
        lambda d: d(routes={"predict": "/p"}),
        lambda d: container(d, routes={"predict": "/p"}),
    ),
    (
        "K02",
        "warning",
        "one port",
        lambda d: d(container={"image": IMAGE, "ports": [{"containerPort": 1}, {"containerPort": 2}]}, **N1),
        lambda d: d(container={"image": IMAGE, "ports": [{"containerPort": 8080}]}, **N1),
    ),
    ("N01", "error", "metrics", lambda d: scaled(d, CPU), lambda d: scaled(d, CPU, **N1)),
    (
        "N02",
        "error",
        "CPU_USAGE",
        lambda d: scaled(d, GPU, **N1),
        lambda d: scaled(d, GPU, acceleratorConfig=T4, **N1),
    ),
    ("N02", "error", "target: 60", lambda d: scaled(d, {**CPU, "target": 101}, **N1), lambda d: scaled(d, CPU, **N1)),
    (
        "N03",
        "error",
        "maxNodes: 3",
        lambda d: d(autoScaling={"minNodes": 3, "maxNodes": 2}),
        lambda d: d(autoScaling={"minNodes": 3, "maxNodes": 3}),
    ),
    ("N03", "error", "nodes: 1", lambda d: d(manualScaling={"nodes": 0}), lambda d: d(manualScaling={"nodes": 1})),
    ("L01", "error", "PROJECT.DATASET.TABLE", lambda d: logged(d, "calls", 0.1), lambda d: logged(d, "p.d.t", 0.1)),
    ("L01", "error", "0.1", lambda d: logged(d, "p.d.t", 10), lambda d: logged(d, "p.d.t", 1)),
    ("L01", "warning", "0.1", lambda d: logged(d, "p.d.t", None), lambda d: d()),
    (
        "F03",
        "error",
        "--region",
        lambda d: d.cloud(explanationConfig={"xraiAttribution": {}}),
        lambda d: d.cloud(explanationConfig={"xraiAttribution": {}}, **REGIONAL),
    ),
    (
        "F03",
        "error",
        "keep only sampledShapley",
        lambda d: d(explanationConfig={"xraiAttribution": {}, "sampledShapleyAttribution": {}}, **REGIONAL),
        lambda d: d(explanationConfig={"sampledShapleyAttribution": {"numPaths": 5}}, **REGIONAL),
    ),
    (
        "C05",
        "warning",
        "predictionClass",
        lambda d: d(d.folder(model_bst=d.models.booster), packageUris=["gs://b/p.tar.gz"]),
        lambda d: d(packageUris=["gs://b/p.tar.gz"]),
    ),
]
