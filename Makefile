# SPDX-License-Identifier: GPL-2.0
# What a person types; "make help" explains.  What is compiled is in Kbuild.

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
KSRC	?=
BUILD	?= build/$(KVER)$(if $(WITHOUT),-without)
ANY_RELEASE ?=
ANY_BODY ?=
KERNELS	?= $(shell tests/lab/lab list)
BENCH	?=
MINUTES	?= 60
PREFIX	?= /usr/local
DESTDIR	?=
# From the command line only: what is in somebody's environment makes no module without a cure.
WITHOUT	:=

version	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms_src := /usr/src/ext4dio-$(version)
dkms_force := /usr/share/dkms/modules_to_force_install/ext4dio
dkms_keep := fork/dkms-keep
dkms_files := dkms.conf Kbuild Makefile ext4dio fork
# A kernel that clang has compiled has its modules from clang.
llvm	= $(if $(shell grep -s '^CONFIG_CC_IS_CLANG=y' '$(KDIR)/include/config/auto.conf'),LLVM=1)
kbuild	= $(MAKE) -C $(KDIR) M=$(abspath $(BUILD)) $(llvm)

all: module

help:
	@sed -n 's/^#: \{0,1\}//p' $(MAKEFILE_LIST)

#: make                 build ext4dio.ko for KVER into BUILD (by default build/KVER)
module: fork
	+$(kbuild) modules

#: make fork            only make the module source from the kernel's own fs/ext4
fork:
	@fork/fork --kver '$(KVER)' --kdir '$(KDIR)' --out '$(BUILD)' \
		$(if $(KSRC),--ksrc '$(KSRC)') $(if $(ANY_RELEASE),--any-release) \
		$(if $(ANY_BODY),--any-body) $(foreach rule,$(WITHOUT),--without '$(rule)')

#: make install         install the module for KVER (root)
install: product module
	+$(kbuild) INSTALL_MOD_DIR=updates modules_install
	depmod -a $(KVER)

#: make uninstall       undo that (root)
uninstall:
	rm -f /lib/modules/$(KVER)/updates/ext4dio.ko*
	depmod -a $(KVER)

#: make dkms-install    hand the source to DKMS, which builds and installs for KVER, and for
#:                      every other kernel that has the module (root)
dkms-install: dkms-ready
	@fork/fork --check --kver '$(KVER)' --out '$(BUILD)'
	@$(dkms_hold)
	$(MAKE) dkms-source
	dkms add ext4dio/$(version)
	@$(dkms_keep) install '$(version)' '$(KVER)'

#: make dkms-remove     take it out of DKMS again, for all kernels (root)
dkms-remove: dkms-ready
	@[ -e /var/lib/dkms/ext4dio ] || echo "dkms does not know ext4dio: nothing to remove"
	@$(dkms_hold)
	@$(dkms_keep) forget
	@rm -rf $(dkms_force) /var/lib/ext4dio
	@[ ! -e $(dir $(dkms_force)) ] || rmdir -p --ignore-fail-on-non-empty $(dir $(dkms_force))

# Every version, not only this one: an upgrade leaves none behind.  The modules stay where they are.
dkms_hold = set -e; versions=$$($(dkms_keep) hold); \
	for version in $$versions $(version); do rm -rf "/usr/src/ext4dio-$$version"; done

product:
	@[ -z '$(WITHOUT)' ] || { echo "make $(MAKECMDGOALS): a module without $(WITHOUT) is for" \
		"tests, it is not installed" >&2; exit 1; }

dkms-ready: product
	@[ "$$(id -u)" = 0 ] || { echo "make $(MAKECMDGOALS) needs root: try sudo" >&2; exit 1; }
	@command -v dkms >/dev/null || \
		{ echo "dkms is missing: apt-get install dkms" >&2; exit 1; }
	@! dpkg-query -S '/usr/src/ext4dio-*/dkms.conf' >/dev/null 2>&1 || \
		{ echo "ext4dio-dkms is installed: first apt-get purge ext4dio-dkms" >&2; exit 1; }

# Only the source into its place; the package's contents too.  DKMS runs it as root, so
# nobody else may write to it, whoever owns the checkout.  And a word to DKMS: nobody but us
# has a module of this name, so what it builds replaces what is there, of whatever version.
dkms-source:
	mkdir -p "$(DESTDIR)$(dkms_src)"
	cp -a --no-preserve=ownership $(dkms_files) "$(DESTDIR)$(dkms_src)"
	chmod -R go-w "$(DESTDIR)$(dkms_src)"
	install -d "$(DESTDIR)$(dir $(dkms_force))"
	echo ext4dio > "$(DESTDIR)$(dkms_force)"

share	:= $(DESTDIR)$(PREFIX)/share

