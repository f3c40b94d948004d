# The executor: judges programs. No torch, no database, no answers to read.
# From the repository's root: docker build --file docker/executor.Dockerfile --tag linewise/executor .
# checkov:skip=CKV_DOCKER_7: the base is a build argument; its default has a tag
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv --without-pip /opt/linewise
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY services services
COPY trainer trainer
# The sets of problems hold the answers, and in this image run programs that would like to read them.
RUN rm -r trainer/problems/data
# More of pyproject.toml, separated by commas: `otel` sends traces (docs/operate.md).
ARG EXTRAS=
RUN python3 -m pip --python /opt/linewise/bin/python install --no-cache-dir --constraint constraints.txt ".[executor${EXTRAS:+,$EXTRAS}]"

FROM ${BASE}
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="linewise executor" \
      org.opencontainers.image.description="Judges programs against their tests, each in a process of its own" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# A user whom no other image has: the kernel counts a user's processes over all containers, and programs are held to a count.
RUN groupadd --gid 10002 linewise \
 && useradd --uid 10002 --gid 10002 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin linewise
COPY --from=build /opt/linewise /opt/linewise
ENV PATH=/opt/linewise/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LINEWISE_DATA_DIR=/tmp/linewise
WORKDIR /tmp
USER 10002:10002
EXPOSE 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
  "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8002, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["linewise", "serve", "executor", "--host", "0.0.0.0", "--port", "8002"]
