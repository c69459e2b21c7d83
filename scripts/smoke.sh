#!/bin/sh
# Is a deployed log honest, and does its relay work? scripts/smoke.ts says more; this starts it with any Node from 20.19 on.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec node --import "$here/strip-types.mjs" "$here/smoke.ts" "$@"
