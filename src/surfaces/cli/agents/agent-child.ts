import { readFileSync } from 'node:fs'
import { keymuxFolder } from '../../../config/paths.js'
import type { CliContext } from '../context.js'
import { applyRecipe, type Endpoint, endpointsOf, fillIn, type Prepared } from './apply.js'
import { RECIPES } from './catalogue.js'
import { ChildFolder, systemFolders } from './child-folder.js'
import { programFacts } from './program-facts.js'
import { type Recognised, recognise } from './recognise.js'

/** A program, as it is started. */
export interface Child {
  readonly line: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What a gateway offers a program. */
export interface Offer {
  readonly endpoints: readonly Endpoint[]
  readonly token: string
  /** Where `keymux serve` offers the same to programs that outlive this one, and whether it runs. */
  readonly lasting: { readonly endpoints: readonly Endpoint[]; readonly runs: boolean }
}

/** The agent that a command line starts, if it is one that keymux knows. */
export function agentOf({ host }: CliContext, line: readonly string[]): Recognised | undefined {
  const place = { path: host.env.PATH ?? host.env.Path, cwd: host.cwd }
  return recognise(line, RECIPES, (program) => programFacts(program, place))
}

/**
 * Makes an agent use the gateway for the time that `run` takes, says what could not be done, and with
 * `--verbose` what was. No file of the user's is touched.
 *
 * @throws KeymuxError storage errors, and what `run` throws
 */
export async function withRecipe(
  context: CliContext,
  agent: Recognised,
  child: Child,
  offer: Offer,
  run: (child: Child) => Promise<number>,
): Promise<number> {
  const { host } = context
  const { platform, home } = host
  const folder = new ChildFolder([
    keymuxFolder('runtime', host),
    keymuxFolder('state', host),
    ...systemFolders(platform, process.getuid?.()),
  ])
  const subject = { ...child, ...offer, platform, home, folder: folder.path, read: textOf }
  const prepared = applyRecipe(agent, subject)
  tell(context, agent, prepared, offer)
  if (prepared.files.size > 0 && !folder.isOutOfReach) {
    context.output.note(
      `keymux: the settings for ${agent.recipe.label} lie in ${folder.path}, where others may replace them; it may not read them there: set XDG_RUNTIME_DIR to a folder that is yours alone`,
    )
  }
  folder.write(prepared.files)
  try {
    return await run(prepared)
  } finally {
    folder.remove()
  }
}

/** Warns of an agent that does not heed the variables that are set for it without its recipe. */
export function tellUnled(
  { output }: CliContext,
  agent: Recognised,
  offer: Offer,
  variables: readonly string[],
): void {
  const { recipe } = agent
  if (recipe.ignoresEnvironment === true) for (const line of byHand(agent, offer)) output.note(line)
  const changes = offer.endpoints.flatMap(({ provider }) => recipe.providers[provider] ?? [])
  const led = changes.every(({ set = {} }) => Object.keys(set).some((name) => variables.includes(name)))
  if (led) return
  output.note(
    `keymux: without its recipe ${recipe.label} is not led to the gateway: it asks an address of its own`,
  )
}

function tell(context: CliContext, agent: Recognised, prepared: Prepared, offer: Offer): void {
  const { output } = context
  const { endpoints } = offer
  const { label, name, trial, providers, ignoresEnvironment } = agent.recipe
  const used = endpointsOf(agent, endpoints)
  if (ignoresEnvironment === true) {
    for (const line of byHand(agent, offer)) output.note(line)
  } else if (used.length === 0) {
    const known = Object.keys(providers).join(', ')
    const given = endpoints.map(({ provider }) => provider).join(', ')
    output.note(`keymux: ${label} is not known to use ${given}; keymux leads it to ${known}`)
  }
  for (const problem of prepared.problems) output.note(`keymux: ${problem}`)
  if (used.length === 0) return
  output.detail(`keymux: this is ${label}; its recipe (${name}, ${TRIALS[trial.how]} ${trial.version}):`)
  for (const line of prepared.done) output.detail(`  ${line}`)
}

/** What to write into the settings of an agent that nothing of ours reaches. */
function byHand({ recipe }: Recognised, { lasting }: Offer): string[] {
  const { label, byHand: lines = [] } = recipe
  const before = lasting.runs ? '' : ' once keymux serve runs'
  const [endpoint] = lasting.endpoints
  return [
    `keymux: ${label} takes no address from its environment; set in its own settings${before}:`,
    ...(endpoint === undefined ? [] : lines.map((line) => `  ${fillIn(line, endpoint, '', '')}`)),
    '  as its key: the token in the file that keymux serve names',
  ]
}

const TRIALS = { run: 'tried with', source: 'read from the source of', untried: 'not tried; written for' }

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
