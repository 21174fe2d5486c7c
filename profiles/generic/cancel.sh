#!/usr/bin/env bash
# Cancel jobs, each given as <its file>@<its number>.
set -euo pipefail
for job in "$@"; do
    qdel "${job##*@}" || true # TO EDIT; LSF: bkill
done
