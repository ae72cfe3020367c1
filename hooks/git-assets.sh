# git assets: what the hooks of all events share. Sourced by each of them, which has set `event` and
# defined `due`, "is this the moment to look?". POSIX sh.
#
# While the lockfile is the one that was last applied, no program is started, or cmp(1) at most.
# Nothing here makes a git command fail: only assets.hookStrict and the guards that somebody asked for
# do.

program=git-assets
program=${GIT_ASSETS_PROGRAM:-$program}
lockfile=assets.lock.toml
refused=3 # what `git assets hook` ends with when git is to see a failure; anything else is not git's

# Does a list of commands, such as git-rebase-todo, have more than $2 of them?
commands_left() {
    count=0
    if [ -f "$1" ]; then
        while read -r word _; do
            case $word in '' | '#'*) ;; *) count=$((count + 1)) ;; esac
        done <"$1"
    fi
    [ "$count" -gt "$2" ]
}

# git writes what it changes anew: a lockfile that is older than what was last applied is the same,
# and asking for that starts no process. Equal times, and shells without -ot (before POSIX.1-2024), say
# no, and then the bytes are compared.
older() { [ "$lockfile" -ot "$applied" ]; } 2>/dev/null

# Is the work tree's lockfile another one than was last applied?
changed() {
    if [ ! -f "$lockfile" ]; then
        # Nothing is pinned here: nothing is touched, and a lockfile that comes back has changed.
        [ ! -s "$applied" ] || : >"$applied"
        return 1
    fi
    [ -f "$applied" ] || { begins "$@"; return; }
    ! older || return 1
    cmp -s "$lockfile" "$applied"
    case $? in 0) return 1 ;; 1 | 2) return 0 ;; esac
    ! git diff --no-index --quiet -- "$lockfile" "$applied" # there is no cmp(1)
}

# Nothing was ever applied to this work tree: does it begin with this event?
begins() {
    case $event in
    post-index-change) return 1 ;; # followed by another event, when the work tree is new
    post-checkout)
        [ "$3" = 1 ] || return 1
        # Fails when one side has no lockfile, or is no commit: then there is something to do.
        ids=$(GIT_NO_LAZY_FETCH=1 git rev-parse "$1:$lockfile" "$2:$lockfile" 2>/dev/null) || return 0
        set -- $ids
        [ "$1" != "$2" ]
        ;;
    esac
}

tool() {
    command -v "$program" >/dev/null 2>&1 || program=git-assets
    if ! command -v "$program" >/dev/null 2>&1; then
        echo "git assets: git-assets is not installed here, so $1" >&2
        return 0
    fi
    shift
    "$program" hook --decided "$event" "$@"
}

follow() {
    status=0
    if [ -x "$earlier" ]; then
        "$earlier" "$@" || status=$?
    fi
    [ -z "${GIT_ASSETS_INSIDE-}" ] && [ "${GIT_ASSETS_HOOK-}" != off ] || return "$status"
    directory=${GIT_DIR:-.git}
    # A file in a submodule, and in a linked work tree.
    [ -d "$directory" ] || directory=$(git rev-parse --git-dir 2>/dev/null) || return "$status"
    applied=$directory/assets/lockfile
    due "$@" && changed "$@" || return "$status"
    [ "$(git config --get assets.hook)" != off ] || return "$status"
    GIT_ASSETS_PARENT=$PPID tool "the assets are those of before: git assets pull" "$@" </dev/null
    [ $? -ne "$refused" ] || status=$refused
    return "$status"
}

guard() {
    input=
    if [ "$event" = pre-push ]; then
        input=$(cat && echo .) # the dot keeps the last newline
        input=${input%.}
    fi
    if [ -x "$earlier" ]; then
        printf %s "$input" | "$earlier" "$@" || return
    fi
    [ -z "${GIT_ASSETS_INSIDE-}" ] && [ "${GIT_ASSETS_HOOK-}" != off ] || return 0
    printf %s "$input" | tool "the $event guard is not at work" "$@"
    [ $? -ne "$refused" ]
}

earlier=${0%/*}/$event.local # the hook that was here before runs first, as git would run it
case $event in
pre-*) guard "$@" ;;
*) follow "$@" ;;
esac
