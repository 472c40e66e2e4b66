import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { KeymuxConfig } from '../domain/config.js'
import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import { ConfigError, refuseProblems, showPath } from './errors.js'
import type { Path } from './parsers.js'
import { readConfig, steeringKeys } from './schema.js'
import { type Mistrust, mistrustOf, refuseMistrusted } from './trusted-path.js'

/** A configuration larger than this is a mistake: 1 MiB. */
export const MAX_CONFIG_BYTES = 1_048_576

/** How a file is to be treated. */
export interface LoadOptions {
  /** Whether the file must exist, as when somebody named it. Default false: without a file the defaults hold. */
  readonly required?: boolean
}

/**
 * Reads the configuration from a YAML file; without one, gives the defaults.
 *
 * @throws KeymuxError `invalid_config` naming line, column, key and what was expected; `config_unreadable`;
 *   `file_not_found` when a required file is absent; `unsafe_permissions` when others may change a file that
 *   says where keys go or what runs
 */
export async function loadConfig(file: string | undefined, options: LoadOptions = {}): Promise<KeymuxConfig> {
  const content = file === undefined ? undefined : await read(file, options.required ?? false)
  if (file === undefined || content === undefined) return parseConfigObject({})
  const text = decode(content.bytes, file)
  // The YAML parser is loaded when there is something to parse, never before.
  const { parseConfigText } = await import('./document.js')
  const config = parseConfigText(text, file)
  const steering = steeringKeys(config)
  if (steering.length > 0) {
    await refuseMistrusted(absolute(file), content.stats, `the config sets ${steering.join(', ')}`)
  }
  return config
}

/**
 * Whether others may change a config file, be it a harmless one; `undefined` where they may not, or there is
 * none to read.
 */
export async function configMistrust(file: string): Promise<Mistrust | undefined> {
  const content = await read(file, false).catch(() => undefined)
  return content && mistrustOf(absolute(file), content.stats)
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
  /** Of what was read. */
  readonly stats: BigIntStats
}

async function read(file: string, required: boolean): Promise<Content | undefined> {
  let handle: FileHandle | undefined
  try {
    // A named pipe would block for ever.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const kind = await handle.stat()
    if (kind.isFIFO() || kind.isSocket()) {
      throw new KeymuxError('config_unreadable', `the config file ${quote(file)} is not a regular file`)
    }
    const bytes = await readUpTo(handle, MAX_CONFIG_BYTES + 1)
    if (bytes.length > MAX_CONFIG_BYTES) {
      throw new ConfigError([`${file}: expected at most 1 MiB`])
    }
    return { bytes, stats: await handle.stat({ bigint: true }) }
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

/** As it stands: where a link leads out of its folder, `..` after it is another folder. */
function absolute(file: string): string {
  return file.startsWith('/') ? file : `${resolve('.')}/${file}`
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
