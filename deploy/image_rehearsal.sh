#!/usr/bin/env bash
# Builds the Dockerfile for real and tries the image, where neither docker nor a registry is: buildah builds it, on a
# Debian base that mmdebstrap makes from this machine's own apt sources. `make image-rehearsal` runs this, as root.
# What was fetched stays in .cache/image; everything else is taken away at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

BASE=debian:bookworm-slim
PYTHON=${PYTHON:-.venv/bin/python}
SOURCES=${SOURCES:-/etc/apt/sources.list.d/debian.sources}
[ -f "$SOURCES" ] || SOURCES=/etc/apt/sources.list
CACHE=$PWD/.cache/image
FORBIDDEN=(pip pip3 cc c++ gcc g++ as ld make git curl wget nc ssh)

refuse() {
    echo "image-rehearsal: $1" >&2
    exit 2
}
step() {
    echo
    echo "== $1"
}
fail() {
    echo "image-rehearsal: FAILED: $1" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || refuse "buildah needs root here: run it as root."
for tool in buildah mmdebstrap; do
    command -v "$tool" >/dev/null || refuse "$tool is missing: apt-get install buildah mmdebstrap."
done
grep -q bookworm "$SOURCES" || refuse "$SOURCES names no bookworm: give SOURCES=FILE with apt sources of Debian 12."
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    refuse "Debian 12 has Python 3.11, and wheels must be fetched by the same: give PYTHON=FILE."

mkdir -p "$CACHE"
WORK=$(mktemp -d "$CACHE/work.XXXXXX")
STORAGE=(--root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs)
PODMAN=(podman "${STORAGE[@]}" --tmpdir "$WORK/tmp" --cgroup-manager cgroupfs)
tidy() {
    buildah "${STORAGE[@]}" rm --all >/dev/null 2>&1 || true
    if command -v podman >/dev/null; then
        "${PODMAN[@]}" rm --all --force --time 0 >/dev/null 2>&1 || true
    fi
    rm -rf "$WORK"
}
trap tidy EXIT

make_base() {
    local tar=$CACHE/base.tar
    if [ -z "$(find "$tar" -mtime -7 2>/dev/null)" ]; then
        # As Debian's own slim images: /usr merged without the package that merges, and no manuals.
        mmdebstrap --quiet --variant=minbase --format=tar --include=usr-is-merged \
            --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            bookworm "$tar.new" "$SOURCES" >"$WORK/base.log" 2>&1 || {
            cat "$WORK/base.log" >&2
            fail "the base cannot be made."
        }
        mv "$tar.new" "$tar"
    fi
    local made
    made=$(buildah "${STORAGE[@]}" from scratch)
    buildah "${STORAGE[@]}" add --quiet "$made" "$tar" / >/dev/null
    buildah "${STORAGE[@]}" commit --quiet --rm "$made" "$BASE" >/dev/null
}

fetch_wheels() {
    local wanted
    wanted=$(cat requirements/distributed.txt requirements/build.txt | sha256sum)
    [ "$(cat "$CACHE/wheels/.of" 2>/dev/null)" != "$wanted" ] || return 0
    rm -rf "$CACHE/wheels"
    "$PYTHON" -m pip download -qq --disable-pip-version-check --require-hashes --only-binary :all: \
        --dest "$CACHE/wheels" --requirement requirements/distributed.txt --requirement requirements/build.txt
    echo "$wanted" >"$CACHE/wheels/.of"
}

build() {
    buildah "${STORAGE[@]}" bud --isolation chroot --pull-never --format docker --quiet \
        --volume "$CACHE/wheels:/wheels:ro" --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels \
        --build-arg BASE="$BASE" --build-arg VERSION="$VERSION" --build-arg REVISION="$REVISION" \
        --tag "sync-worker:$VERSION" . >"$WORK/build.log" 2>&1 || {
        cat "$WORK/build.log" >&2
        fail "the image cannot be built."
    }
}

look_inside() {
    local root tool found=()
    root=$(buildah "${STORAGE[@]}" mount "$CONTAINER")
    echo "size: $(buildah "${STORAGE[@]}" images --format '{{.Size}}' "sync-worker:$VERSION")," \
        "of which the base $(buildah "${STORAGE[@]}" images --format '{{.Size}}' "$BASE")"
    du -sh "$root"/opt/sync-worker "$root"/usr "$root"/var | sed "s,$root,,"
    for tool in "${FORBIDDEN[@]}"; do
        [ -z "$(find "$root"/{bin,usr/bin,usr/local/bin,opt/sync-worker/bin} -name "$tool" 2>/dev/null)" ] || found+=("$tool")
    done
    [ ${#found[@]} = 0 ] || fail "the image holds ${found[*]}."
    echo "holds none of: ${FORBIDDEN[*]}"
    [ -z "$(find "$root" -xdev -type f -perm /6000)" ] || fail "the image holds programs that change their user."
    [ -z "$(find "$root/opt" -xdev \( -user 10001 -o -perm -o+w ! -type l \) -print -quit)" ] ||
        fail "the service could change its own program."
    echo "nothing changes its user (setuid); nothing under /opt belongs to the service or is writable by all"
    buildah "${STORAGE[@]}" inspect --format \
        'user {{.Docker.Config.User}}, stop {{.Docker.Config.StopSignal}}, health {{.Docker.Config.Healthcheck.Test}}, labels {{.Docker.Config.Labels}}' \
        "$CONTAINER"
}

run_hardened() {
    local hardened=(--read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges --network none
        --pids-limit 128 --memory 512m --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --ulimit core=0:0
        --tmpfs "/tmp:rw,noexec,nosuid,nodev,size=64m")
    local runtime=()
    ! command -v runc >/dev/null || runtime=(--runtime "$(command -v runc)")
    if ! command -v podman >/dev/null ||
        ! "${PODMAN[@]}" "${runtime[@]}" run --rm "${hardened[@]}" "sync-worker:$VERSION" --version >"$WORK/podman" 2>&1; then
        echo "NOT TRIED: podman cannot run containers on this machine (apt-get install podman runc)."
        sed 's/^/  /' "$WORK/podman" 2>/dev/null || true
        return 0
    fi
    install --directory --owner 10001 --group 10001 --mode 0700 "$WORK/data"
    "${PODMAN[@]}" "${runtime[@]}" run --rm --interactive "${hardened[@]}" --volume "$WORK/data:/data" \
        --env HARDENED=1 --entrypoint python3 "sync-worker:$VERSION" - <deploy/image_trial.py
}

VERSION=$("$PYTHON" -c 'import sync_worker; print(sync_worker.__version__)')
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
step "The base, made by mmdebstrap, and the wheels, fetched by pip"
make_base
fetch_wheels
echo "$(find "$CACHE/wheels" -name '*.whl' | wc -l) wheels"
step "buildah builds the Dockerfile"
build
CONTAINER=$(buildah "${STORAGE[@]}" from --pull-never "sync-worker:$VERSION")
look_inside
step "The trial, by buildah, as the image's own user"
buildah "${STORAGE[@]}" run --isolation chroot "$CONTAINER" -- python3 - <deploy/image_trial.py
step "The trial, by podman: root read-only, no capabilities, no network"
run_hardened # without a running systemd, podman complains that it cannot ask for the health by itself
echo
echo "The image is as it should be."
