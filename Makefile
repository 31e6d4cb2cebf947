# One Makefile, no recursion.
#
#   make            build/bin/{parzend,parzen-worker,parzen}
#   make demo       set up, build, run a small study to its end
#   make test       set up, then lint, unit, golden, simulator, end-to-end, page
#   make test SAN=address,undefined      the same with sanitizers
#   make bench      Parzen and its peers side by side (make bench-peers gets them)
#   make lint fuzz bench-tools install clean
#
# Each folder of C becomes one static library; a program is its main.o and the
# libraries of the floors below it (README.md draws the house).

B      ?= $(if $(SAN),build/san,build)
CC     := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
PREFIX ?= /usr/local

VERSION  := 0.1.0

WARN   := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
          -Wpointer-arith -Wwrite-strings -Werror
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
OPT    := $(if $(SAN),-O1 -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer,-O2)
# Bits hang on it: where a product and a sum are one operation, the code says so.
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE $(WARN) $(OPT) -g $(HARDEN) -iquote . $(CFLAGS) -ffp-contract=off
LDFLAGS_ALL := $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now $(LDFLAGS)

# Checkpoints, caches and the worker's HELLO name their build: what was made by
# other code is never taken for our own. What decides bits is digested, from the
# files as they are: a tarball has the id that its commit has.
DECIDES_BITS := Makefile $(shell find core worker -name '*.[ch]' -o -name '*.inc' | LC_ALL=C sort)
BUILD_ID := $(VERSION)+$(shell { sha256sum $(DECIDES_BITS); $(CC) --version 2>/dev/null; echo '$(CFLAGS_ALL)'; } \
              | sha256sum | cut -c 1-12)
.PHONY: build-id
build-id:
	@echo '$(BUILD_ID)'
# Written when it changes, so that nothing is made anew when it does not.
$(B)/build-id: FORCE
	@mkdir -p $(@D)
	@echo '$(BUILD_ID)' | cmp -s - $@ || echo '$(BUILD_ID)' >$@
.PHONY: FORCE
FORCE:
$(B)/obj/core/base/build.o: $(B)/build-id
$(B)/obj/core/base/build.o: CFLAGS_ALL += -DPARZEN_BUILD='"$(BUILD_ID)"'

# --- libraries: one per folder, lowest floor last ---------------------------
ROOMS := core/base core/spec core/wire core/data core/text core/nn core/train \
         daemon daemon/search daemon/http daemon/cli worker
MAINS := daemon/main.c daemon/cli/main.c worker/main.c
lib    = $(B)/lib/lib$(subst /,-,$(1)).a
libs   = $(foreach r,$(1),$(call lib,$(r)))

DAEMON_ROOMS := daemon/http daemon daemon/search core/wire core/spec core/base
WORKER_ROOMS := worker core/train core/data core/text core/nn core/wire core/spec core/base
CLI_ROOMS    := daemon/cli core/train core/data core/text core/nn core/wire core/spec core/base

BASE_LIBS   := -lcjson -lcrypto -lm
CORE_LIBS   := -lopenblas -lpcre2-8 -lcurl -luv $(BASE_LIBS)
DAEMON_LIBS := -luv -lsqlite3 -lmicrohttpd $(BASE_LIBS)

.PHONY: all
all: programs
.PHONY: programs
programs: $(B)/bin/parzend $(B)/bin/parzen-worker $(B)/bin/parzen

SOURCES := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
# Kernels compiled for one instruction set exist only on its architecture.
ARCH := $(shell uname -m)
ifneq ($(ARCH),x86_64)
SOURCES := $(filter-out %_avx2.c %_avx512.c %_avx512bf16.c,$(SOURCES))
endif

define ROOM_RULE
$(call lib,$(1)): $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(MAINS),$(filter $(1)/%,$(foreach s,$(SOURCES),$(if $(filter $(1)/,$(dir $(s))),$(s))))))
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM_RULE,$(r))))

$(B)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $(filter %.o,$^)

