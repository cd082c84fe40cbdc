#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# DKMS on a lab machine: installs, removes, and never breaks apt.
#
# The module that the guests load is built by "make dkms-install" too (see lab
# module); this script is about what else can happen: a kernel that cannot be
# served is skipped with a sentence, a compile error is an error, and no kernel
# loses the module that it has.
#
# usage: dkms.sh [short]	short: only what depends on the kernel
set -euo pipefail
. tests/tap.sh
. tests/buildroot/lib.sh

src=/usr/src/ext4dio-$version

# installed_module: that of the root's own kernel.
installed_module() {
	module_of "$kver"
}

# suffix_of KERNEL: what follows ".ko" in the names of that kernel's own modules.
suffix_of() {
	local module
	module=$(find "/lib/modules/$1/kernel" -name '*.ko*' -print -quit)
	echo "${module##*.ko}"
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
ok "what the compiler said is in a log" grep -q 'CC \[M\] .*super\.o' "$log"
is "it was built without a warning" "$(grep -iE 'warning|error' "$log" || true)" ""
# DKMS of Debian 12 does not compress it.
xz -dcf "$(installed_module)" > /tmp/ext4dio.ko
ok "strings and nm find its names" sh -c 'strings -a /tmp/ext4dio.ko | grep -q EXT4DIO-fs &&
	nm /tmp/ext4dio.ko | grep -q " ext4dio_file_write_iter$"'
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
	gives "nobody else may change what DKMS runs as root" "" \
		find "$src" ! -user root -o ! -type l -perm /022
fi
ok "make dkms-remove" make dkms-remove
gives "DKMS has forgotten it" "" dkms status ext4dio
is "the module file is gone" "$(installed_module)" ""
ok "the source is gone" test ! -e "$src"
is "no alias is left" "$(grep -c ext4dio "/lib/modules/$kver/modules.alias")" 0
ok "make dkms-remove with nothing installed is no error" make dkms-remove
is "nothing of it is left" "$(find / -xdev \( -path /proc -o -path /sys -o -path /tmp \
	-o -path /root -o -path /out \) -prune -o -name '*ext4dio*' -print)" ""

# --- other kernels -----------------------------------------------------------

other=$series.800-other		# of the same point release
next=$series.801-next		# of one that is to come
tarball=/usr/src/linux-source-$series.tar.xz
slim_source "$tarball"
another_kernel "$other"
another_kernel "$next" 250
for kernel in "$other" "$next"; do
	cp "/lib/modules/$kver"/modules.{order,builtin,builtin.modinfo} "/lib/modules/$kernel"
	touch "/lib/modules/$kernel/modules.dep"
done
for v in 0.2 0.3 0.4 0.5 0.6; do
	quick_version $v
done

# install VERSION KERNEL: by make.
install() {
	make -C "/tmp/$1" dkms-install KVER="$2"
}

ok "another kernel gets the module" install 0.2 "$kver"
ok "and this one" dkms install ext4dio/0.2 -k "$other"
is "both have it" "$(modules)" "$kver 0.2 $other 0.2"
before=$(state)
refuses "no kernel of that name: says so" "no kernel headers for 9.9.9: .* linux-headers-9.9.9" \
	install 0.2 9.9.9
is "and nothing has changed" "$(state)" "$before"

echo 'MODULE_INFO(mark, "again");' >> /tmp/0.2/ext4dio/ident.c
ok "make dkms-install for one kernel, the same version again" install 0.2 "$kver"
is "both have the new one" \
	"$(modinfo -k "$kver" -F mark ext4dio; modinfo -k "$other" -F mark ext4dio)" \
	$'again\nagain'
is "and DKMS knows nothing else" "$(dkms status ext4dio | sort)" "$(printf '%s\n' \
	"ext4dio/0.2, $kver, $(uname -m): installed" \
	"ext4dio/0.2, $other, $(uname -m): installed" | sort)"

# linux-source goes on to the next point release, and the mirror has no other.
origin=$(modinfo -k "$kver" -F forked_from ext4dio)
mv "$tarball" /root/source
cp /var/lib/dpkg/status /root/status
slim_source "$tarball" 250 /root/source
sed -i "/^Package: linux-source-$series$/,/^$/s/^Version: .*/Version: $series.250-1/" \
	/var/lib/dpkg/status
ok "the next point release comes, and a newer version" install 0.3 "$next"
is "all kernels have it" "$(modules)" "$kver 0.3 $other 0.3 $next 0.3"
is "the one of the release that is gone was forked from that" \
	"$(modinfo -k "$kver" -F forked_from ext4dio)" "$origin"

# What was kept is of another build of that name; the headers of the other are lost.
sed -i 's/" Debian .*"/" Debian 1-1"/' \
	"/usr/src/linux-headers-$other/include/generated/package.h"
mv "/lib/modules/$kver/build" /root/build
before=$(sha256sum "$(module_of "$kver")" "$(module_of "$other")")
says "a kernel without its source keeps the module, with a sentence" \
	"kernel $other keeps the module it has, of version 0.3, not 0.4: it could not be built" \
	install 0.4 "$next"
is "the same one, and so does one without headers" \
	"$(sha256sum "$(module_of "$kver")" "$(module_of "$other")")" "$before"
is "which modprobe finds" "$(modprobe -S "$other" --show-depends ext4dio)" \
	"insmod $(module_of "$other") "
is "DKMS knows who has what" "$(dkms status ext4dio | sed 's/ (.*//' | sort)" "$(printf '%s\n' \
	"ext4dio/0.0-kept, $kver, $(uname -m): installed" \
	"ext4dio/0.0-kept, $other, $(uname -m): installed" \
	"ext4dio/0.4, $next, $(uname -m): installed" | sort)"

# The headers come back; the hook that linux-headers runs replaces a newer module.
says "back to an older version, which one without headers does not get" \
	"kernel ${kver//+/.} keeps the module it has, of version 0.3, not 0.2: .* no headers" \
	install 0.2 "$next"
is "it does not" "$(modules)" "$kver 0.3 $other 0.3 $next 0.2"
mv /root/build "/lib/modules/$kver/build"
ok "the headers are back" /etc/kernel/header_postinst.d/dkms "$kver"
is "and that kernel has the version that was asked for" "$(modules)" \
	"$kver 0.2 $other 0.3 $next 0.2"

sed -i 's/pr_info_once/no_such_function/' /tmp/0.5/ext4dio/ident.c
before=$(find /lib/modules -name 'ext4dio.ko*' -exec sha256sum {} +)
refuses "one that does not compile is an error" "keeps the module it has, of version 0.2, not 0.5" \
	install 0.5 "$next"
is "and every kernel keeps what it has" \
	"$(find /lib/modules -name 'ext4dio.ko*' -exec sha256sum {} +)" "$before"

# A full disk, on which the one that is there is overwritten by half of a larger one.
dir=/lib/modules/$next/updates/dkms
mkdir /tmp/dir
mv "$dir"/* /tmp/dir
mount -t tmpfs -o size=1M tmpfs "$dir"
mv /tmp/dir/* "$dir"
echo 'const char padding[2 << 20] = { 1 };' >> /tmp/0.6/ext4dio/ident.c
before=$(sha256sum "$dir"/*)
refuses "no room" "kernel $next keeps the module it has, of version 0.2, not 0.6" \
	install 0.6 "$next"
is "the module is there again" "$(sha256sum "$dir"/*)" "$before"
umount "$dir"
mkdir -p "$dir"
ok "with room" install 0.6 "$next"
is "all have it that can be built" "$(modules)" "$kver 0.6 $other 0.3 $next 0.6"

# The kernel's image comes after its headers: only now does dkms compress the module.
mkdir -p "/lib/modules/$next/kernel"
find "/lib/modules/$kver/kernel" -name 'crc*.ko*' -exec cp {} "/lib/modules/$next/kernel" \;
ok "the image comes, and that kernel has the module again" install 0.6 "$next"
is "as one file, like its others" "$(module_of "$next")" \
	"/lib/modules/$next/updates/dkms/ext4dio.ko$(suffix_of "$kver")"

ok "dkms remove for one kernel" dkms remove ext4dio/0.6 -k "$kver"
is "takes what was kept for it" "$(ls /var/lib/ext4dio)" "$other"$'\n'"$next"
rm -r "/lib/modules/$other"
ok "a kernel goes, and all goes on" install 0.6 "$next"
is "with all that was kept for it" "$(ls /var/lib/ext4dio)" "$next"
is "DKMS has only what is left" "$(dkms status ext4dio)" \
	"ext4dio/0.6, $next, $(uname -m): installed"
ok "make dkms-remove for all of them" make dkms-remove
is "nothing of it is left" "$(find / -xdev \( -path /proc -o -path /sys -o -path /tmp \
	-o -path /root -o -path /out \) -prune -o -name '*ext4dio*' -print)" ""
rm -rf "/lib/modules/$next"

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
	cp -a dkms.conf Kbuild Makefile ext4dio fork "$src"
	dkms add "ext4dio/$version" > /dev/null
}

# build: what a kernel upgrade does for one module.
build() {
	dkms build "ext4dio/$version" -k "${1:-$kver}"
}

# The source of the root's own kernel is back.
mv /root/source "$tarball"
cp /root/status /var/lib/dpkg/status
register
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
	"$src/fork/identity/no-ext2-ext3.cocci"
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
