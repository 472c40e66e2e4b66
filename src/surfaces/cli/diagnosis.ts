import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { configMistrust } from '../../config/load.js'
import { keymuxFolder } from '../../config/paths.js'
import { parseKeyFile } from '../../crypto/key-file.js'
import { ERROR_CODES, isKeymuxError, KeymuxError } from '../../domain/errors.js'
import { formatTime } from '../../domain/rfc3339.js'
import { shellQuote } from '../../domain/shell.js'
import { readSecretFile } from '../../system/safe-file.js'
import type { CliContext } from './context.js'
import type { Finding } from './finding.js'
import { givenKeyFile, opensUnasked } from './passphrase.js'
import { proxiesInUse, proxyOfEnvironment } from './proxy-findings.js'
import { slotWords } from './render/slots.js'
import { reviewRules } from './rule-doubts.js'
import { inspectLocked, type LockedVault, typesOf } from './vault-facts.js'

/** The oldest Node.js that keymux runs on. */
const NODE_FLOOR = [20, 19] as const
/** No clock that is right shows less: the year in which this was written. */
const EARLIEST_NOW = Date.parse('2026-01-01T00:00:00Z')
const SKEW_MS = 5 * 60_000

/**
 * Looks at everything that keymux needs, without asking anybody anything. Changes nothing.
 *
 * @param live whether connections to providers are opened. Default false
 */
export async function diagnose(context: CliContext, live = false): Promise<Finding[]> {
  const vault = await lookAtVault(context)
  const locked = 'header' in vault ? vault : undefined
  const settings = await config(context)
  // Without settings no vault opens, and their finding says so already.
  const inside = locked === undefined || settings.status === 'problem' ? [] : await contents(context, locked)
  return [
    node(),
    await sqlite(),
    settings,
    ...(settings.status === 'problem' ? [] : await rules(context)),
    ...('header' in vault ? [found(vault, context)] : [vault]),
    ...(await keyFile(context)),
    ...(locked === undefined ? [] : [unlocking(context, locked)]),
    ...inside,
    ...(await proxies(context, live, inside)),
    memory(context),
    clock(context, locked),
  ]
}

function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

function warning(check: string, message: string, hint?: string): Finding {
  return { check, status: 'warning', message, ...(hint === undefined ? {} : { hint }) }
}

/** An error as a finding; what nobody foresaw is thrown on. */
function problem(check: string, error: unknown): Finding {
  if (!(error instanceof KeymuxError)) throw error
  const { message, hint, exitCode } = error
  return { check, status: 'problem', message, exitCode, ...(hint === undefined ? {} : { hint }) }
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const [floor, minorFloor] = NODE_FLOOR
  if (major > floor || (major === floor && minor >= minorFloor))
    return ok('node', `Node.js ${process.versions.node}`)
  return {
    check: 'node',
    status: 'problem',
    message: `Node.js ${process.versions.node} is too old`,
    hint: `install ${NODE_FLOOR.join('.')} or later`,
    exitCode: ERROR_CODES.internal_error,
  }
}

async function sqlite(): Promise<Finding> {
  try {
    const { sqliteVersion } = await import('../../storage/sqlite/driver.js')
    return ok('sqlite', `SQLite ${await sqliteVersion()}`)
  } catch (error) {
    return problem('sqlite', error)
  }
}

async function config({ settings, host }: CliContext): Promise<Finding> {
  const { config: path, configSource } = settings
  try {
    await host.services.providers(path, configSource !== 'default')
  } catch (error) {
    return problem('config', error)
  }
  const mistrust = await configMistrust(path)
  if (mistrust !== undefined) return warning('config', mistrust.problem, mistrust.hint)
  return ok('config', existsSync(path) ? `${path} is valid` : `no config at ${path}; the defaults hold`)
}

