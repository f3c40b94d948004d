# The trainer: a job that ends, not a server. Runs go to the volume /runs, a PRM to /models, which the scorer reads.
# From the repository's root: docker build --file docker/trainer.Dockerfile --tag linewise/trainer .
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
RUN python3 -m pip --python /opt/linewise/bin/python install --no-cache-dir --constraint constraints.txt ".[trainer${EXTRAS:+,$EXTRAS}]"

FROM ${BASE}
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="linewise trainer" \
      org.opencontainers.image.description="Trains PRMs and policies, PPO rewarded over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
RUN groupadd --gid 10004 linewise \
 && useradd --uid 10004 --gid 10004 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin linewise \
 && install --directory --owner=10004 --group=10004 /runs /models
COPY --from=build /opt/linewise /opt/linewise
ENV PATH=/opt/linewise/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 10004:10004
HEALTHCHECK NONE
ENTRYPOINT ["linewise"]
CMD ["train", "--help"]
