#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# html.sh MAN GENERATED OUT: every page as HTML, with links between them and to the distribution's pages, and an index.
set -eu
man=$1 generated=$2 out=$3
rm -rf "$out"
mkdir -p "$out/pages"
cp "$man/manual.css" "$out/"
cp "$man"/*.[1-8] "$generated"/tenuo-*.[13] "$out/pages/" # mandoc looks beside itself which there are
cd "$out/pages"
for page in *; do
    mandoc -T html -O 'style=manual.css,man=%N.%S.html;https://manpages.debian.org/%N.%S' "$page" >"../$page.html"
done
cd ..
rm -r pages
{
    echo '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Tenuo for Linux: manual</title>'
    echo '<link rel="stylesheet" href="manual.css"></head><body><h1>Tenuo for Linux: manual</h1><ul>'
    for page in *.[1-8].html; do
        name=${page%.html}
        about=$(tr '\n' ' ' <"$page" | sed -n 's/.*<[a-z]* class="Nd"[^>]*>\([^<]*\)<.*/\1/p')
        echo "<li><a href=\"$page\">$name</a> $about</li>"
    done
    echo '</ul></body></html>'
} >index.html
echo "$PWD/index.html"
