#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The fork generator, run where a kernel's headers and source are installed.
#
# Its promises: the fork is stock ext4 under another name and nothing else but
# the rules; a rule applies, finds itself applied already, or is refused by name;
# the step repeats only when an input changed and never leaves half a tree; what
# it cannot serve it refuses with a sentence.
#
# usage: fork.sh [short]	short: only what depends on the kernel
set -euo pipefail
. tests/tap.sh

fork=$PWD/fork/fork
kver=$(basename /lib/modules/*)
kver_re=${kver//+/\\+}
work=$(mktemp -d)
trap 'umount "$work/frozen" 2> /dev/null || true; rm -rf "$work"' EXIT
out=$work/out
series=$(echo "$kver" | cut -d. -f1,2)

# forks ARGS...: run the generator for the installed kernel.
forks() {
	"$fork" --kver "$kver" "$@"
}

# rename_back DIR: undo the rename in DIR; knows nothing of how it was done.
rename_back() {
	local file bare='s/\bext4dio_(extent_status|pending_reservation|bio_post_read_ctx)\b/\1/g'
	# 6.1 itself has ext4 in the names of these caches.
	! grep -q '"ext4_extent_status"' "$out.stock/fs/ext4/extents_status.c" || bare=
	find "$1" -type f -exec sed -Ei -e "$bare" \
		-e 's/ext4dio/ext4/g; s/EXT4DIO/EXT4/g' {} +
	for file in "$1"/ext4dio*; do
		mv "$file" "${file/ext4dio/ext4}"
	done
	mkdir -p "$1/fs"
	mv "$1/include/trace/events/ext4dio.h" "$1/include/trace/events/ext4.h"
	mv "$1/stock.mk" "$1/Makefile"
}

# same_as_stock DIR: the differences between the stock files and the fork in DIR,
# renamed back, as unified diff without context.
same_as_stock() {
	local dir=$1 file
	rename_back "$dir"
	for file in "$out.stock"/fs/ext4/*; do
		diff -U0 "$file" "$dir/${file##*/}" || [ $? -eq 1 ]
	done
	diff -U0 "$out.stock/include/trace/events/ext4.h" "$dir/include/trace/events/ext4.h" ||
		[ $? -eq 1 ]
}

# --- equivalence -----------------------------------------------------------

ok "the fork is made" forks --out "$out"
forks --out "$out" --rules none > /dev/null
mkdir "$work/none" && cp -r "$out"/. "$work/none"
gives "without rules the fork, renamed back, is stock ext4 byte for byte" "" \
	same_as_stock "$work/none"
is "every stock file is in the fork" \
	"$(cd "$work/none" && find . -maxdepth 1 -type f -name '*.[ch]' ! -name origin.h | wc -l)" \
	"$(find "$out.stock/fs/ext4" -name '*.[ch]' | wc -l)"

