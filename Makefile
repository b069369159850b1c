# Ithaca. `make list` explains the targets.
#
# One non-recursive Makefile: sources are found by folder, objects go to build/<config>/, so that configurations live side by
# side (release, debug, asan, ubsan...). Instruction-set flags go to simd/<isa>/ and nowhere else.

CONFIG  ?= release
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
B       := build/$(CONFIG)
MPICC   ?= mpicc
PKGS    := jansson libpcre2-8 libutf8proc libprotobuf-c nettle libzstd libxxhash libcurl libedit libmicrohttpd openblas hwloc numa
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
# These are loaded when they are first used (src/model/blas.c, src/hub/libcurl.c).
LINKED     := $(filter-out openblas libcurl libedit libmicrohttpd,$(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(LINKED)) -lm
# The program alone edits lines and serves.
CLI_LIBS   = $(shell pkg-config --libs libedit libmicrohttpd)
# What mpicc adds when it links: Open MPI and MPICH have different ways to ask.
MPI_LIBS   = $(shell $(MPICC) --showme:link 2>/dev/null || $(MPICC) -link_info 2>/dev/null | cut -d' ' -f2-)

# Of the configurations that need another compiler: Open MPI's and MPICH's mpicc read these.
ifdef FUZZ_COMPILER
export OMPI_CC  := $(FUZZ_COMPILER)
export MPICH_CC := $(FUZZ_COMPILER)
endif

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Werror
CSTD   := -std=c11 -D_GNU_SOURCE
FPSAFE := -ffp-contract=off -fno-fast-math
# clang has no such warning, and on the machines of simd/levels.inc no excess precision.
ifeq ($(findstring clang,$(shell $(if $(FUZZ_COMPILER),OMPI_CC=$(FUZZ_COMPILER) MPICH_CC=$(FUZZ_COMPILER)) $(MPICC) --version 2>/dev/null)),)
WARN   += -Wno-format-truncation
FPSAFE += -fexcess-precision=standard
endif
# Program and shared library are made of the same objects. Calls inside the library stay direct.
PIC    := -fPIC -fno-semantic-interposition
# Functions begin at cache lines: else what the linker puts before a kernel changes its speed by 4%.
OPT_release := -O3 -g -falign-functions=64
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT_asan-ref := $(OPT_asan) -DITH_PLAIN_C
# With clang, for the fuzz targets; checksums are not compared (base/checksum.h).
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined,float-cast-overflow \
    -fno-sanitize-recover=undefined,float-cast-overflow -fno-omit-frame-pointer \
    -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -DITH_PLAIN_C
OPT_cover   := -O1 -g -fprofile-instr-generate -fcoverage-mapping -DITH_PLAIN_C
CFLAGS  = $(CSTD) $(WARN) $(FPSAFE) $(OPT_$(CONFIG)) -fopenmp -fvisibility=hidden $(PIC) -Iinclude -Isrc -I. $(PKG_CFLAGS) $(EXTRA_CFLAGS)
LDFLAGS = $(OPT_$(CONFIG)) -fopenmp $(EXTRA_LDFLAGS)

ARCH := $(shell uname -m)
# Each line of simd/levels.inc for this architecture as LEVEL:LEVEL BELOW:FLAG,FLAG
LEVEL_WORDS = 's/^ITH_LEVEL\((\w+), $(ARCH), (\w+), (.*)\)$$/\1:\2:\3/; T; \
    s/ ?(HWCAP2?\(\w+\)|&&.*)//g; s/CPU(ID)?\(([^)]*)\)/-m\2/g; s/FLAG\(([^)]*)\)/\1/g; s/ /,/g; p'
LEVELS := $(shell sed -nE $(LEVEL_WORDS) simd/levels.inc)
# The reference kernels alone: with the others a compiler is busy for minutes. asan has them.
ifneq ($(filter asan-ref fuzz cover,$(CONFIG)),)
LEVELS :=
endif
comma  := ,
level_word = $(subst $(comma), ,$(word $1,$(subst :, ,$2)))
ISAS   := $(foreach l,$(LEVELS),$(call level_word,1,$l))
# A level's folder is compiled with its flags after those of the level below.
$(foreach l,$(LEVELS),$(eval FLAGS_$(call level_word,1,$l) := \
    $(FLAGS_$(call level_word,2,$l)) $(call level_word,3,$l)))

KERNEL_SRC := $(wildcard simd/*.c simd/ref/*.c) $(foreach isa,$(ISAS),$(wildcard simd/$(isa)/*.c))
# The program's own rooms; all others are the library's.
CLI_SRC    := $(wildcard src/cli/*.c src/openai/*.c src/openai/*/*.c src/serve/*.c)
LIB_SRC    := $(KERNEL_SRC) $(filter-out $(CLI_SRC),$(wildcard src/*/*.c src/*/*/*.c))
# Made by protoc-c from src/text/sentencepiece.proto.
PROTO      := $(B)/generated/text/sentencepiece.pb-c
LIB_OBJ    := $(LIB_SRC:%.c=$(B)/%.o) $(PROTO).o
CLI_OBJ    := $(CLI_SRC:%.c=$(B)/%.o)
TEST_SRC   := $(wildcard tests/kernels/test_*.c tests/unit/test_*.c tests/parallel/test_*.c tests/api/test_*.c)
TEST_BIN   := $(TEST_SRC:%.c=$(B)/%)
FUZZ_MAIN  := tests/fuzz/fuzz_main.c
FUZZ_SRC   := $(filter-out $(FUZZ_MAIN),$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN   := $(FUZZ_SRC:%.c=$(B)/%)
# Weights for the tests are computed, or unpacked. make_weights writes a folder's last shard last.
SHARDED    := tests/golden/qwen3-gqa4/weights
WEIGHTS    := $(patsubst %/weights,%/model.safetensors,$(filter-out $(SHARDED),$(wildcard tests/golden/*/weights tests/models/*/weights))) \
    $(SHARDED:%/weights=%/model-00004-of-00004.safetensors)
NEEDLE     := tests/models/needle-qwen3/model.safetensors
MAKE_WEIGHTS := $(B)/tests/golden/make_weights
LIB        := $(B)/libithaca.a
BIN        := $(B)/ithaca

# Versions 0.x.y and 0.x.z have the same interface, 0.x and 0.y do not; from 1.0 on the first number
# alone counts.
HEADERS    := $(addprefix include/ithaca,.h _grammars.h _many.h _tools.h)
VERSION    := $(shell sed -n 's/^\#define ITH_VERSION "\(.*\)"/\1/p' include/ithaca.h)
MAJOR      := $(word 1,$(subst ., ,$(VERSION)))
MINOR      := $(word 2,$(subst ., ,$(VERSION)))
INTERFACE  := $(if $(filter 0,$(MAJOR)),0.$(MINOR),$(MAJOR))
SONAME     := libithaca.so.$(INTERFACE)
SHARED     := $(B)/libithaca.so.$(VERSION)
EXPORTS    := $(B)/generated/libithaca.map

Q          := $(if $(V),,@)

.PHONY: all
## all: the program, build/release/ithaca, and the libraries beside it (V=1 shows the commands)
all: $(BIN) $(SHARED) $(NEEDLE)

$(foreach isa,$(ISAS),$(eval $(B)/simd/$(isa)/%.o: CFLAGS += $(FLAGS_$(isa))))
$(filter $(B)/simd/%,$(LIB_OBJ)): simd/levels.inc
ifeq ($(CONFIG),fuzz)
# Inputs hardly steer kernels, and counting their branches takes most of the time of a target that runs a model.
$(B)/simd/%.o: CFLAGS += -O2 -fno-sanitize-coverage=trace-pc-guard,inline-8bit-counters,pc-table,trace-cmp,indirect-calls
endif
$(B)/tests/%.o:       CFLAGS += -Itests
# Kernel tests compare the kernels of AMX on any machine with AVX-512.
ifneq ($(filter amx,$(ISAS)),)
EMULATED   := $(patsubst %.c,$(B)/%.o,$(wildcard tests/kernels/amx/*.c))
$(EMULATED): CFLAGS += $(FLAGS_amx)
$(addprefix $(B)/tests/kernels/test_,kernels attn): $(EMULATED)
endif

# Everything that is missing is named once, before the first compile.
NEEDED := $(B)/.needed
$(NEEDED): scripts/need.sh scripts/packages.sh Makefile
	@scripts/need.sh "$(MPICC)" $(PKGS)
	@mkdir -p $(@D) && touch $@

$(B)/%.o: %.c Makefile | $(NEEDED)
	@mkdir -p $(@D)
	@echo "  cc $<"
	$(Q)$(MPICC) $(CFLAGS) -MMD -MP -c $< -o $@

# Each bench/shapes/NAME.json as a line SHAPE("NAME", "its text"), for src/formats/shapes.c.
SHAPES     := $(wildcard bench/shapes/*.json)
SHAPES_INC := $(B)/generated/formats/shapes.inc
$(SHAPES_INC): $(SHAPES) Makefile
	@mkdir -p $(@D)
	@echo "  gen $@"
	$(Q)for f in $$(printf '%s\n' $(SHAPES) | sort -V); do \
	    echo "SHAPE(\"$$(basename $$f .json)\","; sed -e 's/[\"]/\\&/g' -e 's/.*/"&\\n"/' $$f; echo ')'; done > $@
$(B)/src/formats/shapes.o: CFLAGS += -I$(B)/generated
$(B)/src/formats/shapes.o: $(SHAPES_INC)

# Files that the program carries, each as a string literal, for src/cli/texts.c.
vpath %.json bench bench/schema
TEXTS     := bench-1.json prices-1.json prices.json report.css report.js ithaca.sbatch
TEXTS_INC := $(TEXTS:%=$(B)/generated/cli/%.inc)
literal    = $(Q)mkdir -p $(@D) && echo "  gen $@" && sed -e 's/[\"]/\\&/g' -e 's/.*/"&\\n"/' $< > $@
$(B)/generated/cli/%.json.inc: %.json Makefile
	$(literal)
$(B)/generated/cli/%.sbatch.inc: cluster/slurm/%.sbatch Makefile
	$(literal)
$(B)/generated/cli/%.inc: src/cli/% Makefile
	$(literal)
$(B)/src/cli/texts.o: CFLAGS += -I$(B)/generated
$(B)/src/cli/texts.o: $(TEXTS_INC)

# The page of `serve`, for src/serve/page.c.
PAGE_SRC := $(addprefix src/serve/page/,page.html page.css \
    $(addsuffix .js,elements markdown store server answers view actions documents start))
PAGE_INC := $(B)/generated/serve/page.inc
$(PAGE_INC): scripts/page.sh $(PAGE_SRC)
	@mkdir -p $(@D)
	@echo "  gen $@"
	$(Q)scripts/page.sh $(PAGE_SRC) > $@.new && mv $@.new $@
$(B)/src/serve/page.o: CFLAGS += -I$(B)/generated
$(B)/src/serve/page.o: $(PAGE_INC)

$(PROTO).c: src/text/sentencepiece.proto Makefile | $(NEEDED)
	@mkdir -p $(@D)
	@echo "  gen $(PROTO).c"
	$(Q)protoc-c --proto_path=src --c_out=$(B)/generated src/text/sentencepiece.proto
$(PROTO).h: $(PROTO).c ;
$(PROTO).o: $(PROTO).c
	@echo "  cc $<"
	$(Q)$(MPICC) $(CFLAGS) -I$(B)/generated -MMD -MP -c $< -o $@
$(B)/src/text/sentencepiece.o: CFLAGS += -I$(B)/generated
$(B)/src/text/sentencepiece.o: $(PROTO).h

# Ranks compare a digest of the sources when they meet: base/build.h.
SOURCES_ID   := $(shell find src simd include -name '*.[ch]' -o -name '*.inc' -o -name '*.proto' | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-12)
SOURCES_FILE := $(B)/generated/sources.id
ifneq ($(SOURCES_ID),$(shell cat $(SOURCES_FILE) 2>/dev/null))
.PHONY: $(SOURCES_FILE)
endif
$(SOURCES_FILE):
	@mkdir -p $(@D)
	@echo $(SOURCES_ID) > $@
$(B)/src/base/version.o: CFLAGS += -DITH_SOURCES=$(SOURCES_ID)
$(B)/src/base/version.o: $(SOURCES_FILE)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@echo "  ar $@"
	$(Q)ar rcs $@ $^

# The version script: the functions that the headers declare, and nothing else.
$(EXPORTS): $(HEADERS) Makefile
	@mkdir -p $(@D)
	@echo "  gen $@"
	$(Q){ echo 'ITHACA_$(INTERFACE) {'; echo 'global:'; \
	    sed -n 's/^[a-z].*[ *]\(ith_[a-z0-9_]*\)(.*/    \1;/p' $(HEADERS); \
	    echo 'local: *;'; echo '};'; } > $@

$(SHARED): $(LIB_OBJ) $(EXPORTS)
	@echo "  ld $@"
	$(Q)$(MPICC) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(EXPORTS) -Wl,-Bsymbolic-functions \
	    $(LIB_OBJ) -o $@ $(PKG_LIBS)

$(BIN): $(CLI_OBJ) $(LIB)
	@echo "  ld $@"
	$(Q)$(MPICC) $(LDFLAGS) $^ -o $@ $(PKG_LIBS) $(CLI_LIBS)

# The program prints its manual page and its completion scripts from its tables of options.
MANUALS := $(addprefix $(B)/generated/,ithaca.1 ithaca.bash _ithaca)
$(B)/generated/ithaca.1:    HELP := --man
$(B)/generated/ithaca.bash: HELP := --completion bash
$(B)/generated/_ithaca:     HELP := --completion zsh
$(MANUALS): $(BIN)
	@mkdir -p $(@D)
	@echo "  gen $@"
	$(Q)$(BIN) help $(HELP) > $@.new && mv $@.new $@

# The program's own files are not in the library.
$(B)/tests/unit/test_calls: $(patsubst %.c,$(B)/%.o,src/openai/calls.c $(wildcard src/openai/forms/*.c))
$(B)/tests/fuzz/fuzz_calls: $(patsubst %.c,$(B)/%.o,src/openai/calls.c $(wildcard src/openai/forms/*.c))
$(B)/tests/unit/test_schema: $(B)/src/cli/schema.o
$(B)/tests/unit/test_plot: $(B)/src/cli/plot.o
$(B)/tests/unit/test_haystack: $(addprefix $(B)/src/cli/,haystack.o haystack_words.o input.o signals.o)
# Ranks that wait let others run, inside MPI too.
$(filter $(B)/tests/parallel/%,$(TEST_BIN)): $(B)/tests/parallel/yield.o
$(TEST_BIN): $(B)/%: $(B)/%.o $(LIB)
	@echo "  ld $@"
	$(Q)$(MPICC) $(LDFLAGS) $(filter %.o,$^) $(LIB) -o $@ -lcmocka $(PKG_LIBS)

# A fuzz target runs under libFuzzer, or by fuzz_main.c over files.
FUZZ_WITH := $(B)/$(FUZZ_MAIN:.c=.o)
FUZZ_LINK :=
ifeq ($(CONFIG),fuzz)
FUZZ_WITH :=
FUZZ_LINK := -fsanitize=fuzzer
endif
FUZZ_CLI  := $(addprefix $(B)/tests/fuzz/fuzz_,bodies chat numbers output report request)
$(FUZZ_CLI): $(filter-out $(B)/src/cli/main.o,$(CLI_OBJ))
$(FUZZ_CLI): FUZZ_LIBS = $(CLI_LIBS)
$(FUZZ_BIN): $(B)/%: $(B)/%.o $(FUZZ_WITH) $(LIB)
	@echo "  ld $@"
	$(Q)$(MPICC) $(LDFLAGS) $(FUZZ_LINK) $(filter %.o,$^) $(LIB) -o $@ $(PKG_LIBS) $(FUZZ_LIBS)

$(MAKE_WEIGHTS): $(B)/%: $(B)/%.o $(LIB)
	@echo "  ld $@"
	$(Q)$(MPICC) $(LDFLAGS) $< $(LIB) -o $@ $(PKG_LIBS)

$(filter %/model.safetensors,$(WEIGHTS)): %/model.safetensors: %/weights | $(MAKE_WEIGHTS)
	@echo "  gen $@"
	$(Q)$(MAKE_WEIGHTS) $< $(@D)
$(filter %-00004.safetensors,$(WEIGHTS)): %/model-00004-of-00004.safetensors: %/weights | $(MAKE_WEIGHTS)
	@echo "  gen $@"
	$(Q)$(MAKE_WEIGHTS) $< $(@D)

# The GGUF files of tests/golden are computed: the repository has what cannot be.
GOLDEN := $(patsubst tests/golden/heads/%,tests/golden/%.gguf,$(wildcard tests/golden/heads/*))
$(GOLDEN): tests/golden/%.gguf: tests/golden/heads/% tests/golden/make_gguf.py $(WEIGHTS)
	@echo "  gen $@"
	$(Q)python3 -S tests/golden/make_gguf.py $*

# Inputs of fuzz targets that are made of the golden architectures.
SEEDS := build/seeds/.made
$(SEEDS): tests/fuzz/seeds.py $(wildcard tests/golden/architectures/*.json)
	@echo "  gen build/seeds"
	$(Q)python3 -S tests/fuzz/seeds.py $(@D) && touch $@

.PHONY: tests
## tests: builds the test programs
tests: $(BIN) $(TEST_BIN) $(FUZZ_BIN) $(WEIGHTS) $(GOLDEN) $(SEEDS)

.PHONY: fuzzers
fuzzers: $(FUZZ_BIN) $(SEEDS)

# Programs that start no ranks.
.PHONY: units
units: $(filter $(B)/tests/kernels/% $(B)/tests/unit/% $(B)/tests/api/%,$(TEST_BIN)) $(FUZZ_BIN) $(WEIGHTS) $(GOLDEN) $(SEEDS)

# Targets that start from a bare machine install the Debian packages first and build in a second make: the first one may
# have no pkg-config to ask yet.
JOBS  ?= $(shell nproc)
AGAIN  = +$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: setup
## setup: installs the Debian packages that are missing
setup:
	@scripts/setup.sh

.PHONY: demo
## demo: finds a needle in 8k tokens on 1 and on 4 ranks, and compares their logits
demo: setup
	@$(AGAIN) all
	@ITHACA=$(BIN) scripts/demo.sh

.PHONY: compare
## compare: measures a small shape here, llama.cpp too, and sets both beside the H200 (LLAMA_BENCH=PROGRAM, or =no)
compare: setup
	@[ -n "$(LLAMA_BENCH)" ] || scripts/setup.sh peers
	@$(AGAIN) all
	@ITHACA=$(BIN) LLAMA_BENCH="$(LLAMA_BENCH)" scripts/compare.sh

.PHONY: report
## report: the table and the pictures of bench/SPEED.md, from bench/results and bench/baselines; build/report/index.html
report: setup
	@$(AGAIN) all
	@$(BIN) compare bench/results/*/*.json bench/baselines/h200/*.json -o build/report
	@python3 bench/report.py build/report --write
	@echo build/report/index.html

.PHONY: check
## check: builds and runs the tests; its last line counts them
check: setup
	@$(AGAIN) tests
	@tests/run.sh $(B)

.PHONY: check-page
## check-page: the page of serve in Chromium, which it installs; make check does that where Chromium is
check-page: setup
	@scripts/setup.sh page
	@$(AGAIN) all
	@tests/run.sh $(B) cli/page

.PHONY: check-clients
## check-clients: openai, LangChain and lm-evaluation-harness, from PyPI, against serve
check-clients: setup
	@scripts/setup.sh python3-venv
	@$(AGAIN) all
	@ITHACA=$(BIN) bash tests/clients/clients.sh

.PHONY: check-long
## check-long: the same with the long cases (32k tokens and more), then asan, then fuzz for five minutes a target
check-long: setup
	@$(AGAIN) tests
	@ITHACA_LONG=1 tests/run.sh $(B)
	@$(AGAIN) asan
	@$(AGAIN) fuzz FUZZ_TIME=300

.PHONY: check-slurm
## check-slurm: as root, the scripts of cluster/slurm on a SLURM cluster of two hosts, made of this machine
check-slurm: setup
	@scripts/setup.sh slurm
	@$(AGAIN) all
	@ITHACA_SLURM=1 tests/run.sh $(B) slurm/templates

.PHONY: asan
## asan: check, built with AddressSanitizer, UBSan and LeakSanitizer
asan:
	@$(AGAIN) CONFIG=asan check

.PHONY: asan-units
## asan-units: of asan what starts no ranks, with the reference kernels: single rooms, the interface, the fuzz corpus
asan-units: setup
	@$(AGAIN) CONFIG=asan-ref units
	@tests/run.sh build/asan-ref kernels/test_ unit/ api/test_ fuzz/

CLANG ?= clang-14

.PHONY: fuzz
## fuzz: every fuzz target for FUZZ_TIME=60 seconds, by clang and libFuzzer (tests/fuzz/README.md)
fuzz: setup
	@scripts/setup.sh fuzz
	@$(AGAIN) CONFIG=fuzz FUZZ_COMPILER="$(CLANG)" fuzzers
	@tests/fuzz/run.sh build/fuzz

.PHONY: fuzz-coverage
## fuzz-coverage: which lines that read what is not trusted the corpus reaches, by llvm-cov
fuzz-coverage: setup
	@scripts/setup.sh fuzz
	@$(AGAIN) CONFIG=cover FUZZ_COMPILER="$(CLANG)" fuzzers
	@tests/fuzz/coverage.sh build/cover

.PHONY: model
## model: downloads SmolLM2-135M-Instruct to models/ (98 MB)
model:
	@scripts/model.sh

SLURM_SCRIPTS := $(wildcard cluster/slurm/*.sbatch) $(addprefix cluster/slurm/,chain.sh interactive.sh)
MACHINES      := $(wildcard cluster/machines/*.json)

.PHONY: install
## install: program, libraries, headers, pkg-config file, manual, completion; PREFIX=/usr/local LIBDIR= DESTDIR=
install: $(BIN) $(LIB) $(SHARED) $(MANUALS)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin include share/man/man1 \
	    share/bash-completion/completions share/zsh/site-functions share/ithaca/slurm share/ithaca/machines) \
	    $(DESTDIR)$(LIBDIR)/pkgconfig
	install -s $(BIN) $(DESTDIR)$(PREFIX)/bin/ithaca
	install -m 644 $(HEADERS) $(DESTDIR)$(PREFIX)/include
	install -s -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)
	ln -sf libithaca.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libithaca.so
	install -m 644 $(LIB) $(DESTDIR)$(LIBDIR)
	strip --strip-debug $(DESTDIR)$(LIBDIR)/libithaca.a
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@LIBS@|$(strip $(PKG_LIBS) $(MPI_LIBS))|' scripts/ithaca.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/ithaca.pc
	install -m 644 $(B)/generated/ithaca.1 $(DESTDIR)$(PREFIX)/share/man/man1/ithaca.1
	install -m 644 $(B)/generated/ithaca.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ithaca
	install -m 644 $(B)/generated/_ithaca $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ithaca
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	    scripts/ithaca.module.in > $(DESTDIR)$(PREFIX)/share/ithaca/modulefile
	install -m 755 $(SLURM_SCRIPTS) $(DESTDIR)$(PREFIX)/share/ithaca/slurm
	install -m 644 cluster/slurm/launch.sh $(DESTDIR)$(PREFIX)/share/ithaca/slurm
	install -m 644 $(MACHINES) $(DESTDIR)$(PREFIX)/share/ithaca/machines

.PHONY: uninstall
## uninstall: removes what install installed, with the same PREFIX, LIBDIR and DESTDIR
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/ithaca $(HEADERS) share/man/man1/ithaca.1 \
	    share/bash-completion/completions/ithaca share/zsh/site-functions/_ithaca) \
	    $(addprefix $(DESTDIR)$(PREFIX)/share/ithaca/slurm/,launch.sh $(notdir $(SLURM_SCRIPTS))) \
	    $(addprefix $(DESTDIR)$(PREFIX)/share/ithaca/machines/,$(notdir $(MACHINES)))
	rm -f $(DESTDIR)$(PREFIX)/share/ithaca/modulefile
	rmdir $(addprefix $(DESTDIR)$(PREFIX)/share/ithaca,/slurm /machines /) 2>/dev/null || true
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libithaca.a libithaca.so $(SONAME) libithaca.so.$(VERSION) \
	    pkgconfig/ithaca.pc)

.PHONY: dist
## dist: the committed tree as build/dist/ithaca-VERSION.tar.gz, with git's version
dist:
	@scripts/dist.sh build/dist

.PHONY: deb
## deb: Debian packages of it, source and binary, in build/dist (packaging/debian)
deb: setup
	@scripts/setup.sh deb
	@scripts/deb.sh "$$(scripts/dist.sh build/dist)"

CLANG_FORMAT ?= clang-format-14
.PHONY: format
## format: clang-format 14 over the sources
format:
	$(CLANG_FORMAT) -i $$(git ls-files '*.c' '*.h')

.PHONY: clean
## clean: removes build/
clean:
	rm -rf build $(GOLDEN) $(addsuffix /*.safetensors,$(sort $(dir $(WEIGHTS))))

.PHONY: list
## list: this list
list:
	@sed -n 's/^## \([a-z-]*\): /\1|/p' Makefile | while IFS='|' read -r t d; do printf '  make %-12s %s\n' "$$t" "$$d"; done

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_BIN:=.d) $(FUZZ_BIN:=.d) $(MAKE_WEIGHTS:=.d) $(EMULATED:.o=.d)
