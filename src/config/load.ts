import { type FileHandle, open } from 'node:fs/promises'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { ConfigError, refuseProblems, showPath } from './errors.js'
import type { Path } from './parsers.js'
import { type KeymuxConfig, readConfig } from './schema.js'

/** A configuration larger than this is a mistake: 1 MiB. */
export const MAX_CONFIG_BYTES = 1_048_576

const WRITABLE_BY_OTHERS = 0o002

/** How a file is to be treated. */
export interface LoadOptions {
  /** Whether the file must exist, as when somebody named it. Default false: without a file the defaults hold. */
  readonly required?: boolean
}

/**
 * Reads the configuration from a YAML file; without one, gives the defaults.
 *
 * @throws KeymuxError `invalid_config` naming line, column, key and what was expected; `config_unreadable`;
 *   `file_not_found` when a required file is absent; `unsafe_permissions` when anybody may write a file
 *   that allows commands
 */
export async function loadConfig(file: string | undefined, options: LoadOptions = {}): Promise<KeymuxConfig> {
  const content = file === undefined ? undefined : await read(file, options.required ?? false)
  if (file === undefined || content === undefined) return parseConfigObject({})
  const text = decode(content.bytes, file)
  // The YAML parser is loaded when there is something to parse, never before.
  const { parseConfigText } = await import('./document.js')
  const config = parseConfigText(text, file)
  if (config.references.exec && content.writableByOthers) {
    throw new KeymuxError(
      'unsafe_permissions',
      `anybody may write ${quote(file)}, which allows exec references`,
      {
        hint: `run: chmod o-w ${file}`,
      },
    )
  }
  return config
}

/**
 * Checks a configuration that a program passes as an object, keys in camelCase, and fills in the defaults.
 *
 * @throws ConfigError `invalid_config`, naming the key and what was expected
 */
export function parseConfigObject(value: unknown): KeymuxConfig {
  const show = (path: Path): string => showPath(['config', ...path])
  const { config, problems } = readConfig(value ?? null, 'camelCase', show)
  refuseProblems(problems, show)
  return config
}

interface Content {
  readonly bytes: Uint8Array
  readonly writableByOthers: boolean
}

async function read(file: string, required: boolean): Promise<Content | undefined> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    const bytes = await readUpTo(handle, MAX_CONFIG_BYTES + 1)
    if (bytes.length > MAX_CONFIG_BYTES) {
      throw new ConfigError([`${file}: expected at most 1 MiB`])
    }
    const { mode } = await handle.stat()
    return { bytes, writableByOthers: process.platform !== 'win32' && (mode & WRITABLE_BY_OTHERS) !== 0 }
  } catch (error) {
    if (error instanceof KeymuxError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const absent = code === 'ENOENT' || code === 'ENOTDIR'
    if (absent && !required) return undefined
    if (absent)
      throw new KeymuxError('file_not_found', `there is no config file ${quote(file)}`, { cause: error })
    throw new KeymuxError('config_unreadable', `cannot read the config file ${quote(file)}: ${code}`, {
      cause: error,
    })
  } finally {
    await handle?.close()
  }
}

/** Reads at most `limit` bytes: a size is not to be had of a pipe, nor to be trusted of a device. */
async function readUpTo(handle: FileHandle, limit: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(limit)
  let filled = 0
  while (filled < limit) {
    const { bytesRead } = await handle.read(buffer, filled, limit - filled, null)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new ConfigError([`${file}: expected UTF-8 text`], { hint: 'save the file as UTF-8', cause: error })
  }
}
