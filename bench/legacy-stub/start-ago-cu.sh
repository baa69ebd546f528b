#!/bin/bash
# starts our compute unit for bench-cu.mjs: AGO_BIN is the binary, AGO_CACHE its folder of compiled modules
exec "${AGO_BIN:?path of the ago binary}" cu --port "$PORT" --gateway-url "$GATEWAY_URL" --data "$WORK/data" --cache "${AGO_CACHE:-$WORK/cache}" ${AGO_CU_FLAGS:-}