/** Rules of the owner's own about failures: nothing is said where there are none. */
async function rules(context: CliContext): Promise<Finding[]> {
  try {
    const { count, doubts } = await reviewRules(context, 'vault')
    if (count === 0) return []
    if (doubts.length === 0) return [ok('rules', `${count} rule(s) of your own about failures`)]
    return doubts.map(({ where, message }) => warning('rules', `${where}: ${message}`))
  } catch (error) {
    return [problem('rules', error)]
  }
}

async function lookAtVault(context: CliContext): Promise<LockedVault | Finding> {
  try {
    return await inspectLocked(context)
  } catch (error) {
    if (!isKeymuxError(error, 'vault_not_found')) return problem('vault', error)
    return warning('vault', error.message, 'make one with keymux init')
  }
}

function found({ location, file }: LockedVault, { host }: CliContext): Finding {
  if (file === undefined) return ok('vault', location)
  const folder = dirname(file)
  const shared = host.platform !== 'win32' && (statSync(folder).mode & 0o022) !== 0
  if (!shared) return ok('vault', location)
  return warning('vault', `others may replace files in ${folder}`, `chmod 700 ${shellQuote(folder)}`)
}

async function keyFile(context: CliContext): Promise<Finding[]> {
  const path = givenKeyFile(context)
  if (path === undefined) return []
  try {
    const text = await readSecretFile(path, { privateOnly: true })
    parseKeyFile(text).fill(0)
    text.fill(0)
    return [ok('key file', path)]
  } catch (error) {
    return [problem('key file', error)]
  }
}

function unlocking(context: CliContext, { header }: LockedVault): Finding {
  const types = typesOf(header)
  const ways = [...new Set(types)].map(slotWords).join(', ')
  const now = opensUnasked(context, types) ? 'nobody has to be asked here' : 'it has to be asked for here'
  return ok('unlocking', `opens with: ${ways}; ${now}`)
}

/** What is inside, where that takes no question. */
async function contents(context: CliContext, { header }: LockedVault): Promise<Finding[]> {
  if (!opensUnasked(context, typesOf(header))) {
    return [
      warning('contents', 'not looked at: the vault is locked', 'set KEYMUX_PASSPHRASE or KEYMUX_KEY_FILE'),
    ]
  }
  try {
    const { vault } = await context.open({ lenient: true })
    const problems = await vault.check({ signal: context.signal })
    const { profiles, secrets } = await vault.status({ signal: context.signal })
    if (problems.length === 0) return [ok('contents', `sound: ${profiles} account(s), ${secrets} secret(s)`)]
    return problems.map(({ message }) => ({
      check: 'contents',
      status: 'problem',
      message,
      hint: 'look closer with keymux vault check',
      exitCode: ERROR_CODES.vault_corrupt,
    }))
  } catch (error) {
    return [problem('contents', error)]
  }
}

/** Which accounts use which proxy is in the vault. */
async function proxies(context: CliContext, live: boolean, inside: readonly Finding[]): Promise<Finding[]> {
  if (!inside.some(({ status }) => status === 'ok')) return proxyOfEnvironment(context)
  return proxiesInUse(await context.open({ lenient: true }), { live, signal: context.signal })
}

/** Where positions of vaults are remembered, so that an older copy is noticed. */
function memory({ host, notices }: CliContext): Finding {
  const [notice] = notices
  if (notice !== undefined) return warning('memory', notice)
  const folder = keymuxFolder('state', host)
  try {
    let nearest = folder
    while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest)
    accessSync(nearest, constants.W_OK)
    return ok('memory', `${folder} remembers how far the vault had come`)
  } catch {
    return warning('memory', `${folder} cannot be written: an older vault would go unnoticed`)
  }
}

function clock({ host }: CliContext, vault: LockedVault | undefined): Finding {
  const now = host.clock.now()
  const made = vault?.header.createdAt.getTime() ?? 0
  const behind = now.getTime() < Math.max(EARLIEST_NOW, made - SKEW_MS)
  if (!behind) return ok('clock', formatTime(now))
  return warning(
    'clock',
    `it shows ${formatTime(now)}, which cannot be right`,
    'set it: cooldowns and expiry depend on it',
  )
}
