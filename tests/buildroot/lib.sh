# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# More kernels and more versions of ext4dio, for the scripts here: what DKMS does with them
# is seen with a module of one file, forked without rules, in seconds.

kver=$(basename /lib/modules/*)
series=$(echo "$kver" | cut -d. -f1,2)
# shellcheck disable=SC2034 # of the scripts here
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

# another_kernel KERNEL [SUBLEVEL] [ROOT]: the headers of the root's own kernel under another
# name, of another point release if SUBLEVEL is not empty; below the folder ROOT.
another_kernel() {
	local common root=${3:-} headers=/usr/src/linux-headers-$1
	mkdir -p "$root/usr/src" "$root/lib/modules/$1"
	cp -a "$(readlink -f "/lib/modules/$kver/build")" "$root$headers"
	sed -i "s/$kver/$1/" \
		"$root$headers"/{Makefile,include/{config/kernel.release,generated/utsrelease.h}}
	ln -s "$headers" "$root/lib/modules/$1/build"
	[ -n "${2:-}" ] || return 0
	common=$(sed -n 's,^include \(.*\)/Makefile$,\1,p' "$root$headers/Makefile")
	mkdir "$root$headers-common"
	ln -s "$common"/* "$root$headers-common"
	rm "$root$headers-common/Makefile"
	sed "s/^SUBLEVEL = .*/SUBLEVEL = $2/" "$common/Makefile" > "$root$headers-common/Makefile"
	sed -i "s,$common/,$headers-common/," "$root$headers/Makefile"
	sed -i "s/\" Debian .*\"/\" Debian $series.$2-1\"/" \
		"$root$headers/include/generated/package.h"
}

# slim_source FILE [SUBLEVEL [TARBALL]]: what the fork reads of the tarball of linux-source, which
# may have gone to TARBALL, as FILE; of another point release if SUBLEVEL is given.
slim_source() {
	mkdir /tmp/slim
	tar -xf "${3:-/usr/src/linux-source-$series.tar.xz}" -C /tmp/slim \
		--wildcards --no-wildcards-match-slash \
		'*/Makefile' '*/fs/ext4/*.[ch]' '*/fs/ext4/Makefile' '*/include/trace/events/ext4.h'
	[ -z "${2:-}" ] ||
		sed -i "s/^SUBLEVEL = .*/SUBLEVEL = $2/" "/tmp/slim/linux-source-$series/Makefile"
	mkdir -p "$(dirname "$1")"
	XZ_OPT=-0 tar -C /tmp/slim -cJf "$1" "linux-source-$series"
	rm -r /tmp/slim
}

# quick_version VERSION: the source of such a module, of that version, in /tmp/VERSION.
quick_version() {
	cp -a . "/tmp/$1"
	(
		cd "/tmp/$1" || exit
		sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$1\"/" dkms.conf
		{
			printf 'ext4dio (%s) unstable; urgency=medium\n\n  * Next.\n\n' "$1"
			grep -m 1 '^ -- ' debian/changelog
			echo
			cat debian/changelog
		} > /tmp/changelog
		mv /tmp/changelog debian/changelog
		rm fork/*/*.cocci
		echo 'MODULE_LICENSE("GPL");' >> ext4dio/ident.c
		printf '%s\n' 'obj-m := ext4dio.o' 'ext4dio-y := ident.o' > Kbuild
	)
}

# module_of KERNEL: its installed module, whatever compression DKMS chose.
module_of() {
	find "/lib/modules/$1/updates" -name 'ext4dio.ko*' 2> /dev/null
}

# module_says KERNEL FIELD: what its installed module says of itself.  ("modinfo -k" looks for it in
# modules.dep, which comes with the kernel's image.)
module_says() {
	modinfo -F "$2" "$(module_of "$1")"
}

# modules: the kernels that have the module, and its version, on one line.
modules() {
	local kernel
	for kernel in /lib/modules/*; do
		kernel=${kernel##*/}
		[ -z "$(module_of "$kernel")" ] ||
			echo "$kernel $(module_says "$kernel" version)"
	done | xargs
}

# state: all that an installation changes.
state() {
	dkms status ext4dio
	find /lib/modules -name 'ext4dio.ko*' -exec sha256sum {} +
	ls /usr/src
}
