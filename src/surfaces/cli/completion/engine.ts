import { longFlag, takesValue } from '../input.js'
import type { ArgumentSpec, Completion, OptionSpec } from '../parameters.js'
import { GLOBAL_OPTIONS } from '../settings.js'
import { type CommandEntry, isGroup } from '../spec.js'

/** One thing that could stand under the cursor. */
export interface Candidate {
  readonly value: string
  readonly does: string
}

/** What to offer: words, and whether the shell should add the names of files. */
export interface Offer {
  readonly candidates: readonly Candidate[]
  readonly files: boolean
}

/** What values are known from, without opening a vault. */
export interface CompletionFacts {
  readonly commands: readonly CommandEntry[]
  readonly providers: () => Promise<readonly string[]>
  readonly variables: readonly string[]
}

const HELP: OptionSpec = { flags: '-h, --help', summary: 'explain the command' }
const NOTHING: Offer = { candidates: [], files: false }

interface Place {
  readonly entries: readonly CommandEntry[]
  readonly options: readonly OptionSpec[]
  readonly args: readonly ArgumentSpec[]
  /** Arguments before the cursor. */
  readonly position: number
  /** The option whose value is under the cursor. */
  readonly pending?: OptionSpec
  /** After `--`. */
  readonly literal: boolean
}

/** What could stand in place of `current`, after `before`. */
export async function offer(
  before: readonly string[],
  current: string,
  facts: CompletionFacts,
): Promise<Offer> {
  const place = await walk(before, facts.commands)
  if (place.pending !== undefined)
    return values(place.pending.choices ?? place.pending.completes, current, facts)
  if (!place.literal && /^--[^=]+=/.test(current)) return optionValue(place, current, facts)
  if (!place.literal && current.startsWith('-')) return matching(place.options.map(flagCandidate), current)
  if (place.entries.length > 0) {
    return matching(
      place.entries.map(({ name, summary }) => ({ value: name, does: summary })),
      current,
    )
  }
  const argument = place.args[place.position] ?? place.args.findLast(({ variadic }) => variadic === true)
  return values(argument?.completes, current, facts)
}

async function walk(before: readonly string[], commands: readonly CommandEntry[]): Promise<Place> {
  let entries = commands
  let options: readonly OptionSpec[] = [...GLOBAL_OPTIONS, HELP]
  let args: readonly ArgumentSpec[] = []
  let position = 0
  let literal = false
  for (let at = 0; at < before.length; at += 1) {
    const word = before[at] ?? ''
    if (!literal && word === '--') {
      literal = true
    } else if (!literal && word.startsWith('-') && word !== '-') {
      const option = options.find(({ flags }) => flags.split(/[ ,]+/).includes(word) && takesValue(flags))
      if (option === undefined) continue
      at += 1
      if (at === before.length) return { entries, options, args, position, literal, pending: option }
    } else {
      const entry = entries.find(({ name }) => name === word)
      const command = await entry?.load()
      if (command === undefined) {
        entries = []
        position += 1
      } else if (isGroup(command)) {
        entries = command.subcommands
      } else {
        entries = []
        options = [...(command.options ?? []), ...GLOBAL_OPTIONS, HELP]
        args = command.arguments ?? []
      }
    }
  }
  return { entries, options, args, position, literal }
}

async function optionValue(place: Place, current: string, facts: CompletionFacts): Promise<Offer> {
  const flag = current.slice(0, current.indexOf('='))
  const option = place.options.find(({ flags }) => longFlag(flags) === flag)
  const { candidates, files } = await values(
    option?.choices ?? option?.completes,
    current.slice(flag.length + 1),
    facts,
  )
  return { candidates: candidates.map(({ value, does }) => ({ value: `${flag}=${value}`, does })), files }
}

async function values(kind: Completion | undefined, current: string, facts: CompletionFacts): Promise<Offer> {
  if (kind === undefined) return NOTHING
  if (kind === 'file') return { candidates: [], files: true }
  if (kind === 'env') return matching(facts.variables.map(plain), current)
  if (kind !== 'provider') return matching(kind.map(plain), current)
  // The last of a chain such as `openai,groq`; a name after a colon would need the vault.
  const done = current.slice(0, current.lastIndexOf(',') + 1)
  const names = await facts.providers().catch(() => [])
  return matching(
    names.map((name) => plain(done + name)),
    current,
  )
}

function matching(candidates: readonly Candidate[], current: string): Offer {
  return { candidates: candidates.filter(({ value }) => value.startsWith(current)), files: false }
}

function plain(value: string): Candidate {
  return { value, does: '' }
}

function flagCandidate({ flags, summary }: OptionSpec): Candidate {
  return { value: longFlag(flags), does: summary }
}
