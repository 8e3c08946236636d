#!/bin/sh
# Ends a PostgreSQL server of the tests once no test process uses it, however those ended.
#
# $1: lock that starting and ending take; $2: lock that every user shares; $3: file that names the server;
# $4: folder of the server, to be removed.
set -u
exec 8>>"$1" 9>>"$2"
while sleep 1; do
    flock -x 8
    if flock -n -x 9; then
        rm -f "$3"
        read -r pid <"$4/data/postmaster.pid" && kill -QUIT "$pid"
        while [ -n "${pid:-}" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
        rm -rf "$4"
        exit
    fi
    flock -u 8
done
