import { isKeymuxError, KeymuxError } from '../../../domain/errors.js'
import { shellQuote } from '../../../domain/shell.js'
import type { Unlock, VaultStatus } from '../../../domain/vault.js'
import type { CliContext } from '../context.js'
import type { CommandInput } from '../input.js'
import { type PreparedKeyFile, prepareKeyFile } from '../key-file.js'
import { givenKeyFile, givenPassphrase } from '../passphrase.js'
import { renderFacts } from '../render/facts.js'
import type { CommandSpec } from '../spec.js'
import { absolutePath, vaultExists } from '../vault-facts.js'

/** What is to open the new vault. */
interface Way {
  readonly unlock: Unlock
  readonly keyFile?: PreparedKeyFile
}

/** `keymux init`: creates the vault. */
export const init: CommandSpec = {
  description:
    'What opens it comes from the first of these that is there: the option, KEYMUX_PASSPHRASE, --passphrase-fd, KEYMUX_KEY_FILE, and last a passphrase typed twice. Nothing is ever kept unencrypted.',
  options: [
    { flags: '--passphrase', summary: 'a passphrase opens it, whatever KEYMUX_KEY_FILE says' },
    { flags: '--key-file <PATH>', summary: 'a key file opens it; it is made if absent', completes: 'file' },
    { flags: '--keychain', summary: 'the OS keychain opens it (not in this version)' },
  ],
  examples: [
    { line: 'keymux init', does: 'asks for a passphrase' },
    { line: 'keymux init --key-file ~/.keymux.key', does: 'needs no passphrase, for servers' },
  ],
  async run(context, input) {
    const kind = chosenKind(input)
    if (kind === 'keychain') {
      throw new KeymuxError('vault_locked', 'the OS keychain is not supported by this version', {
        hint: 'use keymux init --passphrase or --key-file PATH',
      })
    }
    // Before anything is asked for or made: a second init changes nothing at all.
    await refuseSecond(context)
    const way = await chooseWay(context, input, kind)
    const status = await create(context, way)
    print(context, status, way.keyFile)
    return undefined
  },
}

function chosenKind(input: CommandInput): 'passphrase' | 'key-file' | 'keychain' | undefined {
  const given = [
    ...(input.flag('passphrase') ? ['passphrase' as const] : []),
    ...(input.text('key-file') === undefined ? [] : ['key-file' as const]),
    ...(input.flag('keychain') ? ['keychain' as const] : []),
  ]
  if (given.length > 1) {
    const names = given.map((name) => `--${name}`).join(' and ')
    throw new KeymuxError('usage', `${names} cannot be used together`, {
      hint: 'choose one; keymux vault add-slot adds another later',
    })
  }
  return given[0]
}

async function refuseSecond(context: CliContext): Promise<void> {
  const { vault } = context.settings
  let exists: boolean
  try {
    exists = await vaultExists(context)
  } catch (error) {
    if (!isKeymuxError(error, 'vault_corrupt')) throw error
    throw new KeymuxError('file_exists', `${vault} exists already and is not a vault`, {
      hint: 'name another place with --vault',
      cause: error,
    })
  }
  if (!exists) return
  throw new KeymuxError('vault_exists', `there is a vault at ${vault} already`, {
    hint: 'use it, or name another place with --vault',
  })
}

async function chooseWay(
  context: CliContext,
  input: CommandInput,
  kind: 'passphrase' | 'key-file' | undefined,
): Promise<Way> {
  if (kind === 'key-file') return keyFileWay(context, '--key-file', input.text('key-file') ?? '')
  const passphrase = await givenPassphrase(context)
  if (passphrase !== undefined) return { unlock: { passphrase } }
  const keyFile = kind === 'passphrase' ? undefined : givenKeyFile(context)
  if (keyFile !== undefined) return keyFileWay(context, 'KEYMUX_KEY_FILE', keyFile)
  const typed = await context.host.prompter.newPassphrase('Passphrase for the new vault')
  if (typed !== undefined) return { unlock: { passphrase: typed } }
  throw new KeymuxError(
    'vault_locked',
    'there is nothing to lock the new vault with, and no terminal to ask on',
    {
      hint: 'set KEYMUX_PASSPHRASE, or use --passphrase-fd N, or use --key-file PATH, or run it in a terminal',
    },
  )
}

async function keyFileWay(context: CliContext, what: string, path: string): Promise<Way> {
  const keyFile = await prepareKeyFile(absolutePath(context, what, path))
  return { unlock: { keyFile: keyFile.path }, keyFile }
}

async function create(context: CliContext, { unlock, keyFile }: Way): Promise<VaultStatus> {
  const { host, settings, signal } = context
  try {
    const handle = await host.services.openVault({
      location: settings.vault,
      config: settings.config,
      configRequired: settings.configSource !== 'default',
      create: true,
      unlock: async () => unlock,
      env: host.env,
      clock: host.clock,
      signal,
    })
    try {
      return await handle.vault.status({ signal })
    } finally {
      await handle.close()
    }
  } catch (error) {
    // A key without a vault opens nothing; a key that a vault was made with must stay, whatever went wrong.
    if (!(await vaultExists(context).catch(() => true))) await keyFile?.discard()
    throw error
  }
}

function print(context: CliContext, status: VaultStatus, keyFile: PreparedKeyFile | undefined): void {
  const { output, style, host } = context
  const [slot] = status.slots
  const value = {
    vault: status.location,
    vault_id: status.vaultId,
    slot: { id: slot?.id, type: slot?.type },
    ...(keyFile === undefined ? {} : { key_file: keyFile.path }),
  }
  output.result(value, () => {
    const exported = keyFile === undefined || host.env.KEYMUX_KEY_FILE === keyFile.path
    return [
      `${style.good('✓')} The vault is ready.`,
      '',
      renderFacts(
        [
          ['vault', status.location],
          ['opens with', keyFile === undefined ? 'your passphrase' : `the key file ${keyFile.path}`],
          ['keep it safe', keyFile === undefined ? 'nobody can reset it' : 'nobody can make it again'],
        ],
        style,
      ),
      '',
      style.bold('Next:'),
      ...(exported ? [] : [`  ${style.accent(`export KEYMUX_KEY_FILE=${shellQuote(keyFile.path)}`)}`]),
      `  ${style.accent('keymux add openai:work')}`,
    ].join('\n')
  })
}
