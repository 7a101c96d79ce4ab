# make demo    try Canopy in a browser
# make test    prove it: everything, against real servers and clients
# make lint    vet, staticcheck, and the rules of the house
# make bench   figures, as ratios within one run
# make fuzz    every parser, FUZZTIME each (10m)
# make soak    what takes longer than a test should

GO         ?= go
STATICCHECK = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME   ?= 10m
TESTTIME   ?= 18m

.PHONY: demo test lint bench fuzz soak parts generate

demo:
	$(GO) run ./cmd/canopy demo

# What the tests run against comes from Debian: on a machine where it is
# missing it is installed, or named if that is not possible.
parts:
	@.ci/parts

test: parts lint
	$(GO) test -race -timeout $(TESTTIME) ./...

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'lint: gofmt would change these files'; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) run ./cmd/lint

bench: parts
	$(GO) run ./cmd/bench

fuzz:
	$(GO) run ./cmd/lint -fuzz | while read -r package target; do \
		echo "$$package $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

soak: parts
	$(GO) test -timeout 2h -run TestMixture ./federator/write -mixtures 3000
	$(GO) test -timeout 2h -tags soak -v ./cmd/canopy/soak

generate:
	$(GO) generate ./...
