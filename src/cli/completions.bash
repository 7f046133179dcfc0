
# Labels are what `query //...` lists in the workspace that the line works in, `-C DIR` included.
_layerbuild_labels() {
    local line=${COMP_LINE:0:COMP_POINT} word at directory=.
    local current=${line##* }
    local sign=${current%%[/:]*}
    case $current in
        //* | -//* | :* | -:*) ;;
        *) _layerbuild "$@"; return ;;
    esac
    for ((at = 1; at < ${#COMP_WORDS[@]}; at++)); do
        [[ ${COMP_WORDS[at]} == -C ]] && directory=${COMP_WORDS[at + 1]}
    done
    local universe=//...
    [[ ${current#-} == :* ]] && universe=:all
    # Bash takes a colon for the end of a word: only what stands behind it is replaced.
    local behind=
    [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && behind=${current%"${current##*:}"}
    COMPREPLY=()
    while IFS= read -r word; do
        [[ $universe == :all ]] && word=:${word##*:}
        word=$sign$word
        [[ $word == "$current"* ]] && COMPREPLY+=("${word#"$behind"}")
    done < <("$1" -C "$directory" query "$universe" 2>/dev/null)
}
complete -F _layerbuild_labels -o nosort -o bashdefault -o default layerbuild
