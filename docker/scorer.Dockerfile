# The scorer: one causal forward pass scores every step. LINEWISE_SCORER_MODELS names the checkpoints to serve.
# From the repository's root: docker build --file docker/scorer.Dockerfile --tag linewise/scorer .
# checkov:skip=CKV_DOCKER_7: the base is a build argument; its default has a tag
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv --without-pip /opt/linewise
# A layer of its own: the largest and the rarest to change. The index says for what torch is built: CPUs, unless told
# otherwise (docs/deploy.md); empty, pip's own settings decide. What torch needs comes from where all else does.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY constraints.txt ./
RUN python3 -m pip --python /opt/linewise/bin/python install --no-cache-dir --constraint constraints.txt \
      --no-deps ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch \
 && python3 -m pip --python /opt/linewise/bin/python install --no-cache-dir --constraint constraints.txt torch

COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY trainer trainer
# More of pyproject.toml, separated by commas: `otel` sends traces (docs/operate.md).
ARG EXTRAS=
RUN python3 -m pip --python /opt/linewise/bin/python install --no-cache-dir --constraint constraints.txt ".[scorer${EXTRAS:+,$EXTRAS}]"

FROM ${BASE}
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="linewise scorer" \
      org.opencontainers.image.description="Scores every step of a program with a process reward model" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# A volume that is made at /models is the trainer's to write, as in the trainer's image.
RUN groupadd --gid 10001 linewise \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin linewise \
 && install --directory --owner=10004 --group=10004 /models
COPY --from=build /opt/linewise /opt/linewise
ENV PATH=/opt/linewise/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    LINEWISE_DATA_DIR=/tmp/linewise
WORKDIR /tmp
USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
  "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8001, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["linewise", "serve", "scorer", "--host", "0.0.0.0", "--port", "8001"]
