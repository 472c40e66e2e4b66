import { defaultConfigPath } from '../../../config/paths.js'
import { printable } from '../../../domain/printable.js'
import type { CliHost } from '../context.js'
import type { CommandEntry } from '../spec.js'
import { type Candidate, offer } from './engine.js'

/**
 * Answers a completion script: `SHELL INDEX -- WORD…`. Prints `words` or `files`, then a line for each
 * candidate with a tab and what it does. Says nothing to a request that it does not understand.
 */
export async function runCompletion(
  args: readonly string[],
  host: CliHost,
  commands: readonly CommandEntry[],
): Promise<void> {
  const [shell = '', position = '', ...rest] = args
  // PowerShell swallows the first `--` on its way into scripts.
  const given = rest[0] === '--' ? rest.slice(1) : rest
  const index = /^\d{1,4}$/.test(position) ? Number(position) : given.length
  const glued =
    shell === 'bash'
      ? glue(given, index)
      : { before: given.slice(0, index), current: given[index] ?? '', dropped: 0 }
  const config = host.env.KEYMUX_CONFIG
  const { candidates, files } = await offer(glued.before, glued.current, {
    commands,
    providers: () =>
      host.services.providerNames(config === undefined || config === '' ? defaultConfigPath(host) : config),
    variables: Object.keys(host.env).sort(),
  })
  host.stdout.write(`${files ? 'files' : 'words'}\n`)
  for (const candidate of candidates) host.stdout.write(`${candidateLine(candidate, glued.dropped)}\n`)
}

/**
 * Bash breaks words at `=` and `:` too, and replaces only what follows the last of them: puts the words
 * together again, and says how much of a candidate bash has already.
 */
function glue(
  words: readonly string[],
  index: number,
): { before: string[]; current: string; dropped: number } {
  const glued: string[] = []
  let dropped = 0
  let joins = false
  for (const word of words.slice(0, index + 1)) {
    const breaks = /^[=:]+$/.test(word)
    const last = glued.length - 1
    if ((breaks || joins) && last >= 0) {
      // A word under the cursor that is a break itself has nothing after it yet.
      dropped = (glued[last] ?? '').length + (breaks ? word.length : 0)
      glued[last] += word
    } else {
      dropped = 0
      glued.push(word)
    }
    joins = breaks
  }
  const current = index < words.length ? (glued.pop() ?? '') : ''
  return { before: glued, current, dropped: index < words.length ? dropped : 0 }
}

function candidateLine({ value, does }: Candidate, dropped: number): string {
  return `${printable(value.slice(dropped))}\t${printable(does)}`
}
