# sync-worker in a container: Debian's Python, our wheel and what it needs, nothing to build with.
#
#   make image                                      # with docker or podman
#   make image BASE=debian:bookworm-slim@sha256:…   # what a release should say: the digest of a base that you tested
#
# `docker buildx imagetools inspect debian:bookworm-slim`, or `podman image inspect --format '{{.Digest}}'` after a pull,
# shows today's digest. How the image is run hardened: deploy/compose.yaml, deploy/podman/, deploy/systemd/.
ARG BASE=debian:bookworm-slim

# ---------------------------------------------------------------- build: thrown away afterwards
FROM ${BASE} AS build
# Debian keeps only the newest fix of a package: a pinned version fails to install on the day that a fix replaces it.
# hadolint ignore=DL3008,DL3009
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-venv
RUN python3 -m venv /tools && python3 -m venv --without-pip /opt/sync-worker
# Where no index can be reached, wheels come from a folder:
#   --volume /path/of/wheels:/wheels:ro --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels   (buildah, podman)
# pip reads both from its environment, and passes over empty ones.
ARG PIP_NO_INDEX=""
ARG PIP_FIND_LINKS=""
WORKDIR /source
# With what SYNC_ENGINE=procrastinate needs: a few small packages that nothing loads otherwise, and one image for both.
COPY requirements/distributed.txt requirements/build.txt requirements/
RUN /tools/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements/build.txt \
 && /tools/bin/pip --python /opt/sync-worker/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
      --requirement requirements/distributed.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY sync_worker sync_worker
# The label must not lie: a version that is given is the wheel's own.
ARG VERSION=unknown
RUN /tools/bin/pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /wheel . \
 && /tools/bin/pip --python /opt/sync-worker/bin/python install --no-cache-dir --no-index --no-deps /wheel/*.whl \
 && { test "${VERSION}" = unknown || test "${VERSION}" = "$(/opt/sync-worker/bin/sync-worker --version)"; }

# ---------------------------------------------------------------- what runs
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/*.log \
 && groupadd --gid 10001 sync-worker \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sync-worker \
 && install --directory --owner 10001 --group 10001 --mode 0700 /data \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=build /opt/sync-worker /opt/sync-worker

# The page listens beyond the container, so that a proxy can reach it: SYNC_WEB_BASE_URL must be set, or `run` refuses.
# No other setting stands here: one of the image would win over the same one's file (DATABASE_URL over DATABASE_URL_FILE).
ENV PATH=/opt/sync-worker/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SYNC_WEB_BIND=0.0.0.0:8080
# The ledger's usual place is data/sync_worker.db: from here that is the volume.
WORKDIR /
VOLUME ["/data"]
EXPOSE 8080
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["sync-worker", "health"]
ENTRYPOINT ["sync-worker"]
CMD ["run"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sync-worker" \
      org.opencontainers.image.description="Files Heidi's documents as draft treatment notes in Cliniko, once each." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
