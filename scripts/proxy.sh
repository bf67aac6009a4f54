# A media proxy for a test script, on a run directory of its own and free ports. To be sourced.

# start_proxy PROGRAM DIRECTORY: starts it and waits until its socket is there.
start_proxy() {
    local program=$1 i
    proxy_log=$2/proxy.log
    export MCM_RUN_DIR=$2/run
    mkdir "$MCM_RUN_DIR"
    unset MCM_MEDIA_PROXY_IP MCM_MEDIA_PROXY_PORT MCM_LOG
    "$program" --sdk 0 --grpc 0 >"$proxy_log" 2>&1 &
    proxy_pid=$!
    for ((i = 0; i < 400; i++)); do
        [ ! -S "$MCM_RUN_DIR/media_proxy.sock" ] || return 0
        proxy_lives || break
        sleep 0.05
    done
    echo 'media_proxy did not come up:'
    cat "$proxy_log"
    return 1
}

proxy_lives() { kill -0 "$proxy_pid" 2>/dev/null; }

stop_proxy() {
    [ -n "${proxy_pid:-}" ] || return 0
    kill "$proxy_pid" 2>/dev/null || true
    wait "$proxy_pid" 2>/dev/null || true
}