forks --out "$out" --rules identity > /dev/null
mkdir "$work/identity" && cp -r "$out"/. "$work/identity"
same_as_stock "$work/identity" > "$work/identity.diff"
promised=$(awk '$2 == "sites:" { n += $3 } END { print n }' fork/identity/*.cocci)
is "the identity edits touch as many places as their headers say" \
	"$(grep -c ^@@ "$work/identity.diff")" "$promised"
is "the identity edits touch one file" \
	"$(sed -n 's,^--- .*/fs/ext4/\([a-z0-9_.]*\)\s.*,\1,p' "$work/identity.diff")" super.c

# --- exports ---------------------------------------------------------------

# compiled_for_tests: compile what has anything to do with ext4's unit tests, or exports, as if
# the kernel had those tests, and print the symbols that are exported and the tests' sections.
kdir=/lib/modules/$kver/build
forks --out "$out" > /dev/null
mapfile -t exporters < <(cd "$out" && grep -lE 'KUNIT_TESTS|EXPORT_SYMBOL' ./*.c | grep -v test)
compiled_for_tests() {
	local objects=("${exporters[@]/%.c/.o}") object
	(cd "$out" && rm -f "${objects[@]}")
	make -C "$kdir" M="$out" KCFLAGS=-DCONFIG_EXT4_KUNIT_TESTS=1 "${objects[@]#./}" > \
		"$work/make.log" 2>&1 || { grep -m3 error "$work/make.log"; return; }
	(cd "$out" && for object in "${objects[@]}"; do
		nm "$object" && readelf -SW "$object"
	done | grep -oE '(__ksymtab|__export_symbol)_\w+|\.kunit\w+' || true)
}
# warnings: what the compiler says of our own files with the kernel's W=1.
warnings() {
	local files=(ext4dio/*.c)
	files=("${files[@]##*/}")
	make -C "$kdir" M="$out" W=1 "${files[@]/%.c/.o}" > "$work/make.log" 2>&1 ||
		echo "it does not compile"
	grep -E 'warning:|error:' "$work/make.log" || true
}
gives "the compiler finds nothing in our files with W=1" "" warnings
echo 'int ext4dio_undeclared(void) { return 0; }' > "$work/modified.c"
cat ext4dio/modified.c >> "$work/modified.c"
ln -sf "$work/modified.c" "$out/modified.c"
ok "where it would find something" grep -q "no previous prototype" <<< "$(warnings)"
ln -sf "$PWD/ext4dio/modified.c" "$out/modified.c"

# 6.1 has neither.
if [ "${#exporters[@]}" -gt 0 ]; then
	is "with ext4's unit tests in the kernel nothing is exported, and no test comes along" \
		"$(compiled_for_tests)" ""
	sed 's/-include [^ ]*no_exports.h//' Kbuild > "$work/Kbuild"
	ln -sf "$work/Kbuild" "$out/Kbuild"
	ok "which the test would see" [ "$(compiled_for_tests)" ]
fi
rm -rf "$out"

if [ "${1:-}" = short ]; then
	done_testing
	exit
fi

# --- the kernel's own style -------------------------------------------------

# Not what fits no module for several releases, nor macros that make lists.
mkdir "$work/checkpatch"
tar -xf "/usr/src/linux-source-$series.tar.xz" -C "$work/checkpatch" --strip-components=2 \
	--wildcards '*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
	'*/scripts/const_structs.checkpatch'
