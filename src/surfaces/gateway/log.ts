import type { Clock, Logger } from '../../domain/ports.js'
import { printableJson } from '../../domain/printable.js'
import { redactSecrets } from '../../domain/redact.js'

/** How much is logged: everything from this level on. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const RANK: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }
const LONGEST_TEXT = 1_000

/** Where and how the lines go. */
export interface JsonLoggerOptions {
  readonly level: LogLevel
  readonly clock: Clock
  /** Takes one line, its line feed included. */
  readonly write: (line: string) => void
}

/**
 * A logger that writes one JSON object a line: `time`, `level`, `message`, and the fields. Every text goes
 * through the redaction of secrets; bodies and headers are never logged to begin with.
 */
export function createJsonLogger({ level, clock, write }: JsonLoggerOptions): Logger {
  const lowest = RANK[level]
  const at =
    (name: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (RANK[name] < lowest) return
      const own = { time: new Date(Number(clock.now())).toISOString(), level: name, message }
      // Fields of these names do not take their place, and come after them.
      const line = { ...own, ...fields, ...own }
      write(`${printableJson(JSON.stringify(line, clean))}\n`)
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function clean(key: string, value: unknown): unknown {
  if (typeof value === 'string' && key !== 'time') return redactSecrets(value.slice(0, LONGEST_TEXT))
  if (value instanceof Error) return { name: value.name, message: redactSecrets(value.message) }
  return value
}
