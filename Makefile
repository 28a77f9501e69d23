# The newest Go release; go.mod names the oldest that is supported.
NEWEST_GO   := go1.27.4
GOFUMPT     := go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZ_TIME   ?= 20s

# Every module in this repository has a go.mod.
MODULES := $(sort $(dir $(wildcard go.mod */go.mod */*/go.mod)))

.PHONY: check race vet format lint newest fuzz bench

check: format vet lint race newest fuzz

race:
	@for m in $(MODULES); do echo "== race: $$m"; (cd $$m && go test -race ./...) || exit 1; done

vet:
	@for m in $(MODULES); do echo "== vet: $$m"; (cd $$m && go vet ./...) || exit 1; done

format:
	@echo "== gofumpt"; files=$$($(GOFUMPT) -l .); if [ -n "$$files" ]; then echo "not formatted:"; echo "$$files"; exit 1; fi

lint:
	@for m in $(MODULES); do echo "== staticcheck: $$m"; (cd $$m && $(STATICCHECK) ./...) || exit 1; done

newest:
	@for m in $(MODULES); do echo "== $(NEWEST_GO): $$m"; (cd $$m && GOTOOLCHAIN=$(NEWEST_GO) go test ./...) || exit 1; done

# go test fuzzes one target at a time.
fuzz:
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "== fuzz: $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x $$pkg || exit 1; \
		done; \
	done

bench:
	go test -run '^$$' -bench . -benchmem ./...
