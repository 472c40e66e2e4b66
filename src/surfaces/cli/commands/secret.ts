import { KeymuxError } from '../../../domain/errors.js'
import { quote } from '../../../domain/ids.js'
import { confirmed } from '../confirm.js'
import { readSecret, readStdinSecret, SECRET_OPTIONS } from '../secret-input.js'
import type { CommandGroup, CommandSpec } from '../spec.js'
import { printChanged } from './changed.js'

const NAME = { name: 'NAME', summary: 'the name of the secret' } as const

const set: CommandSpec = {
  description:
    'The secret is read from standard input, or typed at a hidden prompt where standard input is a terminal. An existing one is overwritten.',
  arguments: [NAME],
  options: SECRET_OPTIONS.filter(({ flags }) => !flags.startsWith('--ref')),
  examples: [
    { line: 'keymux secret set DATABASE_URL', does: 'asks for it without showing it' },
    { line: 'pass show db | keymux secret set DATABASE_URL', does: 'reads it from a pipe' },
  ],
  async run(context, input) {
    const name = input.argument('NAME')
    const { vault } = await context.open()
    const piped = input.text('from-env') === undefined && !input.flag('stdin') && !context.host.stdin.isTTY
    const given = piped
      ? { secret: await readStdinSecret(context) }
      : await readSecret(context, input, { question: `Secret ${name}: `, references: false })
    if ('secret' in given) await vault.set(name, given.secret, { signal: context.signal })
    printChanged(context, [name], () => `${name} is kept. Refer to it as vault://${name}.`)
    return undefined
  },
}

const get: CommandSpec = {
  description: 'Prints the secret alone. The audit records it.',
  arguments: [NAME],
  examples: [{ line: 'DATABASE_URL="$(keymux secret get DATABASE_URL)" make migrate', does: 'uses it once' }],
  async run({ open, output, signal }, input) {
    const name = input.argument('NAME')
    const { vault } = await open()
    const value = await vault.get(name, { signal })
    await vault.noteRevealed(name, 'revealed', { signal })
    if (output.json) output.document({ name, value })
    else output.raw(value)
    return undefined
  },
}

const list: CommandSpec = {
  examples: [{ line: 'keymux secret list', does: 'names alone' }],
  async run({ open, output, signal }) {
    const { vault } = await open()
    const names = await vault.list({ signal })
    output.result({ secrets: names.map((name) => ({ name })), total: names.length }, () =>
      names.length > 0 ? names.join('\n') : 'There are no secrets. Add one with keymux secret set NAME.',
    )
    return undefined
  },
}

const remove: CommandSpec = {
  description: 'On a terminal it asks first, unless --yes is given.',
  arguments: [NAME],
  options: [{ flags: '-y, --yes', summary: 'do not ask' }],
  examples: [{ line: 'keymux secret remove DATABASE_URL', does: 'references to it fail from then on' }],
  async run(context, input) {
    const name = input.argument('NAME')
    const { signal } = context
    const { vault } = await context.open()
    if (!(await vault.has(name, { signal }))) {
      throw new KeymuxError('secret_not_found', `there is no secret ${quote(name)}`, {
        hint: 'see keymux secret list',
      })
    }
    const question = `Remove the secret ${name}? It cannot be brought back.`
    if (!(await confirmed(context, input.flag('yes'), question, 'Nothing was removed.'))) return 1
    await vault.delete(name, { signal })
    printChanged(context, [name], () => `Removed ${name}.`)
    return undefined
  },
}

/** `keymux secret`: plain named secrets. */
export const secret: CommandGroup = {
  description:
    'Named secrets live in the same vault. An account can refer to one instead of holding the key itself: keymux add openai --ref vault://NAME.',
  subcommands: [
    { name: 'set', summary: 'keep a secret', load: async () => set },
    { name: 'get', summary: 'print a secret', load: async () => get },
    { name: 'list', summary: 'list the names', load: async () => list },
    { name: 'remove', summary: 'delete a secret', load: async () => remove },
  ],
  examples: [
    { line: 'keymux secret set DATABASE_URL', does: 'asks for it' },
    { line: 'keymux secret get DATABASE_URL', does: 'prints it' },
  ],
}
