#!/usr/bin/env bash
# Measures a fleet with Slurm: every node of the job measures one shard of the rows into a store of its own, and the last task
# makes one report of all stores. Run it from the directory of the repository, which the nodes share:
#
#   sbatch --nodes=8 examples/slurm/bench_fleet.sh --model all --small-model --hardware cpu --precision float32,bfloat16
#
# What follows the script's name is given to `silica bench`. With nodes of one kind the shards together are one measurement;
# with several kinds, give each kind a job of its own, without shards: SHARDS=no sbatch ... (then every node measures all rows).
#
# SILICA    the program; default build/release/silica, built beforehand (./run --families all --every-command devices)
# STORES    where the stores and the report go, on a file system that all nodes share; default silica-runs-<job>
# SHARDS    "no": every node measures every row
#SBATCH --job-name=silica-bench
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --output=silica-bench-%j.log
set -euo pipefail

silica=$(realpath "${SILICA:-build/release/silica}")
stores=${STORES:-silica-runs-${SLURM_JOB_ID:?this script is for sbatch}}

if [ ! -x "$silica" ]; then
    echo "bench_fleet: there is no program $silica. What to do: ./run --families all --every-command devices, or set SILICA." >&2
    exit 2
fi
# Before anything is measured: the report comes last.
if ! "$silica" report --help >/dev/null; then
    echo "bench_fleet: $silica makes no report. What to do: ./run --families all --every-command devices." >&2
    exit 2
fi
if [ $# = 0 ]; then
    echo "bench_fleet: what is to be measured? What to do: add the flags of silica bench, for example --model all." >&2
    exit 2
fi

mkdir -p "$stores"
stores=$(realpath "$stores")

# A task for each node. SLURM_PROCID counts them from 0; shards are counted from 1.
# A store is one file that one node writes: SQLite's locks are not safe on every shared file system.
export SILICA_FLEET_PROGRAM=$silica SILICA_FLEET_STORES=$stores SILICA_FLEET_SHARDS=${SHARDS:-yes}
export SILICA_FLEET_RUN=slurm-$SLURM_JOB_ID
# shellcheck disable=SC2016  # expanded on the nodes
measure='
    store=$SILICA_FLEET_STORES/$(hostname -s)-$SLURM_PROCID.sqlite
    shard=()
    [ "$SILICA_FLEET_SHARDS" = no ] || shard=(--shard "$((SLURM_PROCID + 1))/$SLURM_NTASKS")
    "$SILICA_FLEET_PROGRAM" doctor >"${store%.sqlite}.doctor.txt" || true
    exec "$SILICA_FLEET_PROGRAM" bench "$@" "${shard[@]}" --store "$store" --name "$SILICA_FLEET_RUN"
'
# A node that fails leaves its rows out of the report; the others go on.
status=0
srun --kill-on-bad-exit=0 bash -c "$measure" measure "$@" || status=$?

shopt -s nullglob
files=("$stores"/*.sqlite)
if [ ${#files[@]} = 0 ]; then
    echo "bench_fleet: no node left a store in $stores; the log above says why." >&2
    exit 1
fi
arguments=()
for file in "${files[@]}"; do arguments+=(--store "$file"); done
"$silica" report "$SILICA_FLEET_RUN" "${arguments[@]}" --output html --to "$stores/report.html"
echo "bench_fleet: ${#files[@]} stores and report.html are in $stores"
exit "$status"
