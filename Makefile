# One Makefile, no recursion.
#
#   make            build/bin/{parzend,parzen-worker,parzen}
#   make demo       set up, build, run a small study to its end
#   make test       set up, then lint, unit, golden, simulator, end-to-end, page
#   make test SAN=address,undefined      the same with sanitizers
#   make lint fuzz bench bench-tools bench-peers install clean
#
# Each folder of C becomes one static library; a program is its main.o and the
# libraries of the floors below it (README.md draws the house).

MODE   := $(if $(SAN),san,release)
B      ?= $(if $(SAN),build/san,build)
CC     ?= gcc
NPM    ?= npm

VERSION  := 0.1.0
BUILD_ID := $(VERSION)

WARN   := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
          -Wpointer-arith -Wwrite-strings -Werror
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
OPT    := $(if $(SAN),-O1 -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer,-O2)
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE $(WARN) $(OPT) -g $(HARDEN) -iquote . \
          -DBUILD_ID='"$(BUILD_ID)"' $(CFLAGS)
LDFLAGS_ALL := $(if $(SAN),-fsanitize=$(SAN)) -pie -Wl,-z,relro,-z,now $(LDFLAGS)

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
SOURCES := $(filter-out %_avx2.c %_avx512.c,$(SOURCES))
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

$(B)/obj/%_avx2.o: ISA := -mavx2 -mfma
$(B)/obj/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(call strict,$<) $(ISA) -MMD -MP -c -o $@ $<

link = @mkdir -p $(@D); set -x; $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(B)/bin/parzend: $(B)/obj/daemon/main.o $(call libs,$(DAEMON_ROOMS))
	$(link) $(DAEMON_LIBS)
$(B)/bin/parzen-worker: $(B)/obj/worker/main.o $(call libs,$(WORKER_ROOMS))
	$(link) $(CORE_LIBS)
$(B)/bin/parzen: $(B)/obj/daemon/cli/main.o $(call libs,$(CLI_ROOMS))
	$(link) $(CORE_LIBS)

# --- tests: tests/**/test_X.c is one program each -----------------------------
TEST_SOURCES := $(sort $(shell find tests -name 'test_*.c' -not -path '*/node_modules/*'))
TEST_BINS    := $(patsubst %.c,$(B)/%,$(TEST_SOURCES))
TEST_LIB_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/lib/*.c))
ALL_LIBS     := $(call libs,daemon/cli daemon/http daemon daemon/search worker core/train core/data core/text core/nn core/wire core/spec core/base)

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

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
