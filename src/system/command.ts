import { execFile } from 'node:child_process'
import { KeymuxError } from '../domain/errors.js'

const TIME_LIMIT_MS = 10_000
const OUTPUT_LIMIT = 1024 * 1024 + 2

/**
 * Runs a command line without a shell and gives its standard output. 10 s, 1 MiB; its standard error is
 * shown to nobody, it might repeat the secret.
 *
 * @throws KeymuxError `invalid_reference` for a line that cannot be split, `reference_unresolved` otherwise
 */
export async function runCommand(commandLine: string, signal?: AbortSignal): Promise<string> {
  const [program, ...args] = splitCommandLine(commandLine)
  if (program === undefined) throw new KeymuxError('invalid_reference', 'the command is empty')
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      {
        timeout: TIME_LIMIT_MS,
        maxBuffer: OUTPUT_LIMIT,
        windowsHide: true,
        ...(signal === undefined ? {} : { signal }),
      },
      (error, stdout) => {
        if (error === null) return resolve(stdout)
        if (signal?.aborted === true) return reject(signal.reason as Error)
        // Neither the command line nor its output goes along: both may hold secrets.
        reject(new KeymuxError('reference_unresolved', `the command failed (${reasonOf(error)})`))
      },
    ).stdin?.end()
  })
}

/**
 * Splits a command line into words as a POSIX shell would, without any expansion: spaces separate, single
 * quotes keep everything, double quotes and backslashes escape.
 *
 * @throws KeymuxError `invalid_reference` for an open quote
 */
export function splitCommandLine(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at)
    if (quote === "'" ? character !== "'" : character === '\\') {
      const literal = quote === "'" ? character : line.charAt(++at)
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(literal) ? `\\${literal}` : literal)
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== '') throw new KeymuxError('invalid_reference', 'the command line has an open quote')
  if (word !== undefined) words.push(word)
  return words
}

function reasonOf(
  error: Error & { code?: string | number | null; signal?: string | null; killed?: boolean },
): string {
  if (error.killed === true) return 'it took longer than 10 s or printed too much'
  if (error.code === 'ENOENT') return 'there is no such program'
  if (typeof error.code === 'number') return `exit status ${error.code}`
  return error.signal ?? String(error.code ?? 'unknown')
}
