#!/usr/bin/env bash
# Print running, success or failed for one job, given as <its file>@<its number>.
set -euo pipefail
ended=.snakemake/generic/${1%@*}.ended

# TO EDIT: must succeed while the job is pending or running. For LSF:
#   bjobs -noheader "$1" | grep -qE 'PEND|RUN'
is_known() {
    qstat "$1" >/dev/null 2>&1
}

if [ ! -f "$ended" ] && is_known "${1##*@}"; then
    echo running
    exit
fi
# the job has left the queue, but a shared file system may show its last file with a delay
for _ in {1..10}; do
    [ ! -f "$ended" ] || break
    sleep 0.5
done
if [ "$(cat "$ended" 2>/dev/null)" = 0 ]; then echo success; else echo failed; fi
