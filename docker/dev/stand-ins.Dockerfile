# Redis, PostgreSQL and Prometheus from Debian, for trying docker-compose.yml where no registry of images can be
# reached; compose.stand-ins.yml puts it in the place of theirs. From the repository's root, behind base-image.sh:
#   CONTAINERS_CONF=$PWD/docker/dev/containers.conf podman build --format docker --network=host \
#     --file docker/dev/stand-ins.Dockerfile --tag localhost/linewise/stand-in docker/dev
FROM localhost/python:3.11-slim
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends redis-server postgresql prometheus wget \
 && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 \
 && install --directory --owner=redis --group=redis /data \
 && install --directory --owner=postgres --group=postgres --mode=700 /var/lib/postgresql/data \
 && install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql \
 && install --directory --owner=nobody --group=nogroup /prometheus
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
COPY postgres-stand-in.sh /usr/local/bin/postgres-stand-in