# Conversions are errors where sizes come from outside.
STRICT_ROOMS := core/base core/spec core/wire daemon
strict = $(if $(filter $(addsuffix /%,$(STRICT_ROOMS)),$(1)),-Wconversion -Wno-sign-conversion)

# Loops over all trials, for each suggestion: as vectors.
$(B)/obj/daemon/search/%.o: CFLAGS_ALL += $(if $(SAN),,-O3)
$(B)/obj/%_avx2.o: ISA := -mavx2 -mfma
$(B)/obj/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
$(B)/obj/%_avx512bf16.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(call strict,$<) $(ISA) -MMD -MP -c -o $@ $<

# The database schema is embedded (.incbin).
$(B)/obj/daemon/store_schema.o: $(wildcard schema/*.sql)

link = @mkdir -p $(@D); set -x; $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(B)/bin/parzend: $(B)/obj/daemon/main.o $(call libs,$(DAEMON_ROOMS))
	$(link) $(DAEMON_LIBS)
$(B)/bin/parzen-worker: $(B)/obj/worker/main.o $(call libs,$(WORKER_ROOMS))
	$(link) $(CORE_LIBS)
$(B)/bin/parzen: $(B)/obj/daemon/cli/main.o $(call libs,$(CLI_ROOMS))
	$(link) $(CORE_LIBS)

# --- tests: tests/**/test_X.c is one program each -----------------------------
TEST_SOURCES := $(sort $(shell find tests -name 'test_*.c' -not -path 'tests/lib/*'))
TEST_BINS    := $(patsubst %.c,$(B)/%,$(TEST_SOURCES))
TEST_LIB_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/lib/*.c))
ALL_LIBS     := $(call libs,daemon/cli daemon/http daemon daemon/search worker core/train core/data core/text core/nn core/wire core/spec core/base)

$(B)/tests/sim/test_sim: $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/sim/sim*.c))
$(B)/tests/%: $(B)/obj/tests/%.o $(TEST_LIB_OBJ) $(ALL_LIBS)
	$(link) -lcheck -lsubunit -lrt -lpthread $(DAEMON_LIBS) $(CORE_LIBS)

# --- bench tools: tests/bench/X.c -> build/bench/X -----------------------------
BENCH_SOURCES := $(wildcard tests/bench/*.c)
BENCH_NAMES   := $(subst _,-,$(patsubst tests/bench/%.c,%,$(BENCH_SOURCES)))
# What tests and bench tools share, as an archive: a tool takes what it names.
$(call lib,tests/lib): $(filter-out %/test_main.o,$(TEST_LIB_OBJ))
.PHONY: bench-tools
bench-tools: $(addprefix $(B)/bench/,$(BENCH_NAMES))
define BENCH_RULE
$(B)/bench/$(subst _,-,$(1)): $(B)/obj/tests/bench/$(1).o $(call lib,tests/lib) $(ALL_LIBS)
	$$(link) $(DAEMON_LIBS) $(CORE_LIBS)
endef
$(foreach s,$(BENCH_SOURCES),$(eval $(call BENCH_RULE,$(patsubst tests/bench/%.c,%,$(s)))))

# --- the page: embedded in parzend ------------------------------------------
PAGE := $(sort $(wildcard web/*.html web/*.js web/*.css web/*.svg))
$(B)/obj/daemon/http/assets.o: $(PAGE) build/web/echarts.min.js

# npm checks the lock's hash of every package.
build/web/echarts.min.js: web/package-lock.json
	@mkdir -p build/npm build/web
	cp web/package.json web/package-lock.json build/npm/
	cd build/npm && npm ci --ignore-scripts --omit=dev --no-audit --no-fund
	cp build/npm/node_modules/echarts/LICENSE build/web/echarts.LICENSE
	cp build/npm/node_modules/echarts/NOTICE build/web/echarts.NOTICE
	cp build/npm/node_modules/echarts/dist/echarts.min.js $@

$(B)/obj/daemon/store%.o: $(wildcard schema/*.sql)

# --- set-up: what is missing is installed, on Debian -------------------------
DEB_BUILD := gcc libc6-dev make pkg-config npm libuv1-dev libsqlite3-dev libmicrohttpd-dev \
             libopenblas-pthread-dev libcjson-dev libcurl4-openssl-dev libssl-dev libpcre2-dev
DEB_TEST  := $(DEB_BUILD) git check clang-format-14 sqlite3 curl chromium procps
DEB_PEERS := python3-torch python3-optuna python3-sklearn nodejs npm protobuf-c-compiler libprotobuf-c-dev
PKG_CONFIG_NAMES := libuv sqlite3 libmicrohttpd openblas libcjson libcurl libcrypto libpcre2-8

# $(call install,PACKAGES): through sudo when not root; elsewhere than on
# Debian it says which libraries are wanted, and goes on if they are there.
define install
	@missing=; \
	if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then \
	    for p in $(1); do \
	        dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	    done; \
	    if command -v node >/dev/null && command -v npm >/dev/null; then \
	        missing=$$(echo " $$missing " | sed 's/ npm / /; s/ nodejs / /'); \
	    fi; \
	    [ -z "$$(echo $$missing)" ] && exit 0; \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	    echo "installing:$$missing"; \
	    $$sudo apt-get update -qq && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
	    pkg-config --exists $(PKG_CONFIG_NAMES) && command -v npm >/dev/null && exit 0; \
	    echo "This is no Debian: please install a C compiler, pkg-config, npm and the development files of" >&2; \
	    echo "libuv, SQLite 3, libmicrohttpd, OpenBLAS, cJSON, libcurl, OpenSSL and PCRE2; for the tests also" >&2; \
	    echo "check, clang-format 14, sqlite3, curl and Chromium." >&2; \
	    exit 1; \
	fi
endef

.PHONY: setup setup-test
setup:
	$(call install,$(DEB_BUILD))
setup-test:
	$(call install,$(DEB_TEST))

# --- the two commands of the README -------------------------------------------
# As many jobs as there are processors, unless make was told already.
PARALLEL = --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
.PHONY: demo test
demo: setup
	@$(MAKE) $(PARALLEL) programs
	@configs/demo.sh $(B)/bin

test: setup-test
	@$(MAKE) --no-print-directory test-all

.PHONY: test-all test-programs test-unit test-e2e test-page test-install lint
test-all:
	@$(MAKE) $(PARALLEL) lint programs bench-tools test-fuzz quick-data $(TEST_BINS)
	@$(MAKE) --no-print-directory test-programs
	@$(MAKE) --no-print-directory test-page
	@$(MAKE) --no-print-directory test-install

E2E_BINS  := $(filter $(B)/tests/e2e/%,$(TEST_BINS))
UNIT_BINS := $(filter-out $(E2E_BINS),$(TEST_BINS))
# Bit-equality is promised for one BLAS kernel: tests that compare bits pin it.
# A slow machine must not decide a test: the timeouts only end what hangs.
RUN_TESTS := CK_TIMEOUT_MULTIPLIER=10 OPENBLAS_NUM_THREADS=1 PARZEN_BIN=$(B)/bin tests/lib/run_tests.sh

# The longest first: the simulator, then what waits for daemons.
LONG_BINS := $(B)/tests/sim/test_sim $(E2E_BINS)
test-programs: programs $(TEST_BINS)
	@$(RUN_TESTS) $(LONG_BINS) $(filter-out $(LONG_BINS),$(TEST_BINS))
test-unit: $(UNIT_BINS)
	@$(RUN_TESTS) $(UNIT_BINS)
test-e2e: programs $(E2E_BINS)
	@$(RUN_TESTS) $(E2E_BINS)
test-page: programs
	@PARZEN_BIN=$(B)/bin tests/browser/run.sh
# What is installed runs from where it was put.
test-install: programs
	@$(MAKE) -s install PREFIX=/x DESTDIR=$(B)/installed
	@test -x $(B)/installed/x/bin/parzend
	@grep -qx 'ExecStart=/x/bin/parzend' $(B)/installed/x/share/parzen/parzend.service

lint:
	@CC=$(CC) tests/lint/lint.sh

# --- fuzzing: libFuzzer when clang is there; the corpus is replayed in `test` ---
FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_NAMES   := $(patsubst tests/fuzz/%.c,%,$(FUZZ_SOURCES))
FUZZ_SECONDS ?= 15
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o $(ALL_LIBS)
	$(link) $(DAEMON_LIBS) $(CORE_LIBS)
.PHONY: test-fuzz fuzz
test-fuzz: $(addprefix $(B)/fuzz/,$(FUZZ_NAMES))
	@for f in $(FUZZ_NAMES); do $(B)/fuzz/$$f tests/fuzz/corpus/$$f || exit 1; done
# Coverage-guided, FUZZ_SECONDS for each target; finds go to build/fuzz-finds.
fuzz:
	@$(MAKE) --no-print-directory B=build/fuzz CC=clang-14 \
	    CFLAGS='-fsanitize=fuzzer-no-link,address,undefined -O1 -Wno-unknown-warning-option -gdwarf-4' \
	    LDFLAGS='-fsanitize=address,undefined' fuzz-run
FUZZERS := $(addprefix $(B)/libfuzzer/,$(FUZZ_NAMES))
$(B)/libfuzzer/%: $(B)/obj/tests/fuzz/%.o $(ALL_LIBS)
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer,address,undefined -pie -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(DAEMON_LIBS) $(CORE_LIBS)
.PHONY: fuzz-run
fuzz-run: $(FUZZERS)
	@mkdir -p build/fuzz-finds
	@for f in $(FUZZ_NAMES); do \
	    mkdir -p build/fuzz-corpus/$$f; \
	    $(B)/libfuzzer/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 \
	        -artifact_prefix=build/fuzz-finds/$$f- build/fuzz-corpus/$$f tests/fuzz/corpus/$$f || exit 1; \
	done

# --- figures, side by side with the peers that are there ------------------------
.PHONY: bench bench-peers
bench: setup
	@$(MAKE) $(PARALLEL) programs bench-tools
	@B=$(B) tests/bench/run.sh
bench-peers:
	$(call install,$(DEB_PEERS))
	@mkdir -p $(B)/bench/npm
	cp tests/bench/package.json tests/bench/package-lock.json $(B)/bench/npm/
	cd $(B)/bench/npm && npm ci --ignore-scripts --no-audit --no-fund

# --- install ------------------------------------------------------------------------
.PHONY: install uninstall
install: programs
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/parzen
	install -m 755 $(B)/bin/parzend $(B)/bin/parzen-worker $(B)/bin/parzen $(DESTDIR)$(PREFIX)/bin
	install -m 644 configs/*.json configs/*.jsonl schema/study.schema.json LICENSE \
	    build/web/echarts.LICENSE build/web/echarts.NOTICE $(DESTDIR)$(PREFIX)/share/parzen
	sed 's|^ExecStart=/usr/local/|ExecStart=$(PREFIX)/|' configs/parzend.service \
	    > $(DESTDIR)$(PREFIX)/share/parzen/parzend.service
	chmod 644 $(DESTDIR)$(PREFIX)/share/parzen/parzend.service
uninstall:
	cd $(DESTDIR)$(PREFIX)/bin && rm -f parzend parzen-worker parzen
	rm -rf $(DESTDIR)$(PREFIX)/share/parzen

# --- the small data set that is shipped, and the program that made it ----------
$(B)/configs/quick-data: $(B)/obj/configs/quick_data.o $(call libs,core/base)
	$(link) $(BASE_LIBS)
.PHONY: quick-data
quick-data: $(B)/configs/quick-data
	$< | cmp - configs/quick-data.jsonl

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
