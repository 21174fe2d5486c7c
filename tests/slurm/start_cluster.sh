#!/usr/bin/env bash
# Run a command inside a temporary Slurm, which always ends with the command and leaves nothing
# behind.
#
#     tests/slurm/start_cluster.sh .venv/bin/python -m pytest -m slurm tests/slurm
# Daemons, jobs and /etc/slurm are in separate process and mount namespaces. The script needs root, and
# Debian's slurm-wlm and munge, which it installs with apt-get if possible. If one of these is missing,
# it prints a message and succeeds, because not every machine has them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

did_not_run() {
    printf '\n%s\neyechart: the Slurm tests DID NOT RUN: %s\n%s\n\n' "$line" "$1" "$line" >&2
    exit 0
}

line=$(printf '=%.0s' {1..100})
programs=(munged slurmctld slurmd sbatch srun squeue scancel scontrol)

have_programs() {
    command -v "${programs[@]}" >/dev/null
}

install_programs() {
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge
}

# Start the daemons; the namespaces contain nothing else.
start() {
    mkdir -p "$folder/state" "$folder/etc" /etc/slurm
    local ports=$((20000 + RANDOM % 20000))
    sed -e "s|@FOLDER@|$folder|g" -e "s|@PORT0@|$ports|" -e "s|@PORT1@|$((ports + 1))|" \
        -e "s|@PORT2@|$((ports + 2))|" "$here/slurm.conf" >"$folder/etc/slurm.conf"
    # any two devices work, because Slurm only counts GPUs
    printf "NodeName=g1 Name=gpu File=/dev/%s\n" null zero >"$folder/etc/gres.conf"
    # not SLURM_CONF, because the step inside a job only reads /etc/slurm
    mount --bind "$folder/etc" /etc/slurm
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
        --seed-file="$folder/munged.seed"
    slurmctld -D >"$folder/slurmctld.log" 2>&1 </dev/null &
    for node in c1 g1; do
        mkdir "$folder/spool.$node"
        slurmd -D -N "$node" >"$folder/slurmd.$node.log" 2>&1 </dev/null &
    done
    until [ "$(timeout 5 sinfo -h -o %T 2>/dev/null | sort -u)" = idle ]; do
        if [ "$SECONDS" -gt 30 ]; then
            tail -n 5 "$folder"/*.log >&2
            echo "eyechart: error: Slurm did not start within 30 s" >&2
            exit 1
        fi
        sleep 0.2
    done
    echo "Slurm is up: $(sinfo -h -o '%P %N %c CPUs %m MB' | tr '\n' ';')" >&2
}

if [ "${1:-}" = --inside ]; then
    folder=$2
    shift 2
    start
    status=0
    "$@" || status=$?
    exit "$status" # all processes of the namespace end with this one, the first
fi

[ "$(id -u)" = 0 ] || did_not_run "starting a Slurm needs root"
unshare --mount --pid --fork true 2>/dev/null || did_not_run "no namespaces may be made here"
have_programs || ! command -v apt-get >/dev/null || install_programs >/dev/null || true
have_programs || did_not_run "slurm-wlm and munge are not installed, and could not be"
folder=$(mktemp -d -t eyechart-slurm.XXXXXX)
chmod 755 "$folder" # munge needs an accessible socket
trap 'rm -rf "$folder"' EXIT
unshare --mount --pid --fork --kill-child --mount-proc "$here/start_cluster.sh" --inside "$folder" "$@"
