import { isKeymuxError, KeymuxError } from '../../domain/errors.js'
import { ProfileStore } from '../../domain/profile-store.js'
import type { FileContents, ImportNote } from '../../interchange/draft.js'
import { type Arrivals, arrivalsOfStore } from '../../operations/import.js'
import { readSecretFile } from '../../system/safe-file.js'
import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'
import { otherPassphrase, passphraseText } from './passphrase.js'
import { absolutePath } from './vault-facts.js'

const SHARED_LOGINS =
  'OAuth logins came along with their refresh tokens: renew them here or in DevClaw, not in both.'

/** What a vault of DevClaw holds. @throws KeymuxError `wrong_passphrase`, `vault_locked`, `invalid_import` */
export async function readDevclaw(
  context: CliContext,
  input: CommandInput,
  contents: FileContents,
): Promise<Arrivals> {
  const { DEVCLAW_STORE_ENTRY, openDevclawVault } = await import('../../interchange/devclaw-vault.js')
  const passphrase = await otherPassphrase(context, input, {
    variable: 'DEVCLAW_VAULT_PASSWORD',
    option: 'source-passphrase-fd',
    ask: (prompter) => prompter.hidden('Passphrase of the DevClaw vault: '),
    otherwise: 'the DevClaw vault cannot be opened',
  })
  const { entries, failed } = await openDevclawVault(contents, passphrase)
  const stored = entries.get(DEVCLAW_STORE_ENTRY)
  const secrets = [...entries].filter(([name]) => name !== DEVCLAW_STORE_ENTRY)
  const notes: ImportNote[] = failed.map(({ name, reason }) => ({ id: `vault://${name}`, reason }))
  const common = {
    secrets: secrets.map(([name, value]) => ({ name, value })),
    providers: [],
    skipped: [],
  }
  try {
    const store = stored === undefined ? new ProfileStore() : ProfileStore.fromJSON(stored)
    const logins = store.list().some(({ oauth }) => oauth !== undefined && oauth.refreshToken !== '')
    return {
      ...common,
      profiles: arrivalsOfStore(store),
      failed: notes,
      ...(logins ? { note: SHARED_LOGINS } : {}),
    }
  } catch (error) {
    if (!isKeymuxError(error, 'invalid_import')) throw error
    const note = { id: DEVCLAW_STORE_ENTRY, reason: `the profiles cannot be read: ${error.message}` }
    return { ...common, profiles: [], failed: [...notes, note] }
  }
}

/** What is sealed in an age file. @throws KeymuxError `wrong_passphrase`, `wrong_key_file`, `invalid_import`, … */
export async function openSealed(
  context: CliContext,
  input: CommandInput,
  contents: FileContents,
): Promise<Uint8Array> {
  const { isAgeFile, openAge } = await import('../../interchange/age.js')
  // Nobody should be asked for the passphrase of what has none.
  if (!isAgeFile(contents)) throw new KeymuxError('invalid_import', 'this is not an age file')
  const identityFile = input.text('identity')
  if (identityFile !== undefined) {
    const path = absolutePath(context, '--identity', identityFile)
    const identity = (await readSecretFile(path, { privateOnly: true })).toString()
    return openAge(contents, { identities: [identity] })
  }
  const passphrase = await otherPassphrase(context, input, {
    variable: 'KEYMUX_EXPORT_PASSPHRASE',
    option: 'source-passphrase-fd',
    ask: (prompter) => prompter.hidden('Passphrase of the age file: '),
    otherwise: 'the age file cannot be opened',
  })
  return openAge(contents, { passphrase: passphraseText(passphrase) })
}

/** What an export in the clear, or a bare profile store of DevClaw, holds. @throws KeymuxError `invalid_import` */
export async function readExport(contents: FileContents): Promise<Arrivals> {
  const { decodeExport } = await import('../../interchange/json.js')
  const { store, secrets, providers } = decodeExport(contents)
  return { profiles: arrivalsOfStore(store), secrets, providers, skipped: [], failed: [] }
}
