/** Shells with a completion script. */
export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const

/** One of {@link COMPLETION_SHELLS}. */
export type CompletionShell = (typeof COMPLETION_SHELLS)[number]

/** Whether a word names a shell with a completion script. */
export function isCompletionShell(word: string): word is CompletionShell {
  return (COMPLETION_SHELLS as readonly string[]).includes(word)
}

// Every script asks `keymux __complete SHELL INDEX -- WORD…`, where WORDs are those after the program's name
// and INDEX is the position of the one under the cursor. The first line of the answer is `words` or `files`,
// each line that follows a candidate, a tab and what it does.

const BASH = `# keymux completion for bash
_keymux() {
  local line kind= IFS=$'\\n'
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <("\${COMP_WORDS[0]}" __complete bash "$((COMP_CWORD - 1))" -- "\${COMP_WORDS[@]:1}" 2>/dev/null)
  if [[ $kind == files ]]; then compopt -o default 2>/dev/null; fi
}
complete -F _keymux keymux`

const ZSH = `#compdef keymux
# keymux completion for zsh
_keymux() {
  local line kind
  local -a lines items
  lines=("\${(@f)$("\${(Q)words[1]}" __complete zsh "$((CURRENT - 2))" -- "\${(@Q)words[2,-1]}" 2>/dev/null)}")
  kind="\${lines[1]}"
  for line in "\${(@)lines[2,-1]}"; do
    items+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#items} )); then _describe 'keymux' items; fi
  if [[ "$kind" == files ]]; then _files; fi
}
if [[ "\${funcstack[1]}" == _keymux ]]; then _keymux "$@"; else compdef _keymux keymux; fi`

const FISH = `# keymux completion for fish
function __keymux_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l index (math (count $before) - 1)
    set -l lines ($before[1] __complete fish $index -- $before[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = files
        __fish_complete_path "$current"
    end
    for line in $lines[2..-1]
        echo $line
    end
end
complete -c keymux -f -a '(__keymux_complete)'`

const POWERSHELL = `# keymux completion for PowerShell
Register-ArgumentCompleter -Native -CommandName keymux -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
  $index = $words.Count
  if ($wordToComplete -ne '') { $index = $index - 1 }
  $program = $commandAst.CommandElements[0].ToString()
  $lines = @(& $program __complete powershell $index '--' @words 2>$null)
  $lines | Select-Object -Skip 1 | ForEach-Object {
    $value, $does = $_ -split "\`t", 2
    if (-not $does) { $does = $value }
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $does)
  }
}`

const SCRIPTS: Readonly<Record<CompletionShell, string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  powershell: POWERSHELL,
}

/** The script to feed to a shell. */
export function completionScript(shell: CompletionShell): string {
  return SCRIPTS[shell]
}
