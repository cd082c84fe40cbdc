#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# DKMS on a lab machine: installs, removes, and never breaks apt.
#
# The module that the guests load is built by "make dkms-install" too (see lab
# module); this script is about what else can happen: a kernel that cannot be
# served is skipped with a sentence, a compile error is an error.
#
# usage: dkms.sh [short]	short: only what depends on the kernel
set -euo pipefail
. tests/tap.sh

kver=$(basename /lib/modules/*)
series=$(echo "$kver" | cut -d. -f1,2)
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
src=/usr/src/ext4dio-$version

# installed_module: the installed module, whatever compression DKMS chose.
installed_module() {
	find "/lib/modules/$kver/updates" -name 'ext4dio.ko*' 2> /dev/null
}

# dkms_says DESC STATUS REGEX CMD...: CMD ends with STATUS and its output matches REGEX.
dkms_says() {
	local desc=$1 want=$2 regex=$3 output status=0
	shift 3
	output=$("$@" 2>&1) || status=$?
	if [ "$status" -ne "$want" ]; then
		not_ok "$desc" "exit status $status instead of $want: $output"
	elif ! grep -Eq "$regex" <<< "$output"; then
		not_ok "$desc" "not said: $regex; but: $output"
	else
		pass "$desc"
	fi
}

# --- install and remove ----------------------------------------------------

ok "make dkms-install" make dkms-install KVER="$kver"
ok "DKMS calls it installed" grep -q ": installed" <<< "$(dkms status "ext4dio/$version")"
is "one module file is installed" "$(installed_module | wc -l)" 1
is "modinfo finds it by name and tells the version" \
	"$(modinfo -k "$kver" -F version ext4dio)" "$version"
ok "mount -t ext4dio will load it" \
	grep -q '^alias fs-ext4dio ext4dio$' "/lib/modules/$kver/modules.alias"
is "no alias of stock ext4 points to it" \
	"$(grep -E '^alias (fs-)?ext[234] ext4dio' "/lib/modules/$kver/modules.alias")" ""

# What was built: no compiler warning, and no name of stock ext4 in it.  What may
# name ext4 is listed: the prefix of keys that user space makes, an old hint, our own
# description, and in BTF the structs of uapi headers.
log=$(echo /var/lib/dkms/ext4dio/*/"$kver"/*/log/make.log)
is "it was built without a warning" "$(grep -iE 'warning|error' "$log" || true)" ""
# DKMS of Debian 12 does not compress it.
xz -dcf "$(installed_module)" > /tmp/ext4dio.ko
printf '%s\n' ext4: ext4_new_group_input compat_ext4_new_group_input ext4_tune_sb_params \
	"need to use ext2online to resize further" > /tmp/may-name-ext4
is "no string in it is a name of stock ext4" "$(strings -a /tmp/ext4dio.ko |
	grep -E 'ext[234]([^d]|$)|(^|[^A-Z_])EXT[234]([^A-Z_]|$)' |
	grep -vxFf /tmp/may-name-ext4 |
	grep -vF "$(modinfo -F description /tmp/ext4dio.ko)" || true)" ""
is "no slab cache of it has a stock name" "$(strings -a /tmp/ext4dio.ko |
	grep -xE 'extent_status|pending_reservation|bio_post_read_ctx' || true)" ""
is "no symbol of it has a stock name" \
	"$(nm /tmp/ext4dio.ko | awk '$NF ~ /ext4([^d]|$)/ { print $NF }')" ""
is "its aliases are its own" "$(modinfo -F alias /tmp/ext4dio.ko)" "fs-ext4dio"

if [ "${1:-}" != short ]; then
	cp -a "$src" /usr/src/ext4dio-0.0.9
	sed -i 's/^PACKAGE_VERSION=.*/PACKAGE_VERSION="0.0.9"/' /usr/src/ext4dio-0.0.9/dkms.conf
	dkms add ext4dio/0.0.9 > /dev/null
	# One whose source was taken away.
	sed 's/0\.0\.9/0.0.8/' /usr/src/ext4dio-0.0.9/dkms.conf > /tmp/dkms.conf
	cp -a /usr/src/ext4dio-0.0.9 /usr/src/ext4dio-0.0.8
	cp /tmp/dkms.conf /usr/src/ext4dio-0.0.8
	dkms add ext4dio/0.0.8 > /dev/null
	rm -r /usr/src/ext4dio-0.0.8
	chown -R nobody . && chmod -R go+w ext4dio
	ok "make dkms-install again replaces it" make dkms-install KVER="$kver"
	is "and there is still one module file" "$(installed_module | wc -l)" 1
	is "and no other version" "$(dkms status ext4dio | wc -l; echo /usr/src/ext4dio-*)" \
		$'1\n'"$src"
	is "nobody else may change what DKMS runs as root" \
		"$(find "$src" ! -user root -o ! -type l -perm /022)" ""
fi
ok "make dkms-remove" make dkms-remove
is "DKMS has forgotten it" "$(dkms status ext4dio)" ""
is "the module file is gone" "$(installed_module)" ""
ok "the source is gone" test ! -e "$src"
ok "no alias is left" sh -c "! grep -q ext4dio /lib/modules/$kver/modules.alias"
ok "make dkms-remove with nothing installed is no error" make dkms-remove

if [ "${1:-}" = short ]; then
	done_testing
	exit
fi

# --- kernels that cannot be served ------------------------------------------

# register: the source known to DKMS but built for no kernel.
register() {
	dkms remove "ext4dio/$version" --all > /dev/null 2>&1 || true
	rm -rf "$src"
	mkdir "$src"
	cp -a dkms.conf Kbuild Makefile ext4dio "$src"
	dkms add "ext4dio/$version" > /dev/null
}

# build: what a kernel upgrade does for one module.
build() {
	dkms build "ext4dio/$version" -k "${1:-$kver}"
}

register
tarball=$(ls /usr/src/linux-source-"$series".tar.*)
mv "$tarball" /root/
dkms_says "no kernel source: skipped, names the package" 77 \
	"skipped for kernel .*install the package linux-source-$series" build
{
	echo before >&2
	dkms build "ext4dio/$version" -k "$kver" > /dev/null || true
} 2> /tmp/stderr
is "where stderr is a file it keeps what it had, and gets the reason" \
	"$(grep -oE 'before|skipped for kernel' /tmp/stderr)" $'before\nskipped for kernel'
register
dkms_says "a kernel upgrade goes on without the module" 0 "skipped" \
	/etc/kernel/header_postinst.d/dkms "$kver"
mv /root/"${tarball##*/}" /usr/src/

register
sed -i 's/^-.*register_as_ext3.*//; s/^- call();/- call(1);/' \
	"$src/ext4dio/fork/identity/no-ext2-ext3.cocci"
dkms_says "a rule that does not fit: skipped, names the rule" 77 \
	"skipped for kernel .*rule 'no-ext2-ext3' does not fit super.c" build

# without TOOL CMD...: run CMD as if TOOL were not installed.
without() {
	local tool status=0
	tool=$(command -v "$1")
	shift
	chmod -x "$tool"
	"$@" || status=$?
	chmod +x "$tool"
	return "$status"
}

register
dkms_says "coccinelle missing: skipped, names the package" 77 "install the package coccinelle" \
	without spatch build

old=5.10.0-28-amd64
mkdir -p "/lib/modules/$old"
ln -s "$(readlink -f "/lib/modules/$kver/build")" "/lib/modules/$old/build"
dkms_says "a kernel older than 6.1: skipped" 77 "BUILD_EXCLUSIVE|should not be built" build "$old"
rm -r "/lib/modules/$old"

register
sed -i 's/pr_info_once/no_such_function/' "$src/ext4dio/ident.c"
dkms_says "a compile error is an error, not a skip" 10 "Bad return status" build

# --- bad use of make ---------------------------------------------------------

dkms_says "DKMS missing: names the package" 2 "apt-get install dkms" \
	without dkms make dkms-install
dkms_says "not root: says so" 2 "needs root" \
	setpriv --reuid=65534 --regid=65534 --clear-groups make dkms-install

done_testing
