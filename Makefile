# Plain targets; nothing but Go is needed (and Debian's mirror, for images). `make help` lists them.

FUZZTIME   ?= 20s
BENCH      ?= .
BENCHCOUNT ?= 6

.PHONY: help demo images interop test lint bench fuzz schema

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

demo: ## run every scenario of the catalogue and say where the report is
	go run ./cmd/ipseclab run --force

images: ## root filesystems of real peers from Debian packages, and the agent in them; into Docker too where it answers
	go run ./cmd/ipseclab interop images

interop: ## run the interop matrix under what drivers there are; make images comes first
	go run ./cmd/ipseclab interop run --force

test: ## all tests; optional tools that are missing make theirs skip with a reason
	go test -timeout 30m ./...

lint: ## formatting, go vet, staticcheck
	@files=$$("$$(go env GOROOT)/bin/gofmt" -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted by gofmt:"; echo "$$files"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

bench: ## benchmarks, in a form that benchstat reads: BENCH=regexp BENCHCOUNT=n
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCHCOUNT) ./...

fuzz: ## each fuzz target for FUZZTIME (20s)
	@pkgs=$$(go list -buildvcs=false ./...) || exit 1; for pkg in $$pkgs; do \
		names=$$(go test -list '^Fuzz' $$pkg) || { echo "$$names"; exit 1; }; \
		for name in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "== $$pkg $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; \
	done

schema: ## write docs/schema anew from the Go types
	go test ./scenarios/spec -run Schema -update
	go test ./cmd/ipseclab -run Schema -update