gives "checkpatch finds nothing in the kernel code" "" perl "$work/checkpatch/checkpatch.pl" \
	--no-tree --no-summary --quiet --terse --show-types --max-line-length=100 --ignore \
	"$(echo LINUX_VERSION_CODE CONSTANT_COMPARISON COMPLEX_MACRO MACRO_ARG_UNUSED \
		ALLOC_WITH_SIZEOF TRAILING_SEMICOLON NEW_TYPEDEFS | tr ' ' ,)" \
	-f ext4dio/*.[ch]

# --- incremental -----------------------------------------------------------

# quick ARGS...: the same without what takes most of the time, where the rules do not matter.
quick() {
	forks --rules identity "$@"
}

quick --out "$out" > /dev/null
before=$(stat -c %i "$out")
gives "a second run has nothing to do and says nothing" "" quick --out "$out"
is "and leaves the tree alone" "$(stat -c %i "$out")" "$before"

# fresh_tree: put the stock source, unpacked and unaltered, into $tree.
tree=$work/tree
fresh_tree() {
	rm -rf "$tree"
	quick --out "$work/fresh" > /dev/null
	cp -r "$work/fresh.stock" "$tree"
}
fresh_tree
quick --out "$out" --ksrc "$tree" > /dev/null
touch "$tree/fs/ext4/super.c"
ok "a changed source file makes it run again" \
	grep -q forking <<< "$(quick --out "$out" --ksrc "$tree")"
cp -r fork "$work/rules"
quick --out "$out" --rules-dir "$work/rules" > /dev/null
echo "// a remark" >> "$work/rules/identity/ident.cocci"
ok "a changed rule makes it run again" \
	grep -q forking <<< "$(quick --out "$out" --rules-dir "$work/rules")"

# Stop it at each stage, which shows by what there is in the folder that it works in, and
# interrupt it there: what is at OUT is the fork that was there, the new one, or nothing.
forks --out "$work/old" --ksrc "$tree" --rules none > /dev/null
forks --out "$work/new" --ksrc "$tree" --rules identity > /dev/null
# whole: so it is.
whole() {
	[ -e "$work/cut" ] || return 0
	local fork
	for fork in old new; do
		! diff -r --no-dereference "$work/$fork" "$work/cut" -x .fork.json -x origin.h \
			> /dev/null || return 0
	done
	return 1
}
halves=""
met=0
for stage in '.cut.stock.????????.tmp' '.cut.????????.tmp/'{.work,block_validity.c,super.c}; do
	for signal in INT TERM KILL; do
		rm -rf "$work/cut" "$work/cut.stock"
		cp -a "$work/old" "$work/cut"
		[[ $stage == *stock* ]] || cp -a "$work/old.stock" "$work/cut.stock"
		# (In the background a script's commands ignore SIGINT.)
		env --default-signal=INT "$fork" --kver "$kver" --ksrc "$tree" \
			--out "$work/cut" --rules identity > /dev/null 2>&1 &
		while kill -0 $! 2> /dev/null && ! compgen -G "$work/$stage" > /dev/null; do
			:
		done
		if kill -STOP $! 2> /dev/null; then
			! compgen -G "$work/$stage" > /dev/null || met=$((met + 1))
			whole || halves+="$stage, before; "
			# One that is killed, or had ended, may have no process any more.
			kill -$signal $! 2> /dev/null || true
			kill -CONT $! 2> /dev/null || true
		fi
		wait $! || true
		whole || halves+="$stage, $signal; "
	done
done
is "interrupted at four stages, it never left half a tree" "$halves" ""
ok "half a tree was in the making $met times of 12" test $met -ge 8
left() {
	find "$work" -maxdepth 1 -name '.cut*.tmp'
}
ok "one that was killed leaves it behind" test -n "$(left)"
quick --ksrc "$tree" --out "$work/cut" > /dev/null
gives "the next run removes that" "" left

# --- rules -----------------------------------------------------------------

# The tree with the drain taken out of the buffered write path needs the rule; the
# tree that this gives has it.  No other rule is there to be refused first.
rule=drain-before-buffered
mkdir -p "$work/one/rules"
cp -r fork/identity "$work/one"
: > "$work/one/bodies"
cp "fork/rules/$rule.cocci" "$work/one/rules"
fork_with_rule() {
	forks --out "$out" --ksrc "$tree" --rules-dir "$work/one"
}
edit_buffered() {
	sed -i "/^static ssize_t ext4_buffered_write_iter/,/^}/ { $1 }" "$tree/fs/ext4/file.c"
}
edit_buffered '/inode_dio_wait(inode);/d'
ok "a rule that fits is applied and the build says so" \
	grep -q "rule $rule: applied, 1 place" <<< "$(fork_with_rule)"
is "and its change is in the result" \
	"$(sed -n '/^static ssize_t ext4dio_buffered_write_iter/,/^}/p' "$out/file.c" |
		grep -A1 'inode_lock(inode);' | tail -1 | tr -d '\t')" "inode_dio_wait(inode);"
edit_buffered 's/inode_lock(inode);/&\n\tinode_dio_wait(inode);/'
ok "a kernel that has the change already is left alone and the build says so" \
	grep -q "rule $rule: already there" <<< "$(fork_with_rule)"
is "the change is not made twice" \
	"$(sed -n '/^static ssize_t ext4dio_buffered_write_iter/,/^}/p' "$out/file.c" |
		grep -c 'inode_dio_wait(inode);')" 1

edit_buffered '/inode_dio_wait(inode);/d; s/inode_lock(inode)/ext4_lock_it(inode)/'
before=$(stat -c %i "$out")
refuses "a tree where a rule finds nothing is refused by rule, file and kernel" \
	"rule '$rule' does not fit file.c of kernel $kver_re .*0 places instead of 1" \
	fork_with_rule
is "a refused tree leaves the last good fork in place" "$(stat -c %i "$out")" "$before"
sed -i 's/ext4_buffered_write_iter/ext4_other_write_iter/' "$tree/fs/ext4/file.c"
refuses "so is a tree without the function" \
	"rule '$rule' does not fit file.c.*no function ext4_buffered_write_iter" \
	fork_with_rule
rm "$tree/fs/ext4/file.c"
refuses "so is a tree without the file" "rule '$rule' does not fit file.c.*no such file" \
	fork_with_rule
fresh_tree
sed -i '0,/\tregister_as_ext3();/s///' "$tree/fs/ext4/super.c"
sed -i 's/\tregister_as_ext2();//' "$tree/fs/ext4/super.c"
refuses "a rule that fits in fewer places than promised is refused" \
	"rule 'no-ext2-ext3' does not fit super.c.*7 places instead of 8" \
	forks --out "$out" --ksrc "$tree"
fresh_tree
sed -i 's/^\tunregister_filesystem(&ext4_fs_type);/&\n\tunregister_filesystem(\&ext3_fs_type);/' \
	"$tree/fs/ext4/super.c"
refuses "what no rule takes away, but must be gone in the end, is refused by the rule's name" \
	"rule 'no-ext2-ext3' does not fit super.c.*after all rules .* is not true" \
	forks --out "$out" --ksrc "$tree"
fresh_tree
sed -i 's/#include "ext4_jbd2.h"/&\n#include "dio_mount.h"/' "$tree/fs/ext4/sysfs.c"
refuses "half of a change is no change" \
	"rule 'dio-mount-sysfs' does not fit sysfs.c.*half of its change is there" \
	forks --out "$out" --ksrc "$tree"
fresh_tree
sed -i 's/kmem_cache_create\(_usercopy\)\?("ext4_inode_cache"/kmem_cache_create("inodes"/' \
	"$tree/fs/ext4/super.c"
refuses "a slab cache that the rename does not know is refused" 'slab cache is called "inodes"' \
	forks --out "$out" --ksrc "$tree"

# wrong_header TEXT: a fork by $rule with TEXT in its header.
wrong_header() {
	sed "s|^// sites.*|&\n$1|" "fork/rules/$rule.cocci" > \
		"$work/one/rules/$rule.cocci"
	fork_with_rule
}
refuses "that something is gone is no mark of a change" \
	"'present: \* !inode_lock' must say what is there.*what must be gone is a 'result'" \
	wrong_header '// present: * !inode_lock'
refuses "a word that a rule's header does not know is told" \
	'not a line of a rule.s header: // presents: \* x' wrong_header '// presents: * x'

# The same said in other words, for each rule: see there.
mutations=""
while IFS=$'\t' read -r verdict what why; do
	case $verdict in
	ok) pass "$what" ;;
	"not ok") not_ok "$what" "$why" ;;
	end) mutations=ended ;;
	*) diag "$verdict $what $why" ;;
	esac
done < <(tests/buildroot/mutate.py "$fork" fork "$work/fresh.stock" 2>&1)
is "every rule was tried on an ext4 in other words" "$mutations" ended

# --- what is replaced or relied on -----------------------------------------

# With one rule only, for what does not depend on them.
mkdir -p "$work/few/rules"
cp -r fork/{identity,bodies} "$work/few"
cp "fork/rules/$rule.cocci" "$work/few/rules"
few() {
	forks --out "$out" --ksrc "$tree" --rules-dir "$work/few" "$@"
}

fresh_tree
is "all that this ext4 has in the direct write path is known" \
	"$("$fork" --hashes --ksrc "$tree" | grep -c unknown)" 0
# edit_checks SED: edit the function that decides of a direct write.
edit_checks() {
	sed -i "/^static ssize_t ext4_dio_write_checks/,/^}/ { $1 }" "$tree/fs/ext4/file.c"
}
edit_checks 's|^{|{ /* a remark */|; s/ = /\n\t\t= /'
ok "a remark and another line break make no difference" few
edit_checks 's|^{.*|&\n\tif (iov_iter_count(from) > 4096)\n\t\treturn -EFBIG;|'
body=$("$fork" --hashes --ksrc "$tree" | sed -n 's/ *# unknown$//p')
is "a check that upstream adds there makes one function unknown" \
	"$(cut -d' ' -f1,2 <<< "$body")" "file.c ext4_dio_write_checks"
