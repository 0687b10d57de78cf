#!/bin/sh
# install.sh PROGRAM PREFIX: PREFIX/bin/madezip, and the libraries it needs that are not the
# system's own as real files in PREFIX/lib/madezip, where its run path looks first.
set -eu
program=$1 prefix=$2
lib=$prefix/lib/madezip
mkdir -p "$prefix/bin" "$lib"

case $(uname -s) in
Darwin) # untried
    list() { otool -l "$program" | awk '/LC_RPATH/{f=1} f&&/path /{print $2; f=0}' |
        grep -v '^@' | while read -r folder; do ls "$folder"/*.dylib; done; } ;;
*)
    list() { ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' |
        grep -Ev '^/(usr/)?lib(32|64)?/' || true; } ;;
esac
if [ "$(uname -s)" != Darwin ] && ldd "$program" | grep 'not found'; then
    echo "install: $program does not find its libraries; run make build first" >&2
    exit 1
fi
# Copy beside, then rename: a madezip that runs now keeps the files it has open.
put() { # FROM TO
    cp -L "$1" "$2.new$$" && mv -f "$2.new$$" "$2"
}
list | sort -u | while read -r library; do
    to=$lib/$(basename "$library")
    [ "$library" -ef "$to" ] || put "$library" "$to"
done
put "$program" "$prefix/bin/madezip"
chmod 755 "$prefix/bin/madezip"
"$prefix/bin/madezip" --version
echo "installed in $prefix/bin and $lib"
