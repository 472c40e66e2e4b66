import type { Keymux } from '../../../domain/keymux.js'
import type { VaultProblem } from '../../../domain/vault.js'
import type { CliContext } from '../context.js'
import { isDisputed, isOfState, PROBLEMS_FOUND, problemToJson, renderProblems } from '../problems.js'
import type { CommandSpec } from '../spec.js'

/** What a check found, and what it did about it. */
interface Findings {
  readonly problems: readonly VaultProblem[]
  readonly accepted: boolean
  /** Profiles that wait for a login since a rollback was accepted. */
  readonly loginNeeded: readonly string[]
  readonly dropped: readonly string[]
}

/** `keymux vault check`: is it whole, and is it the one that was last used here? */
export const vaultCheck: CommandSpec = {
  description:
    'Opens every record, compares what is there with what was last written, verifies the audit and the file itself. Exits 6 when something is wrong.',
  options: [
    {
      flags: '--accept-rollback',
      summary: 'take an older or changed vault for the truth; its OAuth profiles need a new login',
    },
    { flags: '--drop-damaged', summary: 'remove the records that cannot be opened any more' },
    { flags: '--salvage', summary: 'keep what can be opened, drop the rest, and take that for the truth' },
  ],
  examples: [
    { line: 'keymux vault check', does: 'after a crash, or when in doubt' },
    { line: 'keymux vault check --accept-rollback', does: 'after you put back a copy yourself' },
    { line: 'keymux vault check --salvage', does: 'after the disk damaged it, when there is no backup' },
  ],
  async run(context, input) {
    // Strict opening would stop at the first sign of what is to be looked at here.
    const handle = await context.open({ lenient: true })
    const salvage = input.flag('salvage')
    const findings = await examine(handle, context, {
      accept: input.flag('accept-rollback'),
      drop: input.flag('drop-damaged') || salvage,
      salvage,
    })
    print(findings, context)
    return findings.problems.length === 0 ? undefined : PROBLEMS_FOUND
  },
}

async function examine(
  handle: Keymux,
  { signal }: CliContext,
  { accept, drop, salvage }: { accept: boolean; drop: boolean; salvage: boolean },
): Promise<Findings> {
  const { vault } = handle
  const dropped = drop ? await vault.dropDamaged() : []
  const found = await vault.check({ signal })
  const ofStateAlone = found.some(isOfState) && !found.some(isDisputed)
  const accepted = (accept && (ofStateAlone || found.some(isDisputed))) || (salvage && found.length > 0)
  const loginNeeded = accepted ? await acceptRollback(handle, ofStateAlone) : []
  const problems = accepted ? await vault.check({ signal }) : found
  return { problems, accepted, loginNeeded, dropped }
}

/**
 * Takes the vault as it is for the truth. Gives the ids of the profiles whose logins count as ended: none where no record
 * can be an older one.
 */
export async function acceptRollback(
  { vault, profiles }: Pick<Keymux, 'vault' | 'profiles'>,
  ofStateAlone: boolean = false,
): Promise<readonly string[]> {
  let ids: readonly string[] = []
  await vault.acceptRollback(async () => {
    if (!ofStateAlone) ids = await profiles.requireLogins()
  })
  return ids
}

function print({ problems, accepted, loginNeeded, dropped }: Findings, context: CliContext): void {
  const { output, style } = context
  const value = {
    ok: problems.length === 0,
    problems: problems.map(problemToJson),
    ...(accepted ? { accepted: true, login_needed: loginNeeded } : {}),
    ...(dropped.length === 0 ? {} : { dropped }),
  }
  output.result(value, () =>
    [
      ...(dropped.length === 0 ? [] : [`Removed ${dropped.length} damaged record(s): ${dropped.join(', ')}`]),
      ...(accepted ? ['The vault is accepted as it is.'] : []),
      ...loginNeeded.map((id) => `${id} needs a new login: keymux login ${id}`),
      problems.length === 0 ? `${style.good('✓')} The vault is sound.` : renderProblems(problems, style),
    ].join('\n'),
  )
  for (const hint of hints(problems)) output.note(hint)
}

function hints(problems: readonly VaultProblem[]): string[] {
  const disputed = problems.some(isDisputed)
  const damaged = problems.some(
    ({ code, record }) => code === 'storage' || (code === 'vault_corrupt' && record !== undefined),
  )
  return [
    ...(disputed
      ? [
          'If you put the vault back yourself: keymux vault check --accept-rollback. If not, somebody else did.',
        ]
      : []),
    ...(problems.some(isOfState)
      ? [
          'Cooldowns may have been forgotten, and no credential. To take what is there: keymux vault check --accept-rollback',
        ]
      : []),
    ...(damaged ? ['Restore a backup, or keep what can be opened with keymux vault check --salvage.'] : []),
  ]
}