line=$(cut -d' ' -f1-3 <<< "$body")
refuses "an ext4 with it is refused by name, and what to do is said" \
	"replaces or relies on.*$kver_re.*: $line; look for.*/etc/ext4dio/bodies.*ANY_BODY=1" few
is "to DKMS that is a kernel to skip" \
	"$(few --dkms > /dev/null 2>&1 || echo $?)" 77
says "it is taken when the user says so" "warning: .*$line; going on because ANY_BODY is set" \
	few --any-body
refuses "which is not remembered" "$line" few
says "make hands that on" any-body make -n fork KVER="$kver" ANY_BODY=1
mkdir -p /etc/ext4dio
echo "$body # looked at" > /etc/ext4dio/bodies
ok "a body that somebody here has looked at is taken" few --dkms
edit_checks 's/4096/8192/'
refuses "but that one only" "file.c ext4_dio_write_checks" few
echo "file.c ext4_dio_write_checks" > /etc/ext4dio/bodies
refuses "half a line there is told" "/etc/ext4dio/bodies: not FILE FUNCTION HASH" few
rm -r /etc/ext4dio
fresh_tree
sed -i 's/\bext4_extending_io\b/ext4_growing_io/' "$tree/fs/ext4/file.c"
refuses "so is a function that is gone" "file.c ext4_extending_io none" few