#: make install-tools   install the tools and their manuals below PREFIX (root)
install-tools:
	install -d "$(DESTDIR)$(PREFIX)/sbin" "$(share)/ext4dio/ab" "$(share)/man/man5" \
		"$(share)/man/man8"
	install tools/ext4dio tools/fsck.ext4dio "$(DESTDIR)$(PREFIX)/sbin"
	ln -sf fsck.ext4dio "$(DESTDIR)$(PREFIX)/sbin/mkfs.ext4dio"
	install tools/ext4dio-ab "$(share)/ext4dio"
	ln -sf ../share/ext4dio/ext4dio-ab "$(DESTDIR)$(PREFIX)/sbin/ext4dio-ab"
	echo '$(version)' > "$(share)/ext4dio/version"
	chmod 644 "$(share)/ext4dio/version"
	install -m 644 $(addprefix tools/ab/,*.py *.sh) "$(share)/ext4dio/ab"
	install tools/ab/*.app "$(share)/ext4dio/ab"
	install -m 644 tools/*.5 "$(share)/man/man5"
	install -m 644 tools/*.8 "$(share)/man/man8"
	ln -sf fsck.ext4dio.8 "$(share)/man/man8/mkfs.ext4dio.8"

#: make uninstall-tools undo that (root)
uninstall-tools:
	rm -rf "$(share)/ext4dio"
	rm -f $(foreach name,ext4dio ext4dio-ab fsck.ext4dio mkfs.ext4dio, \
		"$(DESTDIR)$(PREFIX)/sbin/$(name)" "$(share)/man/man8/$(name).8") \
		"$(share)/man/man5/ext4dio.5"

#: make deb             Debian packages ext4dio-dkms and ext4dio-tools, in build/deb
deb:
	@debian/make-deb

#: make dist            the committed source as build/ext4dio-VERSION.tar.xz
dist:
	@changes=$$(git status --porcelain) || \
		{ echo "dist: needs a git checkout that git takes for yours" >&2; exit 1; }; \
	[ -z "$$changes" ] || \
		{ echo "dist: there are changes that are not committed" >&2; exit 1; }
	@mkdir -p build
	git archive --prefix=ext4dio-$(version)/ -o build/ext4dio-$(version).tar HEAD
	xz -T1 -f build/ext4dio-$(version).tar

#: make demo            A/B table of stock ext4 and ext4dio in a booted guest (root)
demo: deps
	@scripts/demo $(lastword $(KERNELS))

#: make bench           the A/B benchmark in guests of KERNELS; report in build/bench (root)
bench: deps
	@scripts/bench $(KERNELS) -- $(BENCH)

#: make figures         tables for doc/results.md, in build/figures: KERNELS, devices of
#:                      2 ms and 8 ms; takes hours, and wants the machine for itself (root)
figures: deps
	@scripts/figures $(KERNELS)

#: make check           all tests, in guests of each kernel of KERNELS (root)
check: deps
	@tests/check $(if $(filter file,$(origin KERNELS)),--default,$(KERNELS))

#: make check-all       the same for every kernel of tests/lab/kernels (root)
check-all: deps
	@tests/check --all

#: make check-debug     the guest tests on a kernel with lockdep, KASAN and the like (root)
check-debug: deps
	@TESTS="$(or $(strip $(TESTS) $(TAGS)),40-guest 45-safety)" TAGS="" \
		tests/check $(lastword $(KERNELS))+debug

#: make check-kcsan     those of the tag "races" on a kernel that looks for data races (root)
check-kcsan: deps
	@TESTS="$(or $(strip $(TESTS) $(TAGS)),races)" TAGS="" \
		tests/check $(lastword $(KERNELS))+kcsan

#: make soak            all feature sets under load for MINUTES in a guest of each kernel (root)
soak: deps
	@scripts/soak $(MINUTES) $(KERNELS)

#: make xfstests        your build of xfstests on ext4 and ext4dio, in a guest of each kernel (root)
xfstests:
	@scripts/xfstests '$(XFSTESTS)' $(KERNELS) $(if $(XFSTESTS_ARGS),-- $(XFSTESTS_ARGS))

#: make fsqual          your build of fsqual on ext4, ext4dio and xfs, in guests (root)
fsqual:
	@scripts/fsqual '$(FSQUAL)' $(KERNELS)

#: make style           shellcheck and what checkpatch would say of layout
style:
	@tests/style

#: make deps            install the Debian packages that demo and check need (root)
deps:
	@scripts/deps

#: make clean           remove everything that was built here
clean:
	rm -rf build

#:
#: KVER=VERSION         target kernel                          [uname -r]
#: KDIR=FOLDER          its headers                            [/lib/modules/KVER/build]
#: KSRC=PATH            kernel source tree or tarball          [found in /usr/src]
#: BUILD=FOLDER         where to build                         [build/KVER]
#: PREFIX=FOLDER        for install-tools                      [/usr/local]
#: DESTDIR=FOLDER       a root for install-tools, not /
#: WITHOUT="RULE..."    for tests: without the cure of these rules, in build/KVER-without
#: ANY_RELEASE=1        allow source and headers of different releases
#: ANY_BODY=1           allow an ext4 whose direct write path is unknown, if you have looked at it;
#:                      for DKMS: a line in /etc/ext4dio/bodies, as the refusal prints it
#: KERNELS="6.12 7.2"   guest kernels for demo, bench, check   [default in tests/lab/kernels]
#: TESTS="30-lab extend"  only these files and guest scripts, TAGS="quick" what tests/tags has
#:                      under that name, JOBS=1 one at a time       [all, 2]
#: MINUTES=N            how long to soak                       [60]
#: XFSTESTS=FOLDER      a built xfstests
#: XFSTESTS_ARGS="..."  for its check                          [-g quick]
#: FSQUAL=PROGRAM       a built fsqual
#: MKFS_OPTIONS, MOUNT_OPTIONS, HOURS, TEST_LIMIT   of xfstests: see scripts/xfstests
#: BENCH="ARGUMENTS"    for tools/ext4dio-ab run

.PHONY: all help module fork product install uninstall dkms-install dkms-remove dkms-ready \
	dkms-source install-tools uninstall-tools deb dist demo bench figures check check-all \
	check-debug check-kcsan soak xfstests fsqual style deps clean
