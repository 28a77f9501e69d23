# The newest Go release. go.mod names the oldest one that is supported.
NEWEST_GO   := go1.27.4
GOFUMPT     := go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# With this time for each target, and up to 16 targets, all of fuzz takes less than 8 minutes.
FUZZ_TIME   ?= 20s

# Each folder with a go.mod is a module. Users import the libraries; the others are examples, and tests
# with real parts.
MODULES   := $(sort $(dir $(wildcard go.mod */go.mod */*/go.mod)))
LIBRARIES := $(filter ./ redisstore/ otelclicknps/,$(MODULES))
# bench compiles large SDKs of others, so it is vetted and tested, without the checks below.
CHECKED   := $(filter-out bench/,$(MODULES))

.PHONY: check notice test test32 quickstart format tidy vet vet32 vetos lint race newest fuzz parts bench vulncheck

check: notice format tidy vet vet32 vetos lint race newest fuzz

notice:
	@echo "make check takes about 12 minutes on two cores. Go downloads gofumpt, staticcheck and $(NEWEST_GO) into its"
	@echo "module cache; nothing else is installed. redisstore needs a redis-server: .ci/redis installs it. make parts"
	@echo "tests the examples and what is behind real servers: .ci/run installs those."

# What the README promises. Nested modules are tested by check.
test:
	go test ./...

test32:
	GOARCH=386 go test ./...

quickstart:
	go run ./examples/quickstart

format:
	@echo "== gofumpt"; files=$$($(GOFUMPT) -l .); \
		if [ -n "$$files" ]; then echo "not formatted:"; echo "$$files"; exit 1; fi

tidy:
	@for m in $(MODULES); do echo "== go mod tidy: $$m"; (cd $$m && go mod tidy -diff) || exit 1; done

vet:
	@for m in $(MODULES); do echo "== vet: $$m"; (cd $$m && go vet ./...) || exit 1; done

# Type-checks everything for a 32-bit platform, tests included.
vet32:
	@for m in $(CHECKED); do echo "== vet, 32 bit: $$m"; (cd $$m && GOARCH=386 go vet ./...) || exit 1; done

# Type-checks everything for the other systems that users have.
vetos:
	@for os in windows darwin; do for m in $(LIBRARIES); do echo "== vet, $$os: $$m"; \
		(cd $$m && GOOS=$$os go vet ./...) || exit 1; done; done

lint:
	@for m in $(CHECKED); do echo "== staticcheck: $$m"; (cd $$m && $(STATICCHECK) ./...) || exit 1; done

# Needs the real parts that .ci/run installs.
parts:
	@for m in $(filter-out $(LIBRARIES),$(MODULES)); do echo "== test: $$m"; (cd $$m && go test ./...) || exit 1; done

race:
	@for m in $(LIBRARIES); do echo "== race: $$m"; (cd $$m && go test -race -shuffle=on ./...) || exit 1; done

newest:
	@for m in $(LIBRARIES); do echo "== $(NEWEST_GO): $$m"; \
		(cd $$m && GOTOOLCHAIN=$(NEWEST_GO) go test -shuffle=on ./...) || exit 1; done

# Lists the fuzz targets of all packages, and fuzzes one after the other, as go test requires.
fuzz:
	@list=$$(go test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '$$1 ~ /^Fuzz/ { t[n++] = $$1 } $$1 == "ok" { while (n) print $$2, t[--n] }' | \
	while read -r pkg target; do \
		echo "== fuzz: $$pkg $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 1x $$pkg </dev/null || exit 1; \
	done

bench:
	go test -run '^$$' -bench . -benchmem ./...

vulncheck:
	@for m in $(CHECKED); do echo "== govulncheck: $$m"; (cd $$m && go run golang.org/x/vuln/cmd/govulncheck@latest ./...) || exit 1; done