# --- controls: without a rule ----------------------------------------------

fresh_tree
refuses "a rule that there is none of cannot be left out" "no-such: there is no such rule" \
	forks --out "$out" --without no-such
forks --out "$work/whole" --ksrc "$tree" > "$work/said"
is "the product lacks nothing" "$(grep -c without "$work/whole/origin.h")" 0
says "a rule that is left out is told" "^fork: rule fsync-aborted: left out; a module for tests" \
	forks --out "$work/whole" --ksrc "$tree" --without fsync-aborted
ok "so it is in the module's origin" grep -q ' without fsync-aborted"' "$work/whole/origin.h"
is "and its change is not in the result" \
	"$(grep -c is_journal_aborted "$work/whole/fsync.c")" 0
ok "a control undoes what is our own, in a copy" \
	forks --out "$work/whole" --ksrc "$tree" --without zero-tail
ok "of the file" grep -q '0 && dio_zero_tail' "$work/whole/dio_write.c"
is "not in the file" "$(grep -c '0 && dio_zero_tail' ext4dio/dio_write.c)" 0
says "the product comes back" "forking" forks --out "$work/whole" --ksrc "$tree"
is "as it was" "$(grep -c '0 && dio_zero_tail' "$work/whole/dio_write.c")" 0
for goal in install dkms-install; do
	refuses "make $goal installs no control" "is for tests, it is not installed" \
		make "$goal" KVER="$kver" BUILD="$work/make" WITHOUT=fsync-aborted
done
refuses "make takes WITHOUT= from its command line" "no-such: there is no such rule" \
	make fork KVER="$kver" BUILD="$work/make" WITHOUT=no-such
ok "and not from the environment" \
	env WITHOUT=no-such make fork KVER="$kver" BUILD="$work/make"

# --- where the source comes from -------------------------------------------

