# PostgreSQL clusters below $home, on loopback and nowhere else; read by scripts that have set $home and a function fail.
# shellcheck shell=sh disable=SC2154

# PostgreSQL refuses to be run by root, and its folders have to belong to who runs it.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/tmp "$@")
    else
        "$@"
    fi
}

# The newest PostgreSQL of this machine, in $bin. Debian keeps its programs off the PATH.
find_postgres() {
    bin=
    for folder in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin; do
        [ -x "$folder/initdb" ] && bin=$folder
    done
    [ -n "$bin" ] || { command -v initdb >/dev/null 2>&1 && bin=$(dirname "$(command -v initdb)"); }
    [ -n "$bin" ] || fail "PostgreSQL is missing; run scripts/install-needs postgres"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

answers() {
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()' "$1" 2>/dev/null
}

# The folder where the server can reach its data: $home may lie below a folder that only its owner may enter.
data_folder() {
    if [ "$(id -u)" = 0 ]; then
        made=$(cat "$home/data" 2>/dev/null || true)
        if [ ! -d "$made" ]; then
            made=$(mktemp -d "${TMPDIR:-/tmp}/comboi-postgres.XXXXXX")
            chown postgres "$made"
            echo "$made" >"$home/data"
        fi
        echo "$made"
    else
        mkdir -p "$home/own"
        echo "$home/own"
    fi
}

# A new cluster in $data: its folder's name, its port. Its superuser postgres has the password comboi.
new_cluster() {
    echo comboi >"$data/password"
    as_server "$bin/initdb" -D "$data/$1" -U postgres --auth=scram-sha-256 --pwfile="$data/password" -E UTF8 --no-locale >"$home/initdb.log" 2>&1 ||
        fail "initdb failed; see $home/initdb.log"
    cat >>"$data/$1/postgresql.conf" <<-END
	listen_addresses = '127.0.0.1, ::1'
	port = $2
	unix_socket_directories = '$data'
	END
}

start_cluster() {
    as_server "$bin/pg_ctl" -D "$data/$1" -l "$data/$1.log" -w -t 60 start >/dev/null || fail "PostgreSQL did not start; see $data/$1.log"
}

# Its name, then how: fast ends what is going on, immediate does not even write it down.
stop_cluster() {
    [ ! -f "$data/$1/postmaster.pid" ] || as_server "$bin/pg_ctl" -D "$data/$1" -m "$2" -w stop >/dev/null 2>&1 || true
}
