import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KeymuxError } from '../../../domain/errors.js'
import { fileError } from '../../../domain/file-errors.js'
import type { Keymux } from '../../../domain/keymux.js'
import type { ExportContents } from '../../../interchange/json.js'
import { type Gathered, gather, toDevclaw } from '../../../operations/export.js'
import type { CliContext } from '../context.js'
import { usageError } from '../errors.js'
import type { CommandInput } from '../input.js'
import { otherPassphrase, passphraseText } from '../passphrase.js'
import { PROBLEMS_FOUND } from '../problems.js'
import type { CommandSpec } from '../spec.js'
import { absolutePath } from '../vault-facts.js'

const FORMATS = ['age', 'devclaw', 'json'] as const
type Format = (typeof FORMATS)[number]

/** `keymux export`: everything, in a file that can be kept elsewhere. */
export const export_: CommandSpec = {
  description: `Accounts with their usage, named secrets and the providers kept in the vault. References stay references. What is damaged is named and left out; it then exits 6.

The file is sealed with age: for the recipients given, else with a passphrase from KEYMUX_EXPORT_PASSPHRASE, --target-passphrase-fd or the terminal. keymux import age reads it back, with --trust-endpoints addresses, references and providers too; the age command opens it too. --format devclaw seals with DEVCLAW_VAULT_PASSWORD instead; --format json is not sealed at all. The audit records it.`,
  options: [
    { flags: '-o, --out <PATH>', summary: 'the file to write, for your eyes only', completes: 'file' },
    { flags: '--force', summary: 'overwrite that file' },
    {
      flags: '--recipient <AGE>',
      summary: 'seal it for this age recipient',
      repeatable: true,
    },
    { flags: '--target-passphrase-fd <N>', summary: 'read the passphrase from file descriptor N' },
    { flags: '--format <FORMAT>', summary: 'age by default', choices: [...FORMATS] },
    { flags: '--reveal', summary: 'allow --format json, with every secret in the clear' },
  ],
  examples: [
    { line: 'keymux export --out backup.age', does: 'asks for a passphrase to seal it with' },
    { line: 'keymux export --recipient age1… --out backup.age', does: 'sealed for a key, no questions' },
    { line: 'keymux export --format devclaw --out devclaw.vault', does: 'a vault that DevClaw opens' },
  ],
  async run(context, input) {
    const { format, out, force, recipients } = readOptions(context, input)
    // Nobody should choose a passphrase only to learn that the file exists.
    if (out !== undefined && !force && existsSync(out)) throw exists(out)
    const handle = await context.open()
    const seal = await sealer(context, input, format, recipients)
    const { contents, damaged } = await gather(handle, context.signal)
    const text = await seal(contents)
    await note(handle, contents, context)
    if (out !== undefined) await write(out, text, force)
    print(context, { ...contents, damaged }, { format, out, text })
    return damaged.length === 0 ? undefined : PROBLEMS_FOUND
  },
}

interface Options {
  readonly format: Format
  readonly out: string | undefined
  readonly force: boolean
  readonly recipients: readonly string[]
}

function readOptions(context: CliContext, input: CommandInput): Options {
  const format = FORMATS.find((each) => each === input.text('format')) ?? 'age'
  const path = input.text('out')
  const out = path === undefined ? undefined : absolutePath(context, '--out', path)
  const recipients = input.texts('recipient')
  const force = input.flag('force')
  if (format === 'devclaw' && out === undefined) throw usageError('--format devclaw needs --out PATH')
  if (format !== 'age' && recipients.length > 0) throw usageError('--recipient goes with --format age alone')
  if (force && out === undefined) throw usageError('--force goes with --out PATH alone')
  if (format === 'json' && !input.flag('reveal')) {
    throw usageError('--format json writes every secret in the clear', 'add --reveal if you want that')
  }
  return { format, out, force, recipients }
}