package=linux-source-$series
tarball=$(ls /usr/src/"$package".tar.*)
mkdir "$work/usr"
refuses "no kernel source: names the package" "install the package $package" \
	quick --out "$work/a" --usr-src "$work/usr"
mkdir -p "$work/usr/$package.0"
fresh_tree
mkdir "$work/pack" && cp -r "$tree" "$work/pack/$package.0"
tar -cJf "$work/usr/$package.0/$package.0.tar.xz" -C "$work/pack" "$package.0"
ln -s "$package.0/$package.0.tar.xz" "$work/usr/$package.0.tar.xz"
ok "Ubuntu's layout of /usr/src is found" quick --out "$work/ubuntu" --usr-src "$work/usr"
ok "KSRC= may name a tarball" quick --out "$work/a" --ksrc "$tarball"
fresh_tree
ok "KSRC= may name a tree" quick --out "$work/b" --ksrc "$tree"
ok "both give the same fork" diff -r --no-dereference -x .fork.json -x origin.h \
	"$work/a" "$work/b"

refuses "KSRC= that does not exist" "KSRC=/nowhere does not exist" \
	quick --out "$out" --ksrc /nowhere
mkdir "$work/empty"
refuses "KSRC= that is no kernel tree" "is no kernel source tree: it has no fs/ext4/super.c" \
	quick --out "$out" --ksrc "$work/empty"
tar -cf "$work/junk.tar" -C "$work" empty
refuses "KSRC= that is some other tarball" "is no kernel source: it has no fs/ext4/super.c" \
	quick --out "$out" --ksrc "$work/junk.tar"
echo text > "$work/junk.tar.xz"
refuses "KSRC= that is no tarball at all" "is no kernel source: .*(not recognized|tar: )" \
	quick --out "$out" --ksrc "$work/junk.tar.xz"

sed -i 's/^SUBLEVEL = .*/SUBLEVEL = 250/' "$tree/Makefile"
refuses "source of another stable release stops the build" \
	"is Linux $series.250, but the headers of $kver_re are Linux $series\..*ANY_RELEASE=1" \
	quick --out "$work/c" --ksrc "$tree"
fails "where source and headers fit, the module has nothing to say against itself" \
	grep -q CAVEAT "$out/origin.h"
ok "and is used when the user says so" quick --out "$work/c" --ksrc "$tree" --any-release
is "the module will say so at its first mount" "$(grep CAVEAT "$work/c/origin.h")" \
	'#define EXT4DIO_CAVEAT "the source was of another release or upload than the kernel"'

