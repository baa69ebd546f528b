# What a developer and CI run. `make help` lists it.
GO      ?= go
NODE    ?= node
BIN     := bin/ago
STAMP   := test/node_modules/.stamp
# of each target: a time, or a number of inputs such as 500x
FUZZTIME ?= 20s

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: ## a whole local ao network
	$(GO) run ./cmd/ago dev

build: ## the binary, in bin/
	$(GO) build -o $(BIN) ./cmd/ago

deps: $(STAMP) ## the real clients and modules, from npm by their lock file
$(STAMP): test/package.json test/package-lock.json
	cd test && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

test: deps lint ## all fast tests: Go, and the real clients against a network
	$(GO) test ./...
	$(MAKE) --no-print-directory clients

clients: deps build ## the real clients (aoconnect, arbundles, wao) against a network of this binary
	AGO_BIN=$(CURDIR)/$(BIN) $(NODE) --experimental-wasm-memory64 --test --test-concurrency=1 test/clients/*.test.mjs

race: deps ## the Go tests under the race detector
	$(GO) test -race ./...

long: deps build ## the long suites: 300 kills, live comparison with the reference loader
	AGO_LONG=1 $(GO) test -timeout 60m ./...

kills: deps ## a busy network is killed 300 times; nothing may be lost or doubled
	AGO_LONG=1 $(GO) test -timeout 30m -run Kills -v ./test

replay: deps ## every recorded answer of the reference loader, of every module, against ours
	AGO_LONG=1 $(GO) test -timeout 30m -run TestReference ./vm/wasm

legacy: deps ## logs of ten thousand messages of another network: our results beside the reference loader's, and following them
	AGO_LONG=1 $(GO) test -timeout 60m -run 'ALogOfAnotherNetwork|ASlotThatDoesNotHold|ALongLogIsFollowed' -v ./test

fuzz: ## every fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do \
	  for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$($(GO) list -f '{{.Dir}}' $$p)/*_test.go 2>/dev/null | sed 's/func //'); do \
	    echo "fuzz $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
	  done; done

lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

bench: deps build ## every figure the docs claim, peers beside us in the same run
	$(NODE) bench/run.mjs

.PHONY: help dev build deps test clients race long kills replay legacy fuzz lint bench
