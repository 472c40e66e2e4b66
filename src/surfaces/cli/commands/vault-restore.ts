import { isKeymuxError, KeymuxError } from '../../../domain/errors.js'
import type { Unlock, VaultStatus } from '../../../domain/vault.js'
import { confirmed } from '../confirm.js'
import type { CliContext } from '../context.js'
import { openAt, type Unlocked } from '../passphrase.js'
import { renderFacts } from '../render/facts.js'
import { formatLocal } from '../render/time.js'
import type { CommandSpec } from '../spec.js'
import { absolutePath } from '../vault-facts.js'
import { acceptRollback } from './vault-check.js'

/** A copy that was looked at, and what opened it. */
interface Examined {
  readonly status: VaultStatus
  readonly unlock: Unlock
  /** This machine has seen a later state of the same vault. */
  readonly older: boolean
}

/** `keymux vault restore`: puts a copy in the place of the vault. */
export const vaultRestore: CommandSpec = {
  description:
    'The copy must open with the passphrase or key file at hand, and be sound. What is there now is kept beside it, as NAME.before-restore-N. If the copy is older than the vault that was last used here, its OAuth profiles need a new login, because their tokens may have been used up since. On a terminal it asks first, unless --yes is given.',
  arguments: [{ name: 'PATH', summary: 'a file that keymux vault backup wrote', completes: 'file' }],
  options: [{ flags: '-y, --yes', summary: 'do not ask' }],
  examples: [
    { line: 'keymux vault restore ~/backups/keymux.db', does: 'asks, then puts it in place' },
    { line: 'keymux vault restore copy.db --vault other.db', does: 'makes another vault of the copy' },
  ],
  async run(context, input) {
    const { vault } = context.settings
    const source = absolutePath(context, 'PATH', input.argument('PATH'))
    if (/^postgres(ql)?:/i.test(vault)) {
      throw new KeymuxError('usage', 'a file cannot be put in the place of a vault on PostgreSQL')
    }
    if (source === vault) throw new KeymuxError('usage', 'that is the vault itself', { hint: 'name a copy' })
    const { stageRestore } = await import('../../../storage/sqlite/restore.js')
    const staged = await stageRestore(source, vault)
    try {
      const examined = await examine(context, source, staged.path)
      const question = `Put ${source} (${contents(examined.status)}) in the place of ${vault}?`
      if (!(await confirmed(context, input.flag('yes'), question, 'Nothing was changed.'))) return 1
      const kept = await staged.replace()
      const loginNeeded = examined.older ? await accept(context, examined.unlock) : undefined
      print(context, examined.status, kept, loginNeeded)
    } finally {
      staged.discard()
    }
    return undefined
  },
}

/** Opens the copy and looks at all of it. */
async function examine(context: CliContext, source: string, staged: string): Promise<Examined> {
  const { signal } = context
  const { handle, unlock } = await openCopy(context, source, staged)
  try {
    const found = await handle.vault.check({ signal })
    const problems = found.filter(({ code }) => code !== 'vault_rolled_back')
    const [first] = problems
    if (first !== undefined) {
      const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`
      throw new KeymuxError('vault_corrupt', `${source} is not sound: ${first.message}${more}`, {
        hint: 'use another copy; nothing was changed',
      })
    }
    return {
      status: await handle.vault.status({ signal }),
      unlock,
      older: found.length > problems.length,
    }
  } finally {
    await handle.close()
  }
}

async function openCopy(context: CliContext, source: string, staged: string): Promise<Unlocked> {
  try {
    return await openAt(context, staged, { lenient: true, shown: source })
  } catch (error) {
    if (!isKeymuxError(error) || (error.code !== 'wrong_passphrase' && error.code !== 'wrong_key_file'))
      throw error
    const what = error.code === 'wrong_passphrase' ? 'the passphrase' : 'the key file'
    throw new KeymuxError(error.code, `${what} does not open ${source}`, {
      hint: 'a copy opens with what opened the vault when the copy was made',
      cause: error,
    })
  }
}

/** The vault in place is older than this machine remembers, and its owner wants it so. */
async function accept({ host, settings, signal }: CliContext, unlock: Unlock): Promise<readonly string[]> {
  const handle = await host.services.openVault({
    location: settings.vault,
    config: settings.config,
    configRequired: settings.configSource !== 'default',
    lenient: true,
    unlock: async () => unlock,
    env: host.env,
    clock: host.clock,
    signal,
  })
  try {
    return await acceptRollback(handle)
  } finally {
    await handle.close()
  }
}

function print(
  { output, settings, style }: CliContext,
  status: VaultStatus,
  kept: string | undefined,
  loginNeeded: readonly string[] | undefined,
): void {
  const value = {
    vault: settings.vault,
    vault_id: status.vaultId,
    profiles: status.profiles,
    secrets: status.secrets,
    ...(kept === undefined ? {} : { kept }),
    rollback_accepted: loginNeeded !== undefined,
    ...(loginNeeded === undefined ? {} : { login_needed: loginNeeded }),
  }
  output.result(value, () =>
    [
      `${style.good('✓')} The copy is in place.`,
      '',
      renderFacts(
        [
          ['vault', settings.vault],
          ['contents', contents(status)],
          ['made', formatLocal(status.createdAt)],
          ['before', kept === undefined ? undefined : `kept in ${kept}`],
        ],
        style,
      ),
      ...(loginNeeded === undefined
        ? []
        : ['', 'It is older than the vault that was used here; that is accepted.']),
      ...(loginNeeded ?? []).map((id) => `${id} needs a new login: keymux login ${id}`),
    ].join('\n'),
  )
}

function contents({ profiles, secrets }: VaultStatus): string {
  return `${count(profiles, 'profile')}, ${count(secrets, 'secret')}`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
