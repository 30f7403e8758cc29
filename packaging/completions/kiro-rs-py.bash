# Source this file, or put it into a bash-completion directory as "kiro-rs-py".
_kiro_rs_py_completion() {
    local IFS=$'\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _KIRO_RS_PY_COMPLETE=complete_bash "$1" ) )
}

complete -o default -F _kiro_rs_py_completion kiro-rs-py
