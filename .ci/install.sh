#!/bin/sh
# install.sh PROGRAM PREFIX: PREFIX/bin/madezip, with madezip-torch if it lies beside it, and the
# libraries they need that are not the system's own as real files in PREFIX/lib/madezip, where
# their run path looks first.
set -eu
program=$1 prefix=$2
torch=$(dirname "$program")/madezip-torch
linked=$program
set -- "$program"
if [ -x "$torch" ]; then
    linked=$torch
    set -- "$program" "$torch"
fi
lib=$prefix/lib/madezip
mkdir -p "$prefix/bin" "$lib"

case $(uname -s) in
Darwin) # untried
    list() { otool -l "$linked" | awk '/LC_RPATH/{f=1} f&&/path /{print $2; f=0}' |
        grep -v '^@' | while read -r folder; do ls "$folder"/*.dylib; done; } ;;
*)
    needed() { ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// {print $3}'; }
    # libtorch's part for CUDA, where it has one: loaded at run time, from the same folder
    cuda_part() {
        needed "$linked" | sed -n 's/libtorch_cpu\.so$/libtorch_cuda.so/p' | while read -r cuda; do
            [ ! -e "$cuda" ] || echo "$cuda"
        done
    }
    list() {
        {
            needed "$linked"
            cuda_part | while read -r cuda; do echo "$cuda" && needed "$cuda"; done
        } | grep -Ev '^/(usr/)?lib(32|64)?/' || true
    } ;;
esac
if [ "$(uname -s)" != Darwin ] && {
    ldd "$linked"
    cuda_part | while read -r cuda; do ldd "$cuda"; done
} | grep 'not found'; then
    echo "install: $linked does not find its libraries; run make build first" >&2
    exit 1
fi
# Copy beside, then rename: a madezip that runs now keeps the files it has open.
put() { # FROM TO
    cp -L "$1" "$2.new$$" && mv -f "$2.new$$" "$2"
}
libraries=$(list | sort -u)
echo "$libraries" | while read -r library; do
    to=$lib/$(basename "$library")
    [ ! -f "$library" ] || [ "$library" -ef "$to" ] || put "$library" "$to"
done
# What another libtorch left there does not fit, and its part for CUDA would be loaded.
for old in "$lib"/lib*; do
    echo "$libraries" | sed 's|.*/||' | grep -Fxq "$(basename "$old")" || rm -f "$old"
done
for from; do
    to=$prefix/bin/$(basename "$from")
    put "$from" "$to"
    chmod 755 "$to"
    "$to" --version
done
# The manual's pages and completions come from the program's own definition.
share=$prefix/share madezip=$prefix/bin/$(basename "$program")
mkdir -p "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions" \
    "$share/fish/vendor_completions.d"
"$madezip" man --dir "$share/man/man1"
"$madezip" completions bash >"$share/bash-completion/completions/madezip"
"$madezip" completions zsh >"$share/zsh/site-functions/_madezip"
"$madezip" completions fish >"$share/fish/vendor_completions.d/madezip.fish"
echo "installed in $prefix/bin, $lib and $share (manual, completions)"
