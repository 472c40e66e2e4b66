import { KeymuxError } from '../../domain/errors.js'

/** Syntaxes in which variables can be written. */
export const SHELLS = ['sh', 'fish', 'powershell', 'dotenv', 'json'] as const

/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number]

/** Whether `text` names one of {@link SHELLS}. */
export function isShell(text: string): text is Shell {
  return (SHELLS as readonly string[]).includes(text)
}

/**
 * Variables as lines of a shell, without the last line feed; `undefined` unsets one. Every value is quoted so that
 * nothing in it is expanded or run. A .env file unsets nothing.
 *
 * @throws KeymuxError `invalid_secret` where a syntax cannot hold a value
 */
export function renderEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  shell: Shell,
): string {
  if (shell === 'json') return JSON.stringify(variables)
  return Object.entries(variables)
    .flatMap(([name, value]) => (value === undefined ? UNSET[shell](name) : [LINES[shell](name, value)]))
    .join('\n')
}

const LINES: Readonly<Record<Exclude<Shell, 'json'>, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`,
  fish: (name, value) => `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
  // PowerShell takes typographic single quotes for quotes as well.
  powershell: (name, value) => `$env:${name} = '${value.replace(/['\u2018\u2019\u201a\u201b]/g, '$&$&')}'`,
  dotenv: (name, value) => `${name}=${dotenvValue(name, value)}`,
}

const UNSET: Readonly<Record<Exclude<Shell, 'json'>, (name: string) => string[]>> = {
  sh: (name) => [`unset ${name}`],
  fish: (name) => [`set -e ${name}`],
  powershell: (name) => [`Remove-Item Env:${name} -ErrorAction SilentlyContinue`],
  dotenv: () => [],
}

function dotenvValue(name: string, value: string): string {
  if (/^[\w./:@%+=,-]*$/.test(value)) return value
  if (!/['\n\r]/.test(value)) return `'${value}'`
  if (/[\\$`]/.test(value)) {
    throw new KeymuxError('invalid_secret', `the value of ${name} cannot be written in a .env file`, {
      hint: 'use --format json or keymux exec',
    })
  }
  return `"${value.replaceAll('"', '\\"').replaceAll('\r', '\\r').replaceAll('\n', '\\n')}"`
}
