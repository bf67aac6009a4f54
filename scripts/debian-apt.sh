# An apt for one suite of Debian that installs nothing: configuration, state and packages are its own. To be sourced.

# debian_apt SUITE CACHE: from here on apt-get is for this suite. Packages stay in CACHE for the next time.
debian_apt() {
    local suite=$1 cache=$2 keyring=/usr/share/keyrings/debian-archive-keyring.gpg needed
    for needed in apt-get dpkg-deb; do
        command -v "$needed" >/dev/null || { echo "$needed is needed to get FFmpeg of Debian $suite" >&2; return 1; }
    done
    [ -e "$keyring" ] || { echo "there is no $keyring: install debian-archive-keyring" >&2; return 1; }

    mkdir -p "$cache"/{none,state/lists/partial,archives/partial}
    # For this apt, no package is installed, so that it gets all of them.
    : >"$cache/status"
    printf '%s [signed-by='"$keyring"'] http://deb.debian.org/debian %s main\n' deb "$suite" deb-src "$suite" \
        >"$cache/sources.list"
    # A mirror may be behind: what it has is good enough for tests, and the signatures are checked all the same.
    cat >"$cache/apt.conf" <<END
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Cache "$cache";
Dir::Cache::archives "$cache/archives";
Dir::Etc::parts "$cache/none";
Dir::Etc::preferences "$cache/none/preferences";
Dir::Etc::preferencesparts "$cache/none";
Dir::Etc::sourcelist "$cache/sources.list";
Dir::Etc::sourceparts "$cache/none";
Dir::State "$cache/state";
Dir::State::status "$cache/status";
END
    export APT_CONFIG=$cache/apt.conf
    apt-get -qq update
}
