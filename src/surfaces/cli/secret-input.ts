import { KeymuxError } from '../../domain/errors.js'
import { looksLikeSecret } from '../../domain/redact.js'
import type { CliContext } from './context.js'
import type { CommandInput } from './input.js'
import type { OptionSpec } from './parameters.js'

/** Longest secret: 1 MiB. */
const MAX_BYTES = 1024 * 1024
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The options of commands that take a secret, for {@link readSecret}. */
export const SECRET_OPTIONS: readonly OptionSpec[] = [
  { flags: '--stdin', summary: 'read the secret from standard input' },
  { flags: '--from-env <VAR>', summary: 'take the secret from an environment variable', completes: 'env' },
  {
    flags: '--ref <REF>',
    summary: 'keep a reference instead: vault://NAME, env://VAR or file:///path',
  },
]

/** A secret, or a reference to where it is kept. */
export type SecretInput = { readonly secret: string } | { readonly reference: string }

/** Which of {@link SECRET_OPTIONS} a command declares, and how it asks. */
export interface SecretQuestion {
  /** Shown on the terminal when no option says where the secret comes from. */
  readonly question: string
  /** `--ref` is among the command's options. */
  readonly references: boolean
}

/**
 * The secret from `--stdin`, `--from-env` or `--ref`, else from a hidden prompt.
 *
 * @throws KeymuxError `usage` (two sources), `invalid_secret`, `invalid_reference`, `secret_in_argv`
 */
export async function readSecret(
  context: CliContext,
  input: CommandInput,
  { question, references }: SecretQuestion,
): Promise<SecretInput> {
  const fromStdin = input.flag('stdin')
  const variable = input.text('from-env')
  const reference = references ? input.text('ref') : undefined
  const given = [
    ...(fromStdin ? ['--stdin'] : []),
    ...(variable === undefined ? [] : ['--from-env']),
    ...(reference === undefined ? [] : ['--ref']),
  ]
  if (given.length > 1) {
    throw new KeymuxError('usage', `${given.join(' and ')} cannot be used together`, {
      hint: 'give one of them',
    })
  }
  if (fromStdin) return { secret: await readStdinSecret(context) }
  if (variable !== undefined) return { secret: readVariable(context, variable) }
  if (reference !== undefined) return { reference: checkReference(reference) }
  const typed = await context.host.prompter.hidden(question)
  if (typed === undefined) {
    throw new KeymuxError('invalid_secret', 'no secret was given, and there is no terminal to ask on', {
      hint: `use --stdin, --from-env VAR${references ? ' or --ref REF' : ''}`,
    })
  }
  return { secret: checkSecret(typed) }
}

/**
 * All of standard input as a secret; one final line feed (with its carriage return) is dropped.
 *
 * @throws KeymuxError `invalid_secret`, `usage`
 */
export async function readStdinSecret({ host, settings, output }: CliContext): Promise<string> {
  if (settings.passphraseFd === 0) {
    throw new KeymuxError('usage', 'standard input cannot give both the passphrase and the secret', {
      hint: 'use another descriptor for --passphrase-fd, or --from-env VAR',
    })
  }
  if (host.stdin.isTTY)
    output.note('Reading the secret from standard input; end it with a return and Ctrl-D.')
  const bytes = await readAll(host.stdin)
  return checkSecret(decode(bytes).replace(/\r?\n$/, ''))
}

/**
 * Checks a reference's form; what it refers to is looked up when it is used, and whether `exec://` is
 * allowed is the config's to say.
 *
 * @throws KeymuxError `invalid_reference`, `secret_in_argv`
 */
export function checkReference(reference: string): string {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(reference) ?? []
  const problem = /[\p{Cc}]/u.test(reference)
    ? 'it contains a control character'
    : referenceProblem(scheme, rest)
  if (problem === undefined) return reference
  if (looksLikeSecret(reference)) throw secretInArgv()
  throw new KeymuxError('invalid_reference', `this is not a reference: ${problem}`, {
    hint: 'use vault://NAME, env://VAR or file:///absolute/path',
  })
}

/** The error for a key among the arguments. It never repeats the key. */
export function secretInArgv(hint = 'use --stdin, --from-env VAR or the prompt'): KeymuxError {
  return new KeymuxError(
    'secret_in_argv',
    'an argument looks like a key, and other programs can read the command line',
    { hint },
  )
}

function referenceProblem(scheme: string | undefined, rest: string): string | undefined {
  switch (scheme) {
    case 'vault':
      return rest === '' ? 'the name of the secret is missing' : undefined
    case 'env':
      return VARIABLE.test(rest) ? undefined : 'env:// wants the name of a variable'
    case 'file':
      return /^\/[^/]/.test(rest) ? undefined : 'file:// wants an absolute path, with three slashes'
    case 'exec':
      return rest.trim() === '' ? 'the command is missing' : undefined
    case undefined:
      return 'it does not begin with vault://, env:// or file://'
    default:
      return `${scheme}:// is not known`
  }
}

function readVariable({ host }: CliContext, variable: string): string {
  if (!VARIABLE.test(variable)) {
    if (looksLikeSecret(variable))
      throw secretInArgv('--from-env wants the name of a variable, not its value')
    throw new KeymuxError('invalid_value', '--from-env wants the name of a variable')
  }
  const value = host.env[variable]
  if (value === undefined || value === '') {
    // A key may well be made of letters alone: what looks like one is not repeated.
    const name = looksLikeSecret(variable) ? 'the variable' : variable
    throw new KeymuxError('invalid_secret', `${name} is ${value === '' ? 'empty' : 'not set'}`)
  }
  return checkSecret(value)
}

function checkSecret(secret: string): string {
  if (secret === '') throw new KeymuxError('invalid_secret', 'the secret is empty')
  if (secret.includes('\0')) throw new KeymuxError('invalid_secret', 'the secret contains a NUL character')
  if (Buffer.byteLength(secret) > MAX_BYTES) {
    throw new KeymuxError('invalid_secret', 'the secret is larger than 1 MiB')
  }
  return secret
}

async function readAll(stdin: { read(limit: number): Promise<Uint8Array> }): Promise<Uint8Array> {
  try {
    return await stdin.read(MAX_BYTES + 2)
  } catch (error) {
    throw new KeymuxError('invalid_secret', 'standard input cannot be read', { cause: error })
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new KeymuxError('invalid_secret', 'the secret is not UTF-8 text')
  }
}
