import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describeConfig } from '../../config/schema.js'
import type { KeymuxConfig } from '../../domain/config.js'
import type { ProfileCooldownConfig } from '../../domain/usage.js'
import {
  calculateBillingDisable,
  calculateRateLimitCooldown,
  failureWindowMs,
  longestDisableMs,
} from '../../policy/cooldown.js'
import { shownLocation } from './passphrase.js'
import type { Settings } from './settings.js'

/** One setting that holds. */
export interface EffectiveSetting {
  /** As in the config file: `cooldown.rate_limit_seconds`. */
  readonly key: string
  readonly value: unknown
  readonly source: 'default' | 'config' | 'env' | 'flag'
}

const HOUR_MS = 3_600_000

/** Every setting that holds, defaults among them, and where it comes from. */
export async function effectiveSettings(
  settings: Settings,
  config: KeymuxConfig,
): Promise<EffectiveSetting[]> {
  const written = await writtenConfig(settings.config)
  const described = describeConfig(config)
  const { by_provider, ...cooldown } = {
    ...cooldownDefaults(config.cooldown),
    ...section(described.cooldown),
  }
  return [
    { key: 'vault', value: shownLocation(settings.vault), source: settings.vaultSource },
    { key: 'config', value: settings.config, source: settings.configSource },
    ...flatten({ ...described, cooldown }, 1, written),
    ...flatten({ cooldown: { by_provider: by_provider ?? {} } }, 3, written),
  ]
}

/** The policy's own numbers, where the config says nothing. */
function cooldownDefaults(config: ProfileCooldownConfig): Record<string, unknown> {
  return {
    rate_limit_seconds: calculateRateLimitCooldown(config) / 1_000,
    billing_backoff_hours: calculateBillingDisable(1, config) / HOUR_MS,
    billing_max_hours: longestDisableMs(config, '') / HOUR_MS,
    failure_window_hours: failureWindowMs(config) / HOUR_MS,
  }
}

/** Objects down to `depth` levels below the top become keys with dots. */
function flatten(value: Record<string, unknown>, depth: number, written: unknown): EffectiveSetting[] {
  const walk = (inner: unknown, path: readonly string[]): EffectiveSetting[] => {
    if (path.length <= depth && isSection(inner)) {
      return Object.entries(inner).flatMap(([key, each]) => walk(each, [...path, key]))
    }
    return [{ key: path.join('.'), value: inner, source: isWritten(written, path) ? 'config' : 'default' }]
  }
  return walk(value, [])
}

/** The file as it stands; it has been checked already. */
async function writtenConfig(path: string): Promise<unknown> {
  if (!existsSync(path)) return undefined
  const [{ parse }, { deepPlaceInYaml }] = await Promise.all([
    import('yaml'),
    import('../../config/yaml-nesting.js'),
  ])
  const text = await readFile(path, 'utf8')
  // It may have changed since.
  return deepPlaceInYaml(text) === undefined ? parse(text, { logLevel: 'silent' }) : undefined
}

function isWritten(written: unknown, path: readonly string[]): boolean {
  let at = written
  for (const key of path) {
    if (!isSection(at)) return false
    const found = Object.entries(at).find(([name]) => name === key || name.toLowerCase() === key)
    if (found === undefined) return false
    at = found[1]
  }
  return true
}

function section(value: unknown): Record<string, unknown> {
  return isSection(value) ? value : {}
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
