#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# html.sh MAN GENERATED OUT: every page as HTML, with links between them, and an index.
set -eu
man=$1 generated=$2 out=$3
rm -rf "$out"
mkdir -p "$out"
cp "$man/manual.css" "$out/"
for page in "$man"/*.[1-8] "$generated"/tenuo-*.3; do
    name=$(basename "$page")
    mandoc -T html -O style=manual.css,man=%N.%S.html "$page" >"$out/$name.html"
done
{
    echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Tenuo for Linux: manual</title>'
    echo '<link rel="stylesheet" href="manual.css"></head><body><h1>Tenuo for Linux: manual</h1><ul>'
    for page in "$out"/*.[1-8].html; do
        name=$(basename "$page" .html)
        about=$(tr '\n' ' ' <"$page" | sed -n 's/.*<[a-z]* class="Nd"[^>]*>\([^<]*\)<.*/\1/p')
        echo "<li><a href=\"$name.html\">$name</a> $about</li>"
    done
    echo '</ul></body></html>'
} >"$out/index.html"
echo "$out/index.html"