# Headers of the next upload of the same release.  Debian says so in package.h; where that is
# missing the package manager knows, which here is one of ours: it reads $work/owners, lines
# "PATH PACKAGE VERSION SOURCE-PACKAGE SOURCE-VERSION".
mkdir -p "$work/headers" "$work/bin"
cp -r "$kdir/include" "$kdir/Makefile" "$work/headers"
upload=$(dpkg-query -W -f '${Version}' "$package")
sed -i "s/ $upload\"/ ${upload}99\"/" "$work/headers/include/generated/package.h"
upload_re=${upload//+/\\+}
for_headers() {
	env PATH="$work/bin:$PATH" "$fork" --kver "$kver" --kdir "$work/headers" \
		--rules identity --out "$work/e" "$@"
}
refuses "source of another upload of the release stops the build" \
	"of linux $upload_re, but .* of $kver_re are of linux ${upload_re}99;.*ANY_RELEASE=1" \
	for_headers
says "and is used when the user says so" \
	"warning: .*$upload_re, but .*${upload_re}99; going on because ANY_RELEASE is set" \
	for_headers --any-release
cat > "$work/bin/dpkg-query" <<- 'EOF'
	#!/bin/bash
	owners=${0%/*}/../owners
	case $1 in
	-S) awk -v path="$2" '$1 == path { print $2 ": " $1; n++ } END { exit !n }' "$owners" ;;
	-W) awk -v name="$4" '$2 == name { print $2, $3; print $4, $5 }' "$owners" ;;
	esac
EOF
chmod +x "$work/bin/dpkg-query"
rm "$work/headers/include/generated/package.h"
# owners HEADERS SOURCE: sets the source packages and versions of headers and of the tarball.
owners() {
	printf '%s\n' "$work/headers/Makefile headers 1 $1" "$tarball $package 1 $2" \
		"$work/two/linux-source-$series one 1 linux 2-1" \
		"$work/two/linux-source-$series-b two 1 linux 2-2" > "$work/owners"
}
owners "linux 2-2" "linux 2-1"
refuses "so it does where only the package manager knows" \
	"is of linux 2-1, but the headers of $kver_re are of linux 2-2" for_headers
owners "linux 2-2+b1" "linux 2-2"
ok "a rebuild of the same source is the same" for_headers
owners "linux-mine 3" "linux 2-1"
ok "a kernel of one's own making has no upload to compare" for_headers
owners "linux 2-2" "linux 2-1"
fresh_tree
mkdir "$work/two"
cp -r "$tree" "$work/two/linux-source-$series"
cp -r "$tree" "$work/two/linux-source-$series-b"
says "of two sources of that release the one of the same upload is taken" \
	"reading fs/ext4 from $work/two/linux-source-$series-b" for_headers --usr-src "$work/two"
refuses "headers of another kernel than asked for" "is for kernel $kver_re, not 6.99.0-x" \
	"$fork" --kver 6.99.0-x --kdir "/lib/modules/$kver/build" --out "$work/d"
refuses "headers missing: names the package" "install the package linux-headers-6.99.0-x" \
	"$fork" --kver 6.99.0-x --out "$work/d"
mkdir -p "$work/clang/include/config"
printf 'modules:\n\t+@echo by LLVM=$(LLVM).\n' > "$work/clang/Makefile"
says "a kernel of gcc has its modules from gcc" '^by LLVM=\.$' \
	make -n module KVER="$kver" KDIR="$work/clang"
echo CONFIG_CC_IS_CLANG=y > "$work/clang/include/config/auto.conf"
says "one of clang from clang" '^by LLVM=1\.$' make -n module KVER="$kver" KDIR="$work/clang"
mkdir "$work/linux-5"
printf 'VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 200\nEXTRAVERSION =\n' > "$work/linux-5/Makefile"
refuses "a kernel older than 6.1" "Linux 5.10.200; ext4dio needs Linux 6.1 or newer" \
	"$fork" --kver 5.10.0-28-amd64 --kdir "$work/linux-5" --out "$work/d"
mkdir "$work/linux-99"
printf 'VERSION = 99\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n' > "$work/linux-99/Makefile"
fresh_tree
cp "$work/linux-99/Makefile" "$tree/Makefile"
newest=$(awk '/^[0-9]/ { print $1 }' tests/lab/kernels | sort -V | tail -1)
says "a kernel newer than all that are tested is served, and said to be untested" \
	"not been tested with a kernel that new; the newest is Linux $newest$" \
	"$fork" --kver 99.1.0-x --kdir "$work/linux-99" --out "$work/d" --ksrc "$tree" \
		--rules identity
ok "in its module too" grep -q "CAVEAT \"not tested with .*Linux $newest\"" "$work/d/origin.h"
refuses "coccinelle missing: names the package" "install the package coccinelle" \
	env PATH="$work/empty" "$(command -v python3)" "$fork" --kver "$kver" --out "$work/d"

# --- a build folder that cannot be written ----------------------------------

echo in the way > "$work/file"
refuses "a build folder below a file" "cannot write to the build folder $work/file" \
	forks --out "$work/file/x"
mkdir "$work/frozen" && mount -t tmpfs -o ro tmpfs "$work/frozen"
refuses "a build folder on a read-only file system" \
	"cannot write to the build folder $work/frozen: Read-only.*set BUILD=" \
	forks --out "$work/frozen/x"
umount "$work/frozen"

done_testing