/** How the contents become a file's text. What it needs is asked for first. */
async function sealer(
  context: CliContext,
  input: CommandInput,
  format: Format,
  recipients: readonly string[],
): Promise<(contents: ExportContents) => Promise<string>> {
  const { encodeExport } = await import('../../../interchange/json.js')
  const encode = (contents: ExportContents): string => encodeExport(contents, context.host.clock.now())
  if (format === 'json') return async (contents) => encode(contents)
  if (format === 'devclaw') {
    const passphrase = await otherPassphrase(context, input, {
      variable: 'DEVCLAW_VAULT_PASSWORD',
      option: 'target-passphrase-fd',
      ask: (prompter) => prompter.newPassphrase('Passphrase for the DevClaw vault'),
      otherwise: 'the DevClaw vault cannot be sealed',
    })
    return (contents) => toDevclaw(contents, passphrase)
  }
  const { sealAge } = await import('../../../interchange/age.js')
  const key =
    recipients.length > 0
      ? { recipients }
      : { passphrase: passphraseText(await exportPassphrase(context, input)) }
  return async (contents) => Buffer.from(await sealAge(encode(contents), key)).toString()
}

function exportPassphrase(context: CliContext, input: CommandInput): Promise<string | Uint8Array> {
  return otherPassphrase(context, input, {
    variable: 'KEYMUX_EXPORT_PASSPHRASE',
    option: 'target-passphrase-fd',
    ask: (prompter) => prompter.newPassphrase('Passphrase for the export'),
    otherwise: 'the export cannot be sealed',
  })
}

/** Before anything leaves the vault, the audit knows. */
async function note(
  { profiles, vault }: Pick<Keymux, 'profiles' | 'vault'>,
  { store, secrets }: ExportContents,
  { signal }: CliContext,
): Promise<void> {
  const ids = store.list().map(({ id }) => id)
  const names = secrets.map(({ name }) => name)
  if (ids.length > 0) await profiles.noteRevealed(ids, 'exported', { signal })
  if (names.length > 0) await vault.noteRevealed(names, 'exported', { signal })
}

async function write(path: string, text: string, force: boolean): Promise<void> {
  const { publishNewFile } = await import('../../../storage/sqlite/publish.js')
  const target = force ? `${path}.${randomBytes(6).toString('hex')}` : path
  try {
    const fresh = await publishNewFile(target, (temporary) => writeFile(temporary, text))
    if (!fresh) throw exists(path)
    if (force) await rename(target, path)
  } catch (error) {
    if (force) await rm(target, { force: true })
    if (error instanceof KeymuxError) throw error
    if (existsSync(dirname(path))) throw fileError(path, error)
    throw new KeymuxError('file_not_found', `there is no folder ${dirname(path)}`, { cause: error })
  }
}

function exists(path: string): KeymuxError {
  return new KeymuxError('file_exists', `${path} exists already`, { hint: 'use --force to overwrite it' })
}

function print(
  { output, style }: CliContext,
  { store, secrets, providers, damaged }: ExportContents & Pick<Gathered, 'damaged'>,
  { format, out, text }: { readonly format: Format; readonly out: string | undefined; readonly text: string },
): void {
  const counts = { profiles: store.list().length, secrets: secrets.length, providers: providers.length }
  if (output.json) {
    const where = out === undefined ? { content: text } : { path: out }
    output.document({ format, ...where, ...counts, ...(damaged.length === 0 ? {} : { damaged }) })
  } else if (out === undefined) output.raw(text.replace(/\n$/, ''))
  else {
    const sealed = format === 'json' ? ' in the clear' : ''
    output.text(
      output.isTTY
        ? `${style.good('✓')} ${counts.profiles} profile(s) and ${counts.secrets} secret(s) are written${sealed} to ${out}.`
        : out,
    )
  }
  for (const id of damaged) {
    output.note(`keymux: ${id} is damaged and not in the export: see keymux vault check`)
  }
}
