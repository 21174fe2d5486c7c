#!/usr/bin/env bash
# Print running, success or failed for one job, told as <its file>@<its number>.
set -euo pipefail
ended=.snakemake/generic/${1%@*}.ended

# TO EDIT: must succeed as long as a job waits or runs. LSF: bjobs -noheader "$1" | grep -qE 'PEND|RUN'
is_known() {
    qstat "$1" >/dev/null 2>&1
}

if [ ! -f "$ended" ] && is_known "${1##*@}"; then
    echo running
    exit
fi
# gone from the queue: what it wrote may still be on its way through the file system
for _ in {1..10}; do
    [ ! -f "$ended" ] || break
    sleep 0.5
done
if [ "$(cat "$ended" 2>/dev/null)" = 0 ]; then echo success; else echo failed; fi
