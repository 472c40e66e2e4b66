import { isAbsolute, resolve } from 'node:path'
import { defaultConfigPath, defaultVaultPath, type PathFacts } from '../../config/paths.js'
import { KeymuxError } from '../../domain/errors.js'
import { quote } from '../../domain/ids.js'
import { parseInteger } from './input.js'
import type { OptionSpec } from './parameters.js'

/** Where a setting came from: a missing file is an error only where somebody named it. */
export type SettingSource = 'default' | 'env' | 'flag'

/** What holds for every command: defaults, overridden by the environment, overridden by flags. */
export interface Settings {
  /** An absolute path, or a `postgres://` URL. */
  readonly vault: string
  readonly vaultSource: SettingSource
  /** An absolute path. */
  readonly config: string
  readonly configSource: SettingSource
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** `--no-color` was given. */
  readonly noColor: boolean
  /** File descriptor to read the passphrase from. */
  readonly passphraseFd?: number
}

/** Flags that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--vault <LOCATION>',
    summary: 'the vault: a path or a postgres:// URL (env KEYMUX_VAULT)',
    completes: 'file',
  },
  { flags: '--config <PATH>', summary: 'the config file (env KEYMUX_CONFIG)', completes: 'file' },
  { flags: '--passphrase-fd <N>', summary: 'read the passphrase from file descriptor N' },
  { flags: '--json', summary: 'print JSON; errors too' },
  { flags: '--no-color', summary: 'print without colour (env NO_COLOR)' },
  { flags: '-q, --quiet', summary: 'print results and errors alone' },
  { flags: '-v, --verbose', summary: 'say more about what is done' },
]

/** What settings are made from. */
export interface SettingFacts extends PathFacts {
  readonly cwd: string
}

/**
 * Resolves the global settings.
 *
 * @throws KeymuxError `usage`, `invalid_value`
 */
export function resolveSettings(flags: Readonly<Record<string, unknown>>, facts: SettingFacts): Settings {
  const vault = pick(text(flags.vault, '--vault'), facts.env.KEYMUX_VAULT, () => defaultVaultPath(facts))
  const config = pick(text(flags.config, '--config'), facts.env.KEYMUX_CONFIG, () => defaultConfigPath(facts))
  const fd = text(flags['passphrase-fd'], '--passphrase-fd')
  if (flags.quiet === true && flags.verbose === true) {
    throw new KeymuxError('usage', '--quiet and --verbose cannot be used together')
  }
  return {
    vault: location(vault.value, facts.cwd),
    vaultSource: vault.source,
    config: absolute(config.value, facts.cwd),
    configSource: config.source,
    json: flags.json === true,
    quiet: flags.quiet === true,
    verbose: flags.verbose === true,
    noColor: flags.color === false,
    ...(fd === undefined
      ? {}
      : { passphraseFd: parseInteger('--passphrase-fd', fd, { min: 0, max: 65_535 }) }),
  }
}

function pick(
  flag: string | undefined,
  env: string | undefined,
  fallback: () => string,
): { value: string; source: SettingSource } {
  if (flag !== undefined) return { value: flag, source: 'flag' }
  if (env !== undefined && env !== '') return { value: env, source: 'env' }
  return { value: fallback(), source: 'default' }
}

function text(value: unknown, name: string): string | undefined {
  if (value === '') throw new KeymuxError('invalid_value', `${name} is empty`)
  return typeof value === 'string' ? value : undefined
}

/** A path made absolute, or a database URL as it is. */
function location(value: string, cwd: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):\/\//.exec(value)?.[1]?.toLowerCase()
  if (scheme === undefined) return absolute(value, cwd)
  if (scheme === 'postgres' || scheme === 'postgresql') return value
  throw new KeymuxError('invalid_value', `a vault cannot be at a ${quote(`${scheme}://`)} URL`, {
    hint: 'use a path or postgres://HOST/DATABASE',
  })
}

function absolute(path: string, cwd: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path)
}
